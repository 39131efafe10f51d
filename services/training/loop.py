"""The training loop: one process, resumable bit for bit on a CPU, whatever is trained."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from services.common.errors import InvalidArgument
from services.training.checkpoint import FILE, load_checkpoint, read_state, save_checkpoint

_LOG_EVERY = 50


class Reporter(Protocol):
    """Tells people how the training goes, as the command line's console does."""

    def say(self, text: str) -> None:
        """Tell something in words."""

    def progress(self, total: int | None, unit: str) -> Any:
        """Open a progress bar, a context manager with `update` and `set_postfix`."""


class Training(ABC):
    """Holds, saves and resumes all that a step changes; subclasses define the step.

    config: hyper-parameters, a dataclass with `steps` among them. modules: networks and averages by name. random: the
    generator that batches are drawn with. dataset: its fingerprint.
    """

    def __init__(
        self,
        config: Any,
        modules: Mapping[str, nn.Module],
        optimisers: Sequence[torch.optim.Optimizer],
        random: np.random.Generator,
        dataset: str,
    ) -> None:
        # As a checkpoint gives them back, with lists for tuples.
        self._hyper_parameters: dict[str, Any] = json.loads(json.dumps(asdict(config)))
        self.steps: int = config.steps
        self._modules, self._optimisers, self._random, self._dataset = modules, optimisers, random, dataset
        self.step, self.seconds = 0, 0.0

    @abstractmethod
    def train_step(self) -> dict[str, float]:
        """Do one step, count it in `self.step`, and return the losses by name."""

    def save(self, folder: Path) -> None:
        """Write a checkpoint: networks, averages, optimisers and the state of every random generator."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "dataset": self._dataset,
            "config": self._hyper_parameters,
            "random": self._random.bit_generator.state,
        }
        save_checkpoint(folder, self._modules, self._optimisers, state)

    def resume(self, folder: Path) -> None:
        """Continue from a checkpoint. Raises InvalidArgument for other hyper-parameters, or another dataset."""
        state, path = read_state(folder), folder / FILE
        if state["config"] != self._hyper_parameters:
            raise InvalidArgument(
                f"expected the hyper-parameters of {path}; {_differences(state['config'], self._hyper_parameters)}; "
                "ask for those, or choose another --work"
            )
        if state["dataset"] != self._dataset:
            raise InvalidArgument(
                f"expected the dataset that {path} was trained on; this differs; choose another --work"
            )
        load_checkpoint(folder, self._modules, self._optimisers)
        self._random.bit_generator.state = state["random"]
        self.step, self.seconds = int(state["step"]), float(state["seconds"])


def run(training: Training, folder: Path, reporter: Reporter) -> None:
    """Train to the last step, from the checkpoint in `folder` where there is one; logs for TensorBoard go there too."""
    if resume_if_begun(training, folder):
        reporter.say(f"going on from step {training.step} of {folder}")
    with SummaryWriter(str(folder)) as writer, reporter.progress(training.steps, "step") as bar:
        bar.update(training.step)
        train(training, folder, _logger(writer, bar))


def resume_if_begun(training: Training, folder: Path) -> bool:
    """Continue from the checkpoint in `folder`, which is made where there is none; returns whether there was one."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / FILE).is_file():
        return False
    training.resume(folder)
    return True


def train(
    training: Training,
    folder: Path,
    log: Callable[[int, Mapping[str, float]], None],
    checkpoint_every: int = 250,
) -> None:
    """Run to the last step; checkpoints on the way and at the end. log: called after each step with its losses."""
    while training.step < training.steps:
        start, step = time.monotonic(), training.step
        values = training.train_step()
        training.seconds += time.monotonic() - start
        log(step, values)
        if training.step % checkpoint_every == 0:
            training.save(folder)
    training.save(folder)


def _differences(former: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What differs between two sets of hyper-parameters, in words.

    >>> _differences({"steps": 100, "seed": 0}, {"steps": 200, "seed": 0})
    'steps is 100 there and 200 here'
    """
    names = [name for name in {**former, **asked} if former.get(name) != asked.get(name)]
    return ", ".join(f"{name} is {former.get(name)} there and {asked.get(name)} here" for name in names)


def _logger(writer: Any, bar: Any) -> Callable[[int, Mapping[str, float]], None]:
    def log(step: int, values: Mapping[str, float]) -> None:
        bar.update(1)
        if step % _LOG_EVERY == 0:
            bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()})
            for name, value in values.items():
                writer.add_scalar(name, value, step)

    return log
