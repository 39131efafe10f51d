"""What the generator and the discriminator are trained on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

# Normalised brightness is compressed beyond this, so that a hot spot does not dominate a batch.
KNEE = 2.0


def camera(clean: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
    """Add the camera's noise and quantisation to a clean normalised image, as inference does.

    clean, noise: (B, 1, H, W); scale: (B, 3) background, contrast, noise of each image. The rounding passes gradients.
    """
    background, contrast, sigma = (scale[:, i, None, None, None] for i in range(3))
    raw = (background + contrast * clean + sigma * noise) * 255.0
    counts = raw + (raw.clamp(0, 255).round() - raw).detach()
    result: Tensor = (counts / 255.0 - background) / contrast
    return result


def squash(image: Tensor) -> Tensor:
    """Identity near 0, logarithmic beyond the knee; keeps order and sign."""
    size = image.abs()
    bent = torch.where(size < KNEE, size, KNEE * (1.0 + torch.log(size.clamp(min=KNEE) / KNEE)))
    return bent * image.sign()


def discriminator_loss(real: list[list[Tensor]], generated: list[list[Tensor]]) -> Tensor:
    """Least squares (Mao et al. 2017): real to 1, generated to 0; mean over scales."""
    losses = [
        (((r[-1].float() - 1.0) ** 2).mean() + (g[-1].float() ** 2).mean()) / 2.0
        for r, g in zip(real, generated, strict=True)
    ]
    return torch.stack(losses).mean()


def adversarial_loss(generated: list[list[Tensor]]) -> Tensor:
    """Least squares: generated to 1; mean over scales."""
    return torch.stack([((g[-1].float() - 1.0) ** 2).mean() for g in generated]).mean()


def matching_loss(real: list[list[Tensor]], generated: list[list[Tensor]]) -> Tensor:
    """Mean absolute difference of the discriminator's features (Wang et al. 2018)."""
    losses = [
        F.l1_loss(g.float(), r.detach().float())
        for real_scale, generated_scale in zip(real, generated, strict=True)
        for r, g in zip(real_scale[:-1], generated_scale[:-1], strict=True)
    ]
    return torch.stack(losses).mean()


def coarse_loss(clean: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the 8 x 8 means: what is bright where, with no reward for blur."""
    return F.l1_loss(F.avg_pool2d(clean, 8), F.avg_pool2d(target, 8))


def texture_loss(seen: Tensor, target: Tensor) -> Tensor:
    """Difference in how much texture is where: local deviation (5 x 5) at three octaves, averaged over 8 x 8."""
    losses = []
    for octave in range(3):
        if octave:
            seen, target = F.avg_pool2d(seen, 2), F.avg_pool2d(target, 2)
        spread = [F.avg_pool2d(_local_deviation(image), 8 >> octave) for image in (seen, target)]
        losses.append(F.l1_loss(*spread))
    return torch.stack(losses).mean()


def _local_deviation(image: Tensor) -> Tensor:
    mean, square = F.avg_pool2d(image, 5, 1, 2), F.avg_pool2d(image * image, 5, 1, 2)
    return (square - mean * mean).clamp(min=1e-6).sqrt()
