"""The paired metrics of a candidate as metrics.json and metrics.csv have them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import Image
from services.common.imaging.intensity import to_eight_bit
from services.evaluation.lpips import Lpips
from services.evaluation.paired import Metric, compare_pairs
from services.evaluation.paired_metrics import PAIRED_METRICS, PairedMetric
from services.evaluation.pictures import PictureSet
from services.evaluation.sets.bootstrap import mean_interval
from services.evaluation.sets.degraded import blurred, flat_paint
from services.evaluation.sets.field import Field, FieldSet

Progress: TypeAlias = Callable[[str, int, int], None]
Floors: TypeAlias = Mapping[str, float]
# What shows how much a paired metric rewards blur, and how little it asks for texture.
FLOORS = {"blurred": blurred, "flat_paint": flat_paint}


def paired_record(
    real: PictureSet,
    candidate: PictureSet,
    names: Sequence[str],
    lpips: Lpips | None,
    seed: int,
    progress: Progress,
    floors: Mapping[str, Floors],
) -> dict[str, Any]:
    """Every paired metric of a candidate: `values` in the order of names, their statistics, and those of floors.

    Floors stand on the scale of 8 bit, to which 16-bit images are stretched: pairs of 16 bit have none beside them.
    Raises InvalidImage for pairs of two sizes.
    """
    at = [{name: number for number, name in enumerate(side.names)} for side in (real, candidate)]
    depths: set[np.dtype[Any]] = set()

    def pairs() -> Iterator[tuple[Image, Image]]:
        for name in names:
            pair = _of_one_depth(real.pictures[at[0][name]].image, candidate.pictures[at[1][name]].image)
            depths.add(pair[0].dtype)
            yield pair

    found: list[tuple[Metric, ...]] = []
    for done, metrics in enumerate(compare_pairs(pairs(), lpips=lpips), start=1):
        found.append(metrics)
        progress(f"pairs of {candidate.name}", done, len(names))
    beside = floors if depths == {np.dtype(np.uint8)} else {}
    columns = zip(PAIRED_METRICS, zip(*found, strict=True), strict=True)
    rows = [_row(metric, values, seed, beside.get(metric.name, {})) for metric, values in columns]
    return {"pairs": len(names), "names": list(names), "metrics": rows}


def _row(metric: PairedMetric, found: Sequence[Metric], seed: int, floors: Floors) -> dict[str, Any]:
    values = [one.value for one in found]
    return {
        **{"name": metric.name, "what": metric.what, "unit": metric.unit, "direction": metric.direction},
        "values": values,
        **_summary(values, seed),
        "floors": floors,
        "unavailable": next((one.unavailable for one in found if one.unavailable), ""),
    }


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
    return {
        "mean": mean,
        "sd": sd,
        "cv": sd / abs(mean) if sd is not None and mean else None,
        "interval": list(mean_interval(known, seed)) if len(known) > 1 else None,
    }


def paired_floors(
    real: Sequence[Field], lpips: Lpips | None, seed: int, progress: Progress
) -> dict[str, dict[str, float]]:
    """By metric, its mean of real fields beside degraded copies of themselves; where it has one, and labels are known.

    No ceiling stands beside them: no two real images show the same objects.
    """
    fields = FieldSet(real, "real")
    by_name = {fields[at].name: at for at in range(len(fields))}
    found: dict[str, dict[str, float]] = {metric.name: {} for metric in PAIRED_METRICS}
    for floor, degrade in FLOORS.items():
        pairs = ((_eight_bit(fields[by_name[one.name]]), _eight_bit(one)) for one in degrade(fields, seed))
        for name, mean in _means(compare_pairs(pairs, lpips=lpips), f"{floor} pairs", len(fields), progress).items():
            found[name][floor] = mean
    return found


def _means(metrics: Iterator[tuple[Metric, ...]], stage: str, count: int, progress: Progress) -> dict[str, float]:
    values: dict[str, list[float]] = {metric.name: [] for metric in PAIRED_METRICS}
    for done, row in enumerate(metrics, start=1):
        for metric in row:
            if metric.value is not None:
                values[metric.name].append(metric.value)
        progress(stage, done, count)
    return {name: float(np.mean(known)) for name, known in values.items() if known}


def _eight_bit(field: Field) -> NDArray[np.uint8]:
    return np.rint(field.image * 255).astype(np.uint8)


def paired_table(candidates: Sequence[Mapping[str, Any]]) -> str:
    """The paired metrics of every image: one row for each pair."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["candidate", "name", *(metric.name for metric in PAIRED_METRICS)])
    for candidate in candidates:
        for number, name in enumerate(candidate["paired"]["names"] if candidate["paired"] else ()):
            values = (metric["values"][number] for metric in candidate["paired"]["metrics"])
            writer.writerow([candidate["name"], name, *("" if value is None else repr(value) for value in values)])
    return text.getvalue()
