"""The training loop: one process, resumable bit for bit on a CPU."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from services.common.errors import InvalidArgument
from services.generation.conditions import TEXTURE_SCALES_PX
from services.generation.network import Generator, NetworkConfig
from services.generation.training import losses
from services.generation.training.crops import Batch, Crops
from services.generation.training.discriminator import Discriminator


@dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of one training, saved beside the weights."""

    steps: int = 5000
    batch: int = 8
    crop_px: int = 128
    learning_rate: float = 4e-4
    discriminator_rate: float = 4e-4
    discriminator_width: int = 40
    coarse_weight: float = 4.0
    matching_weight: float = 2.0
    texture_weight: float = 8.0
    ema_decay: float = 0.999
    width: int = 80
    blocks: int = 4
    bfloat16: bool = True
    seed: int = 0


class Trainer:
    """Holds all that a step changes; `save` and `resume` carry it over. dataset: its fingerprint."""

    def __init__(self, config: TrainConfig, planes: int, crops: Crops, dataset: str = "") -> None:
        torch.manual_seed(config.seed)
        self.config, self.crops, self.step, self.seconds = config, crops, 0, 0.0
        self.dataset = dataset
        self.generator = Generator(NetworkConfig(planes, config.width, config.blocks))
        # It judges under all that the generator is told, but the texture noise, the last planes.
        self.judged = planes - len(TEXTURE_SCALES_PX)
        self.discriminator = Discriminator(self.judged, config.discriminator_width)
        for network in (self.generator, self.discriminator):
            network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        rates = (config.learning_rate, config.discriminator_rate)
        networks: tuple[nn.Module, nn.Module] = (self.generator, self.discriminator)
        self.optimisers = [
            torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.99))
            for network, rate in zip(networks, rates, strict=True)
        ]

    def train_step(self) -> dict[str, float]:
        """One step of each network; returns the losses."""
        self._set_rates()
        planes, target, scale = _tensors(self.crops.batch(self.config.batch))
        conditions, target = planes[:, : self.judged], losses.squash(target)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            clean = self.generator(planes).float()
            seen = losses.squash(losses.camera(clean, scale, torch.randn_like(clean)))
            values = {"discriminator": self._step_discriminator(conditions, target, seen.detach())}
            values |= self._step_generator(conditions, target, seen, clean)
        self._update_average()
        self.step += 1
        return values

    def _step_discriminator(self, conditions: Tensor, target: Tensor, seen: Tensor) -> float:
        loss = losses.discriminator_loss(self.discriminator(conditions, target), self.discriminator(conditions, seen))
        _descend(self.optimisers[1], loss)
        return float(loss.detach())

    def _step_generator(self, conditions: Tensor, target: Tensor, seen: Tensor, clean: Tensor) -> dict[str, float]:
        self.discriminator.requires_grad_(False)
        with torch.no_grad():
            real = self.discriminator(conditions, target)
        generated = self.discriminator(conditions, seen)
        weights = {
            "adversarial": (1.0, losses.adversarial_loss(generated)),
            "matching": (self.config.matching_weight, losses.matching_loss(real, generated)),
            "coarse": (self.config.coarse_weight, losses.coarse_loss(losses.squash(clean), target)),
            "texture": (self.config.texture_weight, losses.texture_loss(seen, target)),
        }
        _descend(self.optimisers[0], torch.stack([weight * loss for weight, loss in weights.values()]).sum())
        self.discriminator.requires_grad_(True)
        return {name: float(loss.detach()) for name, (_, loss) in weights.items()}

    def _set_rates(self) -> None:
        """Constant for the first half of the steps, then linearly towards 0."""
        factor = min(1.0, 2.0 * (1.0 - self.step / self.config.steps))
        rates = (self.config.learning_rate, self.config.discriminator_rate)
        for optimiser, rate in zip(self.optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * max(factor, 0.01)

    def _update_average(self) -> None:
        # A short memory at first, so that the average does not drag the initial weights along.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(value, 1.0 - decay)

    def save(self, folder: Path) -> None:
        """Write a checkpoint: networks, averages, optimisers and the state of every random generator."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            f"{name}.{key}": value
            for name, module in self._modules().items()
            for key, value in module.state_dict().items()
        }
        for index, optimiser in enumerate(self.optimisers):
            for parameter, state in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser{index}.{parameter}.{key}": value for key, value in state.items()}
        tensors["torch_random"] = torch.get_rng_state()
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "dataset": self.dataset,
            "config": asdict(self.config),
            "random": self.crops.generator.bit_generator.state,
        }
        partial = folder / "checkpoint.partial"
        save_file(
            {key: value.contiguous().clone() for key, value in tensors.items()},
            partial,
            metadata={"state": json.dumps(state)},
        )
        partial.replace(folder / "checkpoint.safetensors")

    def resume(self, folder: Path) -> None:
        """Continue from a checkpoint. Raises InvalidArgument for other hyper-parameters, or another dataset."""
        path = folder / "checkpoint.safetensors"
        tensors, state = load_file(path), _read_state(path)
        if state["config"] != asdict(self.config):
            raise InvalidArgument(
                f"expected the hyper-parameters of {path}: {state['config']}; got {asdict(self.config)}"
            )
        if state["dataset"] != self.dataset:
            raise InvalidArgument(
                f"expected the dataset that {path} was trained on; this differs; choose another --work"
            )
        for name, module in self._modules().items():
            module.load_state_dict(_under(tensors, name))
        for index, optimiser in enumerate(self.optimisers):
            body = optimiser.state_dict()
            body["state"] = {}
            for key, value in _under(tensors, f"optimiser{index}").items():
                parameter, _, field = key.partition(".")
                body["state"].setdefault(int(parameter), {})[field] = value
            optimiser.load_state_dict(body)
        torch.set_rng_state(tensors["torch_random"])
        self.crops.generator.bit_generator.state = state["random"]
        self.step, self.seconds = int(state["step"]), float(state["seconds"])

    def _modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "average": self.average, "discriminator": self.discriminator}


def train(
    trainer: Trainer,
    folder: Path,
    log: Callable[[int, Mapping[str, float]], None],
    checkpoint_every: int = 250,
) -> None:
    """Run to the last step; checkpoints on the way and at the end."""
    while trainer.step < trainer.config.steps:
        start, step = time.monotonic(), trainer.step
        values = trainer.train_step()
        trainer.seconds += time.monotonic() - start
        log(step, values)
        if trainer.step % checkpoint_every == 0:
            trainer.save(folder)
    trainer.save(folder)


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    planes, target, scale = (torch.from_numpy(array) for array in (batch.planes, batch.target, batch.scale))
    return planes.contiguous(memory_format=torch.channels_last), target, scale


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


def _read_state(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        state: dict[str, Any] = json.loads(file.metadata()["state"])
    return state
