"""What a training is: all that a step changes, saved and resumed bit for bit on a CPU, whatever is trained."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from services.common.errors import ConfigError, InvalidArgument
from services.training.checkpoint import FILE, load_checkpoint, read_state, save_checkpoint
from services.training.ranks import ALONE, Ranks


class Training(ABC):
    """Holds, saves and resumes all that a step changes; subclasses define the step.

    config: hyper-parameters, a dataclass with `steps` among them. modules: networks and averages by name. random: the
    generator that batches are drawn with. dataset: its fingerprint. `notes` are JSON, and part of checkpoints.
    """

    def __init__(
        self,
        config: Any,
        modules: Mapping[str, nn.Module],
        optimisers: Sequence[torch.optim.Optimizer],
        random: np.random.Generator,
        dataset: str,
        ranks: Ranks = ALONE,
    ) -> None:
        # As a checkpoint gives them back, with lists for tuples.
        self._hyper_parameters: dict[str, Any] = json.loads(json.dumps(asdict(config)))
        self.steps: int = config.steps
        self._modules, self._optimisers, self._random, self._dataset = modules, optimisers, random, dataset
        self.ranks = ranks
        self.step, self.seconds = 0, 0.0
        self.notes: dict[str, Any] = {}

    @abstractmethod
    def train_step(self) -> dict[str, float]:
        """Do one step, count it in `self.step`, and return the losses by name."""

    def descend(self, optimiser: torch.optim.Optimizer, loss: torch.Tensor, largest_gradient: float = 0.0) -> None:
        """Move an optimiser's parameters against the loss's gradient, the mean over processes.

        largest_gradient: norm that it is cut to; 0: it is not.
        """
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.ranks.average_gradients(parameters)
        if largest_gradient:
            nn.utils.clip_grad_norm_(parameters, largest_gradient)
        optimiser.step()

    def save(self, folder: Path) -> None:
        """Write a checkpoint: networks, averages, optimisers and the state of every random generator.

        Raises ConfigError where weights are no numbers any more; the former checkpoint stays.
        """
        if not self.ranks.writes:
            return
        self._check_weights(folder)
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "dataset": self._dataset,
            "config": self._hyper_parameters,
            "random": self._random.bit_generator.state,
            "notes": self.notes,
        }
        save_checkpoint(folder, self._modules, self._optimisers, state)

    def resume(self, folder: Path) -> None:
        """Continue from a checkpoint. Raises InvalidArgument for one of other hyper-parameters, data or networks."""
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
        self.step, self.seconds, self.notes = int(state["step"]), float(state["seconds"]), dict(state.get("notes", {}))

    def check_losses(self, step: int, losses: Mapping[str, float], folder: Path) -> None:
        """Raise ConfigError where a loss of any process is no number."""
        wrong = {name: value for name, value in losses.items() if not np.isfinite(value)}
        if self.ranks.largest(len(wrong)):
            told = ", ".join(f"{name} is {value}" for name, value in wrong.items()) or "another process's are not"
            raise ConfigError(f"expected losses that are numbers; at step {step} {told}; {_way_out(folder)}")

    def _check_weights(self, folder: Path) -> None:
        for name, module in self._modules.items():
            if not all(bool(value.isfinite().all()) for value in module.state_dict().values()):
                raise ConfigError(
                    f"expected weights that are numbers; after step {self.step} those of the {name} are not; "
                    + _way_out(folder)
                )


def _way_out(folder: Path) -> str:
    kept = "no checkpoint was written yet"
    if (folder / FILE).is_file():
        kept = f"the checkpoint of step {read_state(folder)['step']} in {folder} is kept"
    return (
        f"{kept}; the same command would fail alike: lower `learning_rate`, or set `bfloat16: false`, by --hyper with "
        "another --work"
    )


def _differences(former: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What differs between two sets of hyper-parameters, in words.

    >>> _differences({"steps": 100, "seed": 0}, {"steps": 200, "seed": 0})
    'steps is 100 there and 200 here'
    """
    names = [name for name in {**former, **asked} if former.get(name) != asked.get(name)]
    return ", ".join(f"{name} is {former.get(name)} there and {asked.get(name)} here" for name in names)
