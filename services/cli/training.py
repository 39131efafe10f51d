"""Training from the command line: dataset in, model folder with its card out."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from services.cli.console import Console
from services.cli.session import check_folder
from services.common.engines.cores import usable_cores
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.errors import ConfigError
from services.evaluation.fidelity import measure_fidelity
from services.generation.conditions import plane_count
from services.generation.training.crops import Crops, load_fields
from services.generation.training.dataset import DatasetManifest, fingerprint, read_manifest
from services.generation.training.publish import Naming, publish, write_card
from services.generation.training.trainer import TrainConfig, Trainer, train


def train_model(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Train, publish, measure and write the card; returns the description as JSON."""
    torch.set_num_threads(usable_cores())
    remarks = _remarks(arguments.remarks)  # first: training takes long, and a wrong path must not waste it
    manifest = read_manifest(arguments.dataset)
    fields = load_fields(arguments.dataset, manifest.chosen("train"), manifest.roles)
    config = TrainConfig(steps=arguments.steps, seed=arguments.seed)
    generator = np.random.default_rng(config.seed)
    crops = Crops(fields, manifest.roles.count, config.crop_px, generator)
    trainer = Trainer(config, plane_count(manifest.roles.count), crops, fingerprint(arguments.dataset))
    work = arguments.work or arguments.out.with_name(arguments.out.name + ".training")
    _train(trainer, check_folder(work), console)
    name = arguments.name or arguments.out.name
    naming = Naming(name, arguments.version, arguments.description or f"Generator trained on {manifest.name}.")
    record = _record(manifest, trainer)
    description = publish(trainer.average, naming, manifest, fields, record, check_folder(arguments.out))
    engine = OnnxCpuEngine(arguments.out / "model.onnx")
    metrics = measure_fidelity(arguments.dataset, manifest, description, engine)
    write_card(arguments.out, description, manifest.provenance, metrics, remarks)
    console.say(
        f"wrote {arguments.out}: {description.parameters:,} parameters, {record['minutes']} minutes of training"
    )
    return {"model": name, "folder": str(arguments.out), "training": record, "metrics": dict(metrics)}


def _train(trainer: Trainer, work: Path, console: Console) -> None:
    if (work / "checkpoint.safetensors").is_file():
        trainer.resume(work)
        console.say(f"going on from step {trainer.step} of {work}")
    with SummaryWriter(str(work)) as writer, console.progress(trainer.config.steps, "step") as bar:
        bar.update(trainer.step)
        train(trainer, work, _logger(writer, bar))


def _logger(writer: Any, bar: Any) -> Callable[[int, Mapping[str, float]], None]:
    def log(step: int, values: Mapping[str, float]) -> None:
        bar.update(1)
        if step % 50 == 0:
            bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()})
            for name, value in values.items():
                writer.add_scalar(name, value, step)

    return log


def _remarks(path: Path | None) -> str:
    if path is None:
        return "Not described."
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected a text file for --remarks at {path}; {error}") from error


def _record(manifest: DatasetManifest, trainer: Trainer) -> dict[str, Any]:
    return {
        "dataset": manifest.name,
        "fields": {split: len(manifest.chosen(split)) for split in ("train", "val")},
        "minutes": round(trainer.seconds / 60.0, 1),
        "machine": f"{usable_cores()} CPU cores, {platform.machine()}",
        "torch": torch.__version__.partition("+")[0],
        "hyper-parameters": asdict(trainer.config),
    }
