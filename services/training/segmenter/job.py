"""From a dataset to a segmenter's folder with its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from services.common.engines.cores import usable_cores
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.imaging.labels import Labels
from services.segmentation.learned.model import (
    CARD,
    DESCRIPTION,
    OUTPUTS,
    WEIGHTS,
    SegmenterDescription,
    write_segmenter,
)
from services.segmentation.learned.segment import find_objects
from services.training.card import licence_fact, training_record, write_card
from services.training.datasets.dataset import (
    DatasetManifest,
    fingerprint,
    read_manifest,
)
from services.training.loop import run
from services.training.onnx_export import export_onnx
from services.training.ranks import Ranks
from services.training.replacing import replaced
from services.training.segmenter.examination import Examination
from services.training.segmenter.fields import choose_part, entries_by_source, read_eight_bit, read_field
from services.training.segmenter.scores import Score, in_words, score
from services.training.segmenter.sizes import typical_sizes
from services.training.segmenter.trainer import TrainConfig, Trainer
from services.training.telling import Reporter


@dataclass(frozen=True)
class Job:
    """What to learn and how, where checkpoints (`work`) and the model (`out`) go, and what the card says of it.

    part: `cells` or `nuclei`; empty: what the dataset has labels of. licence: of the weights, as `licence_fact`.
    """

    dataset: Path
    config: TrainConfig
    work: Path
    out: Path
    name: str
    version: int
    description: str
    remarks: str
    part: str = ""
    licence: str = ""


def train_segmenter(job: Job, reporter: Reporter, ranks: Ranks) -> dict[str, Any]:
    """Train, publish, measure and write the card; returns what was done, as JSON has it, where this process writes."""
    torch.set_num_threads(max(1, usable_cores() // ranks.count))
    manifest = read_manifest(job.dataset)
    part = choose_part(manifest, job.part)
    chosen, held_out = (entries_by_source(manifest, split) for split in ("train", "val"))
    fields = [[read_field(job.dataset, entry, part) for entry in entries] for entries in chosen.values()]
    # Read now, so that a wrong file shows before the long training.
    tests = {source: [read_eight_bit(job.dataset, entry, part) for entry in some] for source, some in held_out.items()}
    trainer = Trainer(job.config, fields, fingerprint(job.dataset), ranks)
    examination = Examination(tests, part, job.work)
    run(trainer, job.work, reporter, lambda: examination(trainer))
    if not ranks.writes:
        return {}
    counts = {source: len(entries) for source, entries in chosen.items()}
    record = training_record(manifest.name, counts, trainer.seconds, job.config)
    with replaced(job.out, DESCRIPTION) as made:
        model = _publish(job, part, trainer, record, typical_sizes(fields), made)
        engine = OnnxCpuEngine(made / WEIGHTS)

        def find(image: NDArray[np.uint8]) -> Labels:
            return find_objects(image, model, engine).labels

        scores = {source: score(some, find) for source, some in tests.items()}
        _write_card(job, model, manifest, scores, made)
    reporter.say(f"wrote {job.out}: {model.parameters:,} parameters, {record['minutes']} minutes of training")
    return {
        "segmenter": job.name,
        "folder": str(job.out),
        "training": record,
        "scores": {source: asdict(found) for source, found in scores.items()},
    }


def _publish(
    job: Job, part: str, trainer: Trainer, record: Mapping[str, Any], sizes: tuple[float, float], folder: Path
) -> SegmenterDescription:
    network = trainer.average
    sha256 = export_onnx(network, 1, network.config.stride_px, OUTPUTS, folder / WEIGHTS)
    model = SegmenterDescription(
        name=job.name,
        version=job.version,
        description=job.description or f"Finds {part}; trained on {record['dataset']}.",
        part=part,
        halo_px=network.config.halo_px,
        stride_px=network.config.stride_px,
        features=network.config.widths[-1],
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        sha256=sha256,
        diameter_px=sizes[0],
        diameter_per_offset=sizes[1],
        training=record,
    )
    write_segmenter(folder, model)
    return model


def _write_card(
    job: Job, model: SegmenterDescription, manifest: DatasetManifest, scores: Mapping[str, Score], folder: Path
) -> None:
    rows = [
        f"| {source} | {found.fields} | " + " | ".join(map(in_words, (found.ap50, found.ap75, found.mean_ap))) + " |"
        for source, found in scores.items()
    ]
    facts = (
        f"Finds {model.part} in images of one channel, 8 or 16 bit, of any size.",
        f"Objects of other sizes than about {model.diameter_px:.0f} px are magnified to that; the size is estimated.",
        f"Network: U-Net, {model.parameters:,} parameters, halo {model.halo_px} px.",
        f"Weights: `{WEIGHTS}`, sha256 `{model.sha256}`. {licence_fact(job.licence)}",
    )
    head = (
        "95 % intervals over fields.",
        "",
        "| source | fields | AP50 | AP75 | mean AP 0.50 to 0.95 |",
        "|---|---|---|---|---|",
    )
    title, last = f"{model.name} {model.version}", ("Remarks", job.remarks)
    write_card(
        folder / CARD,
        title,
        model.description,
        facts,
        model.training,
        manifest.provenance,
        (*head, *rows),
        last,
    )
