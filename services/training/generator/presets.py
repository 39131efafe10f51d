"""Named hyper-parameters: the default, and the baselines that tables hold it to."""

from __future__ import annotations

from dataclasses import replace

from services.training.generator.architectures import PIX2PIX
from services.training.generator.trainer import TrainConfig

_NO_LOSS = replace(
    TrainConfig(),
    adversarial_weight=0.0,
    matching_weight=0.0,
    coarse_weight=0.0,
    texture_weight=0.0,
    spectrum_weight=0.0,
)

PRESETS = {
    "default": TrainConfig(),
    # The same network, taught by the mean absolute difference alone: without a discriminator.
    "l1": replace(_NO_LOSS, l1_weight=1.0),
    # As published (Isola et al. 2017): cross entropy + 100 L1, one image a batch, Adam at 2e-4, 0.5 and 0.999. Jitter
    # moves windows by 30 px, as 286 to 256 does, but enlarges nothing: texture would be coarser than in generation.
    "pix2pix-unet256": replace(
        _NO_LOSS,
        architecture=PIX2PIX,
        batch=1,
        crop_px=256,
        jitter_px=30,
        learning_rate=2e-4,
        discriminator_rate=2e-4,
        beta2=0.999,
        discriminator_width=64,
        cross_entropy=True,
        adversarial_weight=1.0,
        l1_weight=100.0,
        ema_decay=0.0,
        width=64,
        blocks=8,
    ),
}
