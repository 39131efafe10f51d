"""What one step does to the generator and its discriminator."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from services.common.errors import ConfigError
from services.generation.conditions import TEXTURE_SCALES_PX
from services.training.average import update_average
from services.training.bounds import ABOVE_0, SEED, SHARE, Bounds, between, check_bounds
from services.training.generator import losses
from services.training.generator.architectures import OWN, PIX2PIX, build_discriminator, build_generator
from services.training.generator.crops import Batch, Crops
from services.training.ranks import ALONE, Ranks
from services.training.training import Training

# Losses by name: the weight of each, and what computes it.
Terms: TypeAlias = dict[str, tuple[float, Callable[[], Tensor]]]

_JUDGED = ("adversarial_weight", "matching_weight")  # by the discriminator
_WEIGHTS = tuple(f"{name}_weight" for name in ("adversarial", "coarse", "matching", "texture", "spectrum", "l1"))
_BOUNDS = {
    **dict.fromkeys(("steps", "batch", "crop_px", "discriminator_width"), between(1)),
    **dict.fromkeys(("learning_rate", "discriminator_rate"), ABOVE_0),
    **dict.fromkeys(("jitter_px", *_WEIGHTS), between(0)),
    **dict.fromkeys(("judged_from", "ema_decay"), SHARE),
    "beta2": Bounds("from 0, below 1", lambda one: 0 <= one < 1),  # what Adam takes
    "seed": SEED,
}
# The default network's last layers have a fifth of its width, and its spectra are of windows of 32 px. A U-Net takes
# two steps at least, and at most those that bring a patch of 256 px to one pixel.
_NETWORK_BOUNDS = {
    OWN: {"width": between(5), "blocks": between(0), "crop_px": between(32)},
    PIX2PIX: {"width": between(1), "blocks": between(2, 8)},
}


@dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of one training, saved beside the weights.

    A loss of weight 0 is not computed; without adversarial and matching loss there is no discriminator. judged_from:
    share of the steps after which it begins; the other losses teach alone until then, two steps in the time of one.
    blocks: of pix2pix its steps down. jitter_px: how far windows may reach into the mirrored surroundings of a field.
    Raises ConfigError for numbers that no training can have.
    """

    architecture: str = OWN
    steps: int = 5000
    batch: int = 8
    crop_px: int = 128
    jitter_px: int = 0
    learning_rate: float = 4e-4
    discriminator_rate: float = 4e-4
    beta2: float = 0.99
    discriminator_width: int = 40
    cross_entropy: bool = False
    adversarial_weight: float = 1.0
    coarse_weight: float = 4.0
    matching_weight: float = 2.0
    judged_from: float = 0.0
    texture_weight: float = 8.0
    spectrum_weight: float = 1.0
    l1_weight: float = 0.0
    ema_decay: float = 0.999
    width: int = 80
    blocks: int = 4
    bfloat16: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS | _NETWORK_BOUNDS.get(self.architecture, {}))
        if self.judged_from and not any(getattr(self, name) for name in _WEIGHTS if name not in _JUDGED):
            raise ConfigError(
                f"expected a loss that teaches before judged_from; got {self.judged_from:g} and the weights of all but "
                f"{' and '.join(_JUDGED)} 0"
            )


class Trainer(Training):
    """Trains a generator on crops. dataset: its fingerprint. best: averaged weights that an examination kept."""

    def __init__(self, config: TrainConfig, planes: int, crops: Crops, dataset: str = "", ranks: Ranks = ALONE) -> None:
        if not any(value for name, value in asdict(config).items() if name.endswith("_weight")):
            raise ConfigError("expected a loss with a weight above 0; got 0 for all of them")
        torch.manual_seed(config.seed)
        self.config, self.crops = config, crops
        self.generator = build_generator(config.architecture, planes, config.width, config.blocks)
        if config.crop_px % (stride := self.generator.config.stride_px):
            raise ConfigError(f"expected crop_px as a multiple of {stride}, the network's stride; got {config.crop_px}")
        # The discriminator sees all planes that the generator does, except the texture noise, which comes last.
        self.judged = planes - len(TEXTURE_SCALES_PX)
        self.discriminator = (
            build_discriminator(config.architecture, self.judged, config.discriminator_width)
            if config.adversarial_weight or config.matching_weight
            else None
        )
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.best = copy.deepcopy(self.average)
        modules = {"generator": self.generator, "average": self.average, "best": self.best}
        learning: list[tuple[nn.Module, float]] = [(self.generator, config.learning_rate)]
        if self.discriminator is not None:
            modules["discriminator"] = self.discriminator
            learning.append((self.discriminator, config.discriminator_rate))
        self.rates = [rate for _, rate in learning]
        self.optimisers = [
            torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, config.beta2)) for network, rate in learning
        ]
        super().__init__(config, modules, self.optimisers, crops.generator, dataset, ranks)

    def train_step(self) -> dict[str, float]:
        """One step of each network; returns the losses."""
        self._set_rates()
        planes, target, scale = tensors_of(self.crops.batch(self.config.batch), self.ranks.part(self.config.batch))
        conditions, target = planes[:, : self.judged], losses.squash(target)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            clean = self.generator(planes).float()
            seen = losses.squash(losses.camera(clean, scale, self.ranks.noise_like(clean)))
            values = self._step_discriminator(conditions, target, seen.detach())
            values |= self._step_generator(conditions, target, seen, clean)
        update_average(self.average, self.generator, self.step, self.config.ema_decay)
        self.step += 1
        return values

    def _step_discriminator(self, conditions: Tensor, target: Tensor, seen: Tensor) -> dict[str, float]:
        if self.discriminator is None or not self._judges:
            return {}
        self.discriminator.requires_grad_(True)
        verdicts = [self.discriminator(conditions, image) for image in (target, seen)]
        self.descend(self.optimisers[1], loss := losses.discriminator_loss(verdicts[0], verdicts[1], self._miss))
        self.discriminator.requires_grad_(False)  # the generator's step learns from it, and teaches it nothing
        return {"discriminator": float(loss.detach())}

    def _step_generator(self, conditions: Tensor, target: Tensor, seen: Tensor, clean: Tensor) -> dict[str, float]:
        squashed, config = losses.squash(clean), self.config
        terms = {
            **self._by_judge(conditions, target, seen),
            "coarse": (config.coarse_weight, lambda: losses.coarse_loss(squashed, target)),
            "texture": (config.texture_weight, lambda: losses.texture_loss(seen, target)),
            "spectrum": (config.spectrum_weight, lambda: losses.spectrum_loss(seen, target)),
            # Of the image before the camera: its noise, which nobody could foresee, has no place in a difference.
            "l1": (config.l1_weight, lambda: F.l1_loss(squashed, target)),
        }
        weighed = {name: (weight, loss()) for name, (weight, loss) in terms.items() if weight}
        self.descend(self.optimisers[0], torch.stack([weight * loss for weight, loss in weighed.values()]).sum())
        return {name: float(loss.detach()) for name, (_, loss) in weighed.items()}

    def _by_judge(self, conditions: Tensor, target: Tensor, seen: Tensor) -> Terms:
        if (judge := self.discriminator) is None or not self._judges:
            return {}
        generated = judge(conditions, seen)

        def matching() -> Tensor:
            with torch.no_grad():
                real = judge(conditions, target)
            return losses.matching_loss(real, generated)

        return {
            "adversarial": (self.config.adversarial_weight, lambda: losses.adversarial_loss(generated, self._miss)),
            "matching": (self.config.matching_weight, matching),
        }

    @property
    def _judges(self) -> bool:
        """Whether the discriminator has begun."""
        return self.step >= self.config.judged_from * self.config.steps

    @property
    def _miss(self) -> Callable[[Tensor, float], Tensor]:
        return losses.cross_entropy if self.config.cross_entropy else losses.least_squares

    def _set_rates(self) -> None:
        """Constant for the first half of the steps, then linearly towards 0."""
        factor = min(1.0, 2.0 * (1.0 - self.step / self.config.steps))
        for optimiser, rate in zip(self.optimisers, self.rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * max(factor, 0.01)


def tensors_of(batch: Batch, part: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Planes, target and scale of a part of a batch."""
    planes, target, scale = (torch.from_numpy(array[part]) for array in (batch.planes, batch.target, batch.scale))
    return planes.contiguous(memory_format=torch.channels_last), target, scale
