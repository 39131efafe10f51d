"""A generator's training that has done no step."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from services.generation.conditions import plane_count
from services.training.datasets.dataset import read_manifest
from services.training.generator.crops import Crops, load_fields
from services.training.generator.trainer import TrainConfig, Trainer
from services.training.ranks import ALONE, Ranks


def untrained(dataset: Path, config: TrainConfig, ranks: Ranks = ALONE) -> Trainer:
    """As `biosynth train generator` would begin it on a dataset."""
    manifest = read_manifest(dataset)
    fields = load_fields(dataset, manifest.chosen("train"), manifest.roles)
    draw = np.random.default_rng(config.seed)
    crops = Crops(fields, manifest.roles.count, config.crop_px, draw, config.jitter_px)
    return Trainer(config, plane_count(manifest.roles.count), crops, "disks", ranks)
