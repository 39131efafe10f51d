"""How well generated images show their labels: a fixed segmenter, the judge, on generated and on real fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.common.imaging.labels import Labels
from services.evaluation.average_precision import average_precision
from services.evaluation.sets.bootstrap import bootstrap_interval
from services.evaluation.spectrum import spectrum_distance
from services.generation.appearance import measure
from services.generation.generate import generate_as
from services.generation.model import ModelDescription
from services.generation.roles import find_objects
from services.generation.tilings import usual_tiling
from services.segmentation.builtin import builtin_segmenters
from services.training.datasets.dataset import DatasetManifest, Entry, read_pair

# Which segmenter judges a schema, and by which part.
JUDGES = {"nuclei3": ("nuclei", "nuclei"), "cells4": ("cells", "cells")}


@dataclass(frozen=True)
class Fidelity:
    """Of one field: (AP at 0.5, mean AP) of the judge on the real and the generated image; their spectra's distance."""

    real: tuple[float, float]
    generated: tuple[float, float]
    spectrum: float


def measure_fidelity(
    folder: Path, manifest: DatasetManifest, model: ModelDescription, engine: Engine
) -> list[tuple[str, str]]:
    """Measure the held-out fields of a dataset, each generated with the look of its own real image.

    Returns rows (name, value) for the model card, source by source; the true labels are the references' objects. AP is
    told only where people made the labels: against its own labels the judge would judge itself. The closer the AP of
    generated images is to that of real ones, the better; a higher one means that they are too easy.
    """
    if manifest.schema_name not in JUDGES:
        return [("held-out fields", f"not judged: no segmenter is set for {manifest.schema_name}")]
    segmenter, part = JUDGES[manifest.schema_name]
    rows = []
    for source in sorted({entry.source for entry in manifest.chosen("val")}):
        entries = [entry for entry in manifest.chosen("val") if entry.source == source]
        found = [_of_field(folder, entry, model, engine, segmenter, part) for entry in entries]
        rows += _rows(f"{source}, n = {len(entries)}", found, segmenter, entries[0].labelled_by)
    return rows or [("held-out fields", "none")]


def _of_field(
    folder: Path, entry: Entry, model: ModelDescription, engine: Engine, segmenter: str, part: str
) -> Fidelity:
    image, reference = read_pair(folder, entry)
    objects = find_objects(reference, model.roles)
    look = measure(image, reference, objects, model.roles)
    # The field's name as seed: the same field gives the same image in any dataset.
    generator = np.random.default_rng(list(entry.id.encode()))
    made = generate_as(reference, objects, look, model, engine, generator, usual_tiling(model))
    return _compare(image, made, objects, segmenter, part)


def _rows(title: str, found: Sequence[Fidelity], segmenter: str, labelled_by: str) -> list[tuple[str, str]]:
    rows = [(f"{title}: spectrum distance real to generated, decades", _mean([field.spectrum for field in found]))]
    if labelled_by:
        return [*rows, (f"{title}: label fidelity", f"not judged, its labels are those of segmenter `{labelled_by}`")]
    name = f"{title}: AP50 / mean AP of segmenter `{segmenter}` against the true labels"
    return [
        (f"{name}, real images (the ceiling)", _both([field.real for field in found])),
        (f"{name}, generated images", _both([field.generated for field in found])),
        *rows,
    ]


def _both(pairs: Sequence[tuple[float, float]]) -> str:
    return " / ".join(_mean(values) for values in zip(*pairs, strict=True))


def _mean(values: Sequence[float]) -> str:
    """The mean over fields with its interval, which a single field has not.

    >>> _mean([0.5]), _mean([0.5, 0.5])
    ('0.500', '0.500 (0.500 to 0.500)')
    """
    fields, known = [str(number) for number in range(len(values))], np.array(values)
    interval = bootstrap_interval(lambda chosen, _: float(known[chosen].mean()), fields, fields)
    mean = f"{known.mean():.3f}"
    return f"{mean} ({interval[0]:.3f} to {interval[1]:.3f})" if interval else mean


def judged(image: NDArray[np.uint8], labels: Labels, segmenter: str, part: str) -> tuple[float, float]:
    """AP at 0.5 and mean AP of a segmenter in an image, against its labels; both (H, W)."""
    found: Labels = getattr(builtin_segmenters()[segmenter].segment(image), part)
    score = average_precision(labels, found)
    return float(score[0]), float(score.mean())


def _compare(
    image: NDArray[np.float32], made: NDArray[np.uint8], labels: Labels, segmenter: str, part: str
) -> Fidelity:
    real = np.rint(image * 255.0).astype(np.uint8)
    pairs = [judged(field, labels, segmenter, part) for field in (real, made)]
    return Fidelity(pairs[0], pairs[1], spectrum_distance(image, made.astype(np.float32) / 255.0))
