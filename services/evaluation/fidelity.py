"""How well generated images show their labels: a fixed segmenter on generated and on real fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.common.labels import Labels
from services.evaluation.average_precision import average_precision
from services.evaluation.spectrum import spectrum_distance
from services.generation.appearance import measure
from services.generation.generate import generate_as
from services.generation.model import ModelDescription
from services.generation.roles import find_objects
from services.generation.training.dataset import DatasetManifest, read_pair
from services.segmentation.segmenters import builtin_segmenters

# Which segmenter judges a schema, and by which part.
JUDGES = {"nuclei3": ("nuclei", "nuclei"), "cells4": ("cells", "cells")}


@dataclass(frozen=True)
class Fidelity:
    """Of one field: AP at 0.5 and mean AP of the judge on the real and on the generated image, and their spectra."""

    real: tuple[float, float]
    generated: tuple[float, float]
    spectrum: float


def measure_fidelity(
    folder: Path, manifest: DatasetManifest, model: ModelDescription, engine: Engine
) -> list[tuple[str, str]]:
    """Measure the held-out fields of a dataset, each generated with the look of its own real image.

    The true labels are the reference's objects. Returns rows (name, value) for the model card. Read them two-sided:
    the closer to the real images' AP the better; above it means too easy.
    """
    entries = manifest.chosen("val")
    if not entries or manifest.schema_name not in JUDGES:
        return [("held-out fields", "none")]
    segmenter_name, part = JUDGES[manifest.schema_name]
    found = []
    for seed, entry in enumerate(entries):
        image, reference = read_pair(folder, entry)
        objects = find_objects(reference, model.roles)
        look = measure(image, reference, objects, model.roles)
        made = generate_as(reference, objects, look, model, engine, np.random.default_rng(seed))
        found.append(_compare(image, made, objects, segmenter_name, part))
    real, generated = (np.mean([getattr(item, side) for item in found], 0) for side in ("real", "generated"))
    return [
        ("held-out fields", str(len(found))),
        (
            f"judge: segmenter `{segmenter_name}` on real images, AP50 / mean AP (the ceiling)",
            f"{real[0]:.3f} / {real[1]:.3f}",
        ),
        ("the same on generated images", f"{generated[0]:.3f} / {generated[1]:.3f}"),
        ("spectrum distance real to generated, decades", f"{np.mean([item.spectrum for item in found]):.3f}"),
    ]


def _compare(
    image: NDArray[np.float32], made: NDArray[np.uint8], labels: Labels, segmenter: str, part: str
) -> Fidelity:
    real = np.rint(image * 255.0).astype(np.uint8)
    judge = builtin_segmenters()[segmenter]
    scores = [average_precision(labels, getattr(judge(field), part)) for field in (real, made)]
    pairs = [(float(score[0]), float(score.mean())) for score in scores]
    return Fidelity(pairs[0], pairs[1], spectrum_distance(image, made.astype(np.float32) / 255.0))
