"""What the generator and the discriminator are trained on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

# Normalised brightness is compressed beyond this, so that a hot spot does not dominate a batch.
KNEE = 2.0
# Power below that of rounding says nothing.
_LEAST_POWER = 1e-5


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


def least_squares(verdict: Tensor, wanted: float) -> Tensor:
    """How far verdicts are from what is wanted (Mao et al. 2017)."""
    return ((verdict.float() - wanted) ** 2).mean()


def cross_entropy(verdict: Tensor, wanted: float) -> Tensor:
    """The same where verdicts are log odds (Goodfellow et al. 2014; for the generator, its non-saturating form)."""
    return F.binary_cross_entropy_with_logits(verdict.float(), torch.full_like(verdict, wanted, dtype=torch.float32))


def discriminator_loss(
    real: list[list[Tensor]], generated: list[list[Tensor]], miss: Callable[[Tensor, float], Tensor] = least_squares
) -> Tensor:
    """Real to 1, generated to 0, halved; mean over scales."""
    losses = [(miss(r[-1], 1.0) + miss(g[-1], 0.0)) / 2.0 for r, g in zip(real, generated, strict=True)]
    return torch.stack(losses).mean()


def adversarial_loss(generated: list[list[Tensor]], miss: Callable[[Tensor, float], Tensor] = least_squares) -> Tensor:
    """Generated to 1; mean over scales."""
    return torch.stack([miss(g[-1], 1.0) for g in generated]).mean()


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


def spectrum_loss(seen: Tensor, target: Tensor, side: int = 32) -> Tensor:
    """Mean absolute difference of log power spectra, in natural logarithms.

    seen, target: (B, 1, H, W). Of each image, the mean power of windows of `side` that overlap by half, tapered by a
    Hann window; frequency by frequency, so that a grid's rhythm shows as much as texture that is too coarse.
    """
    return F.l1_loss(_log_power(seen, side), _log_power(target, side))


def _log_power(image: Tensor, side: int) -> Tensor:
    """(B, 1, H, W) to (B, side, side // 2 + 1)."""
    windows = image.float().unfold(2, side, side // 2).unfold(3, side, side // 2).flatten(1, 3)
    windows = windows - windows.mean((-2, -1), keepdim=True)
    taper = torch.hann_window(side, device=image.device)
    power = torch.fft.rfft2(windows * taper * taper[:, None]).abs().square().mean(1)
    return (power / side**2 + _LEAST_POWER).log()
