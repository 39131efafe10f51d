"""From sets of images to all figures about them, and the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.errors import at, blaming
from services.common.imaging.labels import Labels
from services.evaluation.fields_of import FieldsOf
from services.evaluation.inception import Inception
from services.evaluation.lpips import Lpips
from services.evaluation.paired_record import paired_floors, paired_record, paired_table
from services.evaluation.pictures import PictureSet, shared_names
from services.evaluation.report.page import render_report
from services.evaluation.sets.classifier import NOT_ASKED, PixelClassifier
from services.evaluation.sets.compare import RealSet
from services.evaluation.sets.fidelity import Judge
from services.evaluation.sets.report import SetReport, SetStatistics
from services.evaluation.sets.segmenter_features import Describe
from services.evaluation.strips import shown_names, strips_of
from services.segmentation.segmenter import Segmenter

FORMAT = "biosynth.evaluation/1"
NOT_JUDGED = "not judged"
Progress = Callable[[str, int, int], None]


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
    pairs = []  # before any work
    for number, candidate in enumerate(candidates):
        with at(f"candidates[{number}]"):
            pairs.append(shared_names(real, candidate))
    known = RealSet(
        FieldsOf(real), train=FieldsOf(train) if train else (), judge=_judge_of(judge), seed=seed, tile_px=tile_px,
        describe=describe, pixel_classifier=pixel_classifier,
        inception=inception.measure if inception else None, progress=progress,
    )  # fmt: skip
    floors = paired_floors(FieldsOf(real), lpips, seed, progress) if any(pairs) else {}
    rows, reports = [], []
    for number, (candidate, names) in enumerate(zip(candidates, pairs, strict=True)):
        with blaming(f"candidates[{number}]"):
            paired = paired_record(real, candidate, names, lpips, seed, progress, floors) if names else None
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
    html = render_report(metrics, strips_of(real, candidates, pairs, shown_names(real, rows)))
    text = json.dumps(metrics, indent=1, allow_nan=False) + "\n"
    return Made(text.encode(), paired_table(rows).encode(), html.encode(), tuple(row["verdict"] for row in rows))


def _described(pictures: PictureSet, statistics: SetStatistics) -> dict[str, Any]:
    return {"name": pictures.name, "fields": len(pictures.names), "statistics": asdict(statistics)}


def _candidate(candidate: PictureSet, report: SetReport, paired: Mapping[str, Any] | None) -> dict[str, Any]:
    figures = [{**asdict(figure), "verdict": figure.verdict or NOT_JUDGED} for figure in report.figures]
    return {
        **_described(candidate, report.statistics["generated"]),
        "verdict": overall([figure.verdict for figure in report.figures if figure.verdict]),
        "paired": paired,
        "sets": figures,
        "telling": [asdict(feature) for feature in report.telling],
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


def _judge_of(segmenter: Segmenter | None) -> Judge | None:
    """A segmenter as the judge of its nuclei, or else of its cells."""
    if segmenter is None:
        return None
    part = "nuclei" if "nuclei" in segmenter.parts else "cells"

    def find(image: NDArray[np.uint8]) -> Labels:
        labels: Labels = getattr(segmenter.segment(image), part)
        return labels

    return Judge(part, find)
