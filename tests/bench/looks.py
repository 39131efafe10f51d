"""Generated images beside the images whose look they imitate, and drawn looks beside measured ones, on val fields."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.imaging.images import Image, decode_image
from services.common.imaging.intensity import to_eight_bit
from services.common.imaging.labels import Labels, Segmentation, with_absent
from services.evaluation.spectrum import spectrum_distance
from services.generation.generate import generate
from services.generation.likeness import measure_likeness
from services.generation.model import SHIPPED, ModelShelf, StoredModel
from services.reference.render import render
from services.reference.schemas import named
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.choice import choose
from tests.bench.segmentation_quality import fields

# What a run must keep of its source: the median within so many grey levels of 255, the deviation within this ratio.
MOST_LEVELS, LEAST_RATIO, MOST_RATIO = 6.0, 0.85, 1.2
SEEDS = 3
# Pack, its table of fields, the part that has true labels, the model.
PACKS = (
    ("dsb2018-fluo", "split.csv", "nuclei", "fluo-nuclei"),
    ("usiigaci-phase", "index.csv", "cells", "phase-scratch"),
)
HELD_OUT_FRAMES = "wound/images/cp_*.jpg"  # of an assay that trained no model


def figures(quick: bool = False) -> list[dict[str, Any]]:
    """Rows of name, value, target and whether it is met; none without BIOSYNTH_TEST_DATA."""
    folder = os.environ.get("BIOSYNTH_TEST_DATA")
    if not folder:
        return [{"name": "looks", "value": "skipped: set BIOSYNTH_TEST_DATA", "target": None, "met": None}]
    shelf = ModelShelf(SHIPPED)
    engines = {stored.description.name: OnnxCpuEngine(stored.weights()) for stored in shelf.list()}
    rows = []
    for pack, index, part, name in PACKS:
        model, engine = shelf.get(name), engines[name]
        known = list(fields(Path(folder) / pack, index, "val"))[: 2 if quick else None]
        rows += _of_runs(pack, (image for image, _ in known), shelf, engines)
        rows += _of_looks(pack, [(image, truth_of(part, true)) for image, true in known], model, engine)
    frames = sorted(Path(folder).glob(HELD_OUT_FRAMES))
    return rows + _of_runs("wound", (decode_image(path.read_bytes()) for path in frames), shelf, engines)


def _of_runs(
    pack: str, images: Iterator[Image], shelf: ModelShelf, engines: dict[str, OnnxCpuEngine]
) -> list[dict[str, Any]]:
    """Median and deviation of what a run makes, against its source; labels are those that `auto` finds."""
    pairs = []
    for image in images:
        segmenter = choose(image)
        name = "fluo-nuclei" if segmenter == "nuclei" else "phase-scratch"
        pairs.append((to_eight_bit(image), _imitated(image, _found(image, segmenter), shelf.get(name), engines[name])))
    levels = np.array([abs(float(np.median(made)) - float(np.median(real))) for real, made in pairs])
    ratios = np.array([made.std() / real.std() for real, made in pairs])
    within = (levels <= MOST_LEVELS) & (ratios >= LEAST_RATIO) & (ratios <= MOST_RATIO)
    value = (
        f"{within.sum()} of {len(within)} fields; median off by {np.median(levels):.1f} (worst {levels.max():.1f}) "
        f"levels, deviation x{ratios.min():.2f} to x{ratios.max():.2f}"
    )
    target = f"all: {MOST_LEVELS:g} levels, x{LEAST_RATIO} to x{MOST_RATIO}"
    return [{"name": f"runs, {pack}", "value": value, "target": target, "met": bool(within.all())}]


def _of_looks(
    pack: str, known: list[tuple[Image, Segmentation]], model: StoredModel, engine: OnnxCpuEngine
) -> list[dict[str, Any]]:
    """Spectrum distance, real to generated, of measured and of drawn looks; labels are the true ones."""
    measured, drawn = [], []
    for image, truth in known:
        real = to_eight_bit(image)
        made = _imitated(image, truth, model, engine)
        measured.append(_distance(real, made))
        reference = reference_of(truth, model)
        for seed in range(SEEDS):
            drawn.append(_distance(real, generate(reference, model.description, engine, seed).image))
    value = f"drawn {np.mean(drawn):.3f}, measured {np.mean(measured):.3f} decades"
    return [{"name": f"spectrum distance, {pack}", "value": value, "target": None, "met": None}]


def truth_of(part: str, labels: Labels) -> Segmentation:
    """True labels as a segmentation that has this part alone."""
    return Segmentation(cells=labels) if part == "cells" else Segmentation(nuclei=labels)


def _found(image: Image, segmenter: str) -> Segmentation:
    return builtin_segmenters()[segmenter].segment(image)


def reference_of(segmentation: Segmentation, model: StoredModel) -> NDArray[np.uint8]:
    """Drawn under the model's schema, without the parts that the segmentation lacks."""
    schema = named(model.description.schema_name)
    absent = [part for part in schema.parts if part not in segmentation.parts]
    return render(with_absent(segmentation, absent), schema).reference


def _imitated(image: Image, segmentation: Segmentation, model: StoredModel, engine: OnnxCpuEngine) -> NDArray[np.uint8]:
    reference = reference_of(segmentation, model)
    look = measure_likeness(image, reference, model.description)
    return generate(reference, model.description, engine, like=look).image


def _distance(real: NDArray[np.uint8], made: NDArray[np.uint8]) -> float:
    return spectrum_distance(*(image.astype(np.float32) / np.float32(255) for image in (real, made)))
