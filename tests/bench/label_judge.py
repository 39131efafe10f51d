"""A discriminator that names each pixel's level, or calls it generated (Schoenfeld et al. 2021, arXiv 2012.04781)."""

from __future__ import annotations

from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.generation.conditions import EXTRA_PLANES, TEXTURE_SCALES_PX
from services.training.generator import trainer
from services.training.generator.trainer import Terms, Trainer

_MIX_WEIGHT = 10.0  # of the paper's LabelMix


class LabelJudge(nn.Module):
    """A U-Net of three steps down: (B, 1, H, W) to scores (B, levels + 1, H, W), "generated" the last."""

    def __init__(self, levels: int, width: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 4 * width]
        self.down = nn.ModuleList(
            [_convolution(before, after) for before, after in zip([1, *widths], widths, strict=False)]
        )
        self.up = nn.ModuleList(
            [_convolution(widths[step + 1] + widths[step], widths[step]) for step in reversed(range(3))]
        )
        self.last = nn.Conv2d(width, levels + 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """H and W divisible by 8."""
        x, skips = self.down[0](image), []
        for layer in self.down[1:]:
            skips.append(x)
            x = layer(F.avg_pool2d(x, 2))
        for layer in self.up:
            x = layer(torch.cat([F.interpolate(x, scale_factor=2.0), skips.pop()], 1))
        scores: Tensor = self.last(x)
        return scores


class LabelTrainer(Trainer):
    """The default's losses with this judge in the place of the two-scale one; nothing is matched."""

    def __init__(self, *arguments: Any) -> None:
        with mock.patch.object(trainer, "build_discriminator", _build):
            super().__init__(*arguments)

    def _step_discriminator(self, conditions: Tensor, target: Tensor, seen: Tensor) -> dict[str, float]:
        assert self.discriminator is not None
        self.discriminator.requires_grad_(True)
        levels = _levels(conditions)
        real, generated = self.discriminator(target), self.discriminator(seen)
        loss = _miss(real, levels) + _miss(generated, torch.full_like(levels, real.shape[1] - 1))
        chosen = torch.randint(2, (real.shape[1],))[levels][:, None].to(target.dtype)  # whole levels, of either image
        mixed = self.discriminator(chosen * target + (1 - chosen) * seen)
        loss = loss + _MIX_WEIGHT * F.mse_loss(mixed, chosen * real + (1 - chosen) * generated)
        self.descend(self.optimisers[1], loss)
        self.discriminator.requires_grad_(False)
        return {"discriminator": float(loss.detach())}

    def _by_judge(self, conditions: Tensor, target: Tensor, seen: Tensor) -> Terms:
        assert self.discriminator is not None
        scores = self.discriminator(seen)
        return {"adversarial": (self.config.adversarial_weight, lambda: _miss(scores, _levels(conditions)))}


def _build(_architecture: str, conditions: int, width: int) -> LabelJudge:
    judge = LabelJudge(conditions - EXTRA_PLANES + len(TEXTURE_SCALES_PX), width)
    judge.to(memory_format=torch.channels_last)
    return judge


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.utils.parametrizations.spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))
    return nn.Sequential(convolution, nn.LeakyReLU(0.2))


def _levels(conditions: Tensor) -> Tensor:
    """(B, H, W) of the one-hot planes, which come first."""
    return conditions[:, : conditions.shape[1] - EXTRA_PLANES + len(TEXTURE_SCALES_PX)].argmax(1)


def _miss(scores: Tensor, levels: Tensor) -> Tensor:
    """Cross entropy where each level of the batch counts as much as any other."""
    counts = torch.bincount(levels.flatten(), minlength=scores.shape[1]).float()
    weights = torch.where(counts > 0, levels.numel() / (counts.clamp(min=1) * (counts > 0).sum()), 0.0)
    return (F.cross_entropy(scores.float(), levels, reduction="none") * weights[levels]).mean()
