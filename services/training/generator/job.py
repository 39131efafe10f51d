"""From a dataset to a model folder with its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.common.engines.cores import usable_cores
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.generation.conditions import plane_count
from services.generation.model import DESCRIPTION, WEIGHTS
from services.reference.schemas import named
from services.training.card import training_record
from services.training.datasets.dataset import fingerprint, read_manifest
from services.training.datasets.roles import check_schema
from services.training.generator.crops import Crops, load_fields
from services.training.generator.examination import Examination
from services.training.generator.fidelity import measure_fidelity
from services.training.generator.picture import scratched_kinds, write_picture
from services.training.generator.publish import Naming, describe, publish
from services.training.generator.trainer import TrainConfig, Trainer
from services.training.loop import run
from services.training.ranks import Ranks
from services.training.replacing import replaced
from services.training.telling import Reporter


@dataclass(frozen=True)
class Job:
    """What to train on, how, where checkpoints (`work`) and the model (`out`) go, and what the card says of it.

    keeps_best: publish the averaged weights that showed labels most truly on a few held-out fields; else the last.
    """

    dataset: Path
    config: TrainConfig
    work: Path
    out: Path
    naming: Naming
    remarks: str
    keeps_best: bool = True


def train_generator(job: Job, reporter: Reporter, ranks: Ranks) -> dict[str, Any]:
    """Train, publish, measure and write the card; returns what was done, as JSON has it, where this process writes."""
    torch.set_num_threads(max(1, usable_cores() // ranks.count))
    manifest = read_manifest(job.dataset)
    check_schema(manifest)
    examination = Examination(job.dataset, manifest, job.work, job.keeps_best)
    fields = load_fields(job.dataset, manifest.needed("train"), manifest.roles)
    random, config = np.random.default_rng(job.config.seed), job.config
    crops = Crops(fields, manifest.roles.count, config.crop_px, random, config.jitter_px)
    trainer = Trainer(job.config, plane_count(manifest.roles.count), crops, fingerprint(job.dataset), ranks)
    run(trainer, job.work, reporter, lambda: examination(trainer))
    if not ranks.writes:
        return {}
    counts = {split: len(manifest.chosen(split)) for split in ("train", "val")}
    best = trainer.notes.get("best") if examination.judges else None
    record = training_record(manifest.name, counts, trainer.seconds, job.config) | {
        "weights": _told(best, trainer.steps)
    }
    with replaced(job.out, DESCRIPTION) as made:
        description = publish(trainer.best if best else trainer.average, job.naming, manifest, fields, record, made)
        engine = OnnxCpuEngine(made / WEIGHTS)
        metrics = measure_fidelity(job.dataset, manifest, description, engine)
        write_picture(made, description, engine, scratched_kinds(named(manifest.schema_name), fields))
        describe(made, description, manifest.provenance, metrics, job.remarks)
    reporter.say(f"wrote {job.out}: {description.parameters:,} parameters, {record['minutes']} minutes of training")
    return {"model": job.naming.name, "folder": str(job.out), "training": record, "metrics": dict(metrics)}


def _told(best: Mapping[str, Any] | None, steps: int) -> str:
    """Which averaged weights are published, for the card."""
    if best is None:
        return f"those of the last step, {steps}"
    return (
        f"those of step {best['step']} of {steps}, best on a few held-out fields: mean AP of a segmenter "
        f"{best['generated']:.3f} in generated images, {best['real']:.3f} in real ones"
    )
