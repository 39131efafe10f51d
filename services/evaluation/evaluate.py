"""From sets of images to all figures about them, and the report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import Image, encode_png
from services.common.imaging.intensity import brightness_range, stretch, to_eight_bit
from services.common.imaging.labels import Labels
from services.evaluation.inception import Inception
from services.evaluation.lpips import Lpips
from services.evaluation.paired import Metric, compare_pairs
from services.evaluation.paired_metrics import PAIRED_METRICS
from services.evaluation.pictures import PictureSet, shared_names
from services.evaluation.report.page import Strip, render_report, worst_fields
from services.evaluation.sets.classifier import NOT_ASKED, PixelClassifier
from services.evaluation.sets.compare import RealSet
from services.evaluation.sets.field import Field
from services.evaluation.sets.report import SetReport, SetStatistics
from services.evaluation.sets.segmenter_features import Describe
from services.segmentation.segmenters import Segmenter

FORMAT = "biosynth.evaluation/1"
NOT_JUDGED = "not judged"
Progress = Callable[[str, int, int], None]
_STRIPS, _STRIP_PX, _RESAMPLES = 6, 320, 1000


@dataclass(frozen=True)
class Made:
    """The files of an evaluation, and a verdict for each candidate."""

    json: bytes
    csv: bytes
    html: bytes
    verdicts: tuple[str, ...]


def evaluate(
    real: PictureSet,
    candidates: Sequence[PictureSet],
    *,
    train: PictureSet | None = None,
    judge: Segmenter | None = None,
    seed: int = 0,
    tile_px: int | None = None,
    lpips: Lpips | None = None,
    inception: Inception | None = None,
    pixel_classifier: PixelClassifier | str = NOT_ASKED,
    describe: Describe | None = None,
    versions: Mapping[str, str] | None = None,
    progress: Progress = lambda _stage, _done, _total: None,
) -> Made:
    """Compare every candidate with the real set.

    judge: finds what labels show. pixel_classifier: or the reason why there is none. describe: features of windows.
    Raises InvalidArgument for sets that are paired in part, InvalidImage for pairs of two sizes or depths.
    """
    pairs = [shared_names(real, candidate) for candidate in candidates]  # before any work
    known = RealSet(
        FieldsOf(real), train=FieldsOf(train) if train else (), judge=_labels_by(judge), seed=seed, tile_px=tile_px,
        describe=describe, pixel_classifier=pixel_classifier,
        inception=inception.measure if inception else None, progress=progress,
    )  # fmt: skip
    rows, reports = [], []
    for candidate, names in zip(candidates, pairs, strict=True):
        paired = _paired(real, candidate, names, lpips, seed, progress) if names else None
        report = known.compare(FieldsOf(candidate))
        reports.append(report)
        rows.append(_candidate(candidate, report, paired))
    metrics = {
        "format": FORMAT,
        "versions": dict(versions or {}),
        "seed": seed,
        "real": _described(real, reports[0].statistics["real"]),
        "candidates": rows,
        "spectra": _spectra(candidates, reports),
    }
    html = render_report(metrics, _strips(real, candidates, pairs, _shown(real, rows)))
    text = json.dumps(metrics, indent=1, allow_nan=False) + "\n"
    return Made(text.encode(), _table(rows).encode(), html.encode(), tuple(row["verdict"] for row in rows))


class FieldsOf(Sequence[Field]):
    """The pictures of a set as fields on 0..1, each made when it is asked for."""

    def __init__(self, pictures: PictureSet) -> None:
        self._pictures = pictures.pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        picture = self._pictures[index]
        return Field(picture.name, to_eight_bit(picture.image).astype(np.float32) / np.float32(255), picture.labels)


def _paired(
    real: PictureSet,
    candidate: PictureSet,
    names: Sequence[str],
    lpips: Lpips | None,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    at = [{name: number for number, name in enumerate(side.names)} for side in (real, candidate)]
    pairs = (_of_one_depth(real.pictures[at[0][name]].image, candidate.pictures[at[1][name]].image) for name in names)
    found: list[tuple[Metric, ...]] = []
    for done, metrics in enumerate(compare_pairs(pairs, lpips=lpips), start=1):
        found.append(metrics)
        progress(f"pairs of {candidate.name}", done, len(names))
    rows = []
    for number, metric in enumerate(PAIRED_METRICS):
        values = [row[number].value for row in found]
        reasons = [row[number].unavailable for row in found if row[number].unavailable]
        described = {"name": metric.name, "what": metric.what, "unit": metric.unit, "direction": metric.direction}
        rows.append(
            {**described, "values": values, **_summary(values, seed), "unavailable": reasons[0] if reasons else ""}
        )
    return {"pairs": len(names), "names": list(names), "metrics": rows}


def _of_one_depth(real: Image, generated: Image) -> tuple[Image, Image]:
    """Both as they are or, where their depths differ, both in 8 bit: generated images are, of 16-bit ones too."""
    if real.dtype == generated.dtype:
        return real, generated
    return to_eight_bit(real), to_eight_bit(generated)


def _summary(values: Sequence[float | None], seed: int) -> dict[str, Any]:
    """Mean, standard deviation, coefficient of variation, and the mean's 95 % interval by resampling pairs."""
    known = np.array([value for value in values if value is not None])
    if not len(known):
        return {"mean": None, "sd": None, "cv": None, "interval": None}
    mean, sd = float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else None
    chosen = np.random.default_rng(seed).integers(len(known), size=(_RESAMPLES, len(known)))
    low, high = np.percentile(known[chosen].mean(1), (2.5, 97.5))
    return {
        "mean": mean,
        "sd": sd,
        "cv": sd / abs(mean) if sd is not None and mean else None,
        "interval": [float(low), float(high)] if len(known) > 1 else None,
    }


def _described(pictures: PictureSet, statistics: SetStatistics) -> dict[str, Any]:
    return {"name": pictures.name, "fields": len(pictures.names), "statistics": asdict(statistics)}


def _candidate(candidate: PictureSet, report: SetReport, paired: Mapping[str, Any] | None) -> dict[str, Any]:
    figures = [{**asdict(figure), "verdict": figure.verdict or NOT_JUDGED} for figure in report.figures]
    return {
        **_described(candidate, report.statistics["generated"]),
        "verdict": overall([figure.verdict for figure in report.figures if figure.verdict]),
        "paired": paired,
        "sets": figures,
    }


def overall(verdicts: Sequence[str]) -> str:
    """One verdict for a candidate: like real where every figure is, unusable where most are, else distinguishable.

    >>> overall(["like real", "distinguishable"]), overall(["unusable", "unusable", "like real"]), overall([])
    ('distinguishable', 'unusable', 'not judged')
    """
    if not verdicts:
        return NOT_JUDGED
    if set(verdicts) == {"like real"}:
        return "like real"
    return "unusable" if 2 * verdicts.count("unusable") > len(verdicts) else "distinguishable"


def _spectra(candidates: Sequence[PictureSet], reports: Sequence[SetReport]) -> dict[str, Any]:
    real = list(reports[0].spectra["real"])
    return {
        "cycles_per_window": list(range(1, len(real) + 1)),
        "real": real,
        "candidates": {
            candidate.name: list(report.spectra["generated"])
            for candidate, report in zip(candidates, reports, strict=True)
        },
    }


def _labels_by(judge: Segmenter | None) -> Callable[[NDArray[np.uint8]], Labels] | None:
    """What a judge finds: its nuclei, or else its cells."""
    if judge is None:
        return None
    part = "nuclei" if "nuclei" in judge.parts else "cells"

    def found(image: NDArray[np.uint8]) -> Labels:
        labels: Labels = getattr(judge.find(image), part)
        return labels

    return found


def _table(candidates: Sequence[Mapping[str, Any]]) -> str:
    """The paired metrics of every image: one row for each pair."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["candidate", "name", *(metric.name for metric in PAIRED_METRICS)])
    for candidate in candidates:
        for number, name in enumerate(candidate["paired"]["names"] if candidate["paired"] else ()):
            values = (metric["values"][number] for metric in candidate["paired"]["metrics"])
            writer.writerow([candidate["name"], name, *("" if value is None else repr(value) for value in values)])
    return text.getvalue()


def _shown(real: PictureSet, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The first fields, and those that are worst by a paired metric, each once."""
    worst = [name for _, cells in worst_fields(rows) for fields in cells for name, _ in fields]
    return list(dict.fromkeys([*real.names[:_STRIPS], *worst]))[: 3 * _STRIPS]


def _strips(
    real: PictureSet, candidates: Sequence[PictureSet], pairs: Sequence[Sequence[str]], shown: Sequence[str]
) -> list[Strip]:
    """Fields of these names, real beside generated at the real one's range of brightness."""
    strips = []
    for name in shown:
        number = real.names.index(name)
        source = to_eight_bit(real.pictures[number].image)
        limits = brightness_range(source)
        panels = [(real.name, _thumbnail(source, limits))]
        for candidate, names in zip(candidates, pairs, strict=True):
            if names or number < len(candidate.names):
                other = candidate.pictures[candidate.names.index(name) if names else number]
                panels.append((candidate.name, _thumbnail(to_eight_bit(other.image), limits)))
        strips.append(Strip(name, panels))
    return strips


def _thumbnail(image: NDArray[np.uint8], limits: tuple[float, float]) -> bytes:
    """The upper left part, at its own scale: a reduced picture would hide the texture."""
    return encode_png(np.ascontiguousarray(stretch(image[:_STRIP_PX, :_STRIP_PX], limits)))
