"""The utility experiment: equal segmenters trained on each arm, tested on the same real fields, several seeds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.common.engines.cores import usable_cores
from services.evaluation.average_precision import average_precision
from services.segmentation.learned.segment import find_objects
from services.training.engine import NetworkEngine
from services.training.loop import resume_if_begun, train
from services.training.segmenter.engine import undescribed
from services.training.segmenter.network import NetworkConfig
from services.training.segmenter.trainer import TrainConfig, Trainer
from services.training.stopping import Stop
from services.training.utility.arms import Arm, HeldOutField

# Small and quick: what counts is the difference between arms, not how good a segmenter gets.
CONFIG = TrainConfig(steps=1200, batch=8, crop_px=128, network=NetworkConfig((8, 16, 32, 48)))


@dataclass(frozen=True)
class Outcome:
    """One trained segmenter: its AP at 0.5 and mean AP, each the mean over the held-out fields."""

    arm: str
    seed: int
    ap50: float
    mean_ap: float


class Experiment:
    """Trains and tests one segmenter for every arm and seed; what is done already is read from `work`.

    config: of every training; its seed is replaced. dataset: fingerprint of all that is trained on.
    """

    def __init__(
        self,
        arms: Sequence[Arm],
        fields: Sequence[HeldOutField],
        config: TrainConfig,
        seeds: Sequence[int],
        part: str,
        dataset: str,
        work: Path,
    ) -> None:
        self._arms, self._fields, self.config, self._part = arms, fields, config, part
        self._dataset, self._work, self.seeds = dataset, work, seeds

    @property
    def steps(self) -> int:
        """Training steps of all segmenters together."""
        return len(self.seeds) * len(self._arms) * self.config.steps

    @property
    def trained_on(self) -> dict[str, int]:
        """How many fields each arm has."""
        return {arm.name: sum(len(source) for source in arm.sources) for arm in self._arms}

    @property
    def tested_on(self) -> int:
        """How many real fields there are to test on."""
        return len(self._fields)

    def run(self, tell: Callable[[str, int], None]) -> Iterator[Outcome]:
        """Yield outcomes, seed by seed, so that arms can be compared early.

        tell: told of the segmenter at work, and how many steps were done since it was last told.
        """
        torch.set_num_threads(usable_cores())
        for seed in self.seeds:
            for arm in self._arms:
                yield self._outcome(arm, seed, partial(tell, f"{arm.name}, seed {seed}"))

    def _outcome(self, arm: Arm, seed: int, tell: Callable[[int], None]) -> Outcome:
        config = replace(self.config, seed=seed)
        folder = self._work / f"{arm.name}-{seed}-{self._digest(config)}"
        done = folder / "outcome.json"
        if done.is_file():
            tell(config.steps)
            return Outcome(**json.loads(done.read_text(encoding="utf-8")))
        trainer = Trainer(config, arm.sources, self._dataset)
        with Stop() as stop:
            if resume_if_begun(trainer, folder):
                tell(trainer.step)
            train(trainer, folder, stop, lambda _step, _losses: tell(1))
        outcome = self._tested(arm.name, seed, trainer)
        unfinished = done.with_suffix(".partial")
        unfinished.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
        unfinished.replace(done)
        return outcome

    def _tested(self, arm: str, seed: int, trainer: Trainer) -> Outcome:
        model = undescribed(trainer.config.network, self._part)
        engine = NetworkEngine(trainer.average)
        scores = [
            average_precision(field.labels, find_objects(field.image, model, engine).labels) for field in self._fields
        ]
        values = np.array(scores)
        return Outcome(arm, seed, float(values[:, 0].mean()), float(values.mean()))

    def _digest(self, config: TrainConfig) -> str:
        """Of all that an outcome depends on: another setting trains anew, beside the former."""
        named: dict[str, Any] = {
            "config": asdict(config),
            "dataset": self._dataset,
            "part": self._part,
            "tested_on": [field.name for field in self._fields],
        }
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:12]
