"""A generated set beside a real one: every set metric with its interval, its bounds and its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from services.evaluation.sets.bootstrap import RESAMPLES, bootstrap_interval
from services.evaluation.sets.catalogue import set_metrics
from services.evaluation.sets.classifier import NOT_ASKED, PixelClassifier
from services.evaluation.sets.degraded import FLOORS
from services.evaluation.sets.fidelity import Judge
from services.evaluation.sets.field import Field, FieldSet
from services.evaluation.sets.floors import floor_for, measure_ceiling, verdict
from services.evaluation.sets.metric import Measure, Measured, SetMetric, Unavailable, everyone, finite
from services.evaluation.sets.radial_spectrum import measure_spectrum
from services.evaluation.sets.report import (
    SetFigure,
    SetReport,
    SetStatistics,
    mean_spectrum,
    measure_grey,
    set_statistics,
)
from services.evaluation.sets.window_features import measure_windows

__all__ = ["SETS_VERSION", "SetFigure", "SetReport", "SetStatistics", "compare_sets"]

SETS_VERSION = 1
Progress: TypeAlias = Callable[[str, int, int], None]
# What was measured, by set and by measure.
_Table: TypeAlias = Mapping[str, Mapping[Measure, Sequence[Measured]]]


def compare_sets(
    real: Sequence[Field],
    generated: Sequence[Field],
    *,
    train: Sequence[Field] = (),
    judge: Judge | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    tile_px: int | None = None,
    pixel_classifier: PixelClassifier | str = NOT_ASKED,
    inception: Measure | None = None,
    progress: Progress | None = None,
) -> SetReport:
    """All figures of a generated set. docs/method.md, Set metrics, defines them and the verdict.

    real: fields that trained nothing. generated: of the same names where they are pairs. train: what trained the
    generator. judge: finds objects in an image, (H, W) uint8. tile_px: side of the tiles that images were put together
    from. pixel_classifier: tells windows apart by their pixels, or the reason why there is none. inception: features of
    a field's windows by the Inception network. progress: told of a stage, how much is done, and how much there is. The
    same seed gives the same report, whatever the order of fields. Raises InvalidArgument for an empty set, more than
    1000 fields (but for train), or a name that is twice in a set. A metric that cannot be computed is unavailable, with
    the reason.
    """
    tell = progress or (lambda _stage, _done, _total: None)
    sets = {"real": FieldSet(real, "real"), "generated": FieldSet(generated, "generated")}
    known = FieldSet(train, "training", most=None) if train else ()
    learned = _measured("training images", known, [measure_windows], len(known), tell)
    metrics = set_metrics(learned[measure_windows], judge, tile_px, seed, pixel_classifier, inception)
    table = _measure(sets, metrics, seed, tell)
    if known:
        table["training_images"] = learned
    figures = []
    for done, metric in enumerate(metrics, start=1):
        figures.append(_figure(metric, table, seed, resamples))
        tell("figures", done, len(metrics))
    return SetReport(
        tuple(figures),
        {name: set_statistics(table[name][measure_grey]) for name in sets},
        {name: mean_spectrum(table[name][measure_spectrum]) for name in sets},
    )


def _measure(
    sets: Mapping[str, FieldSet], metrics: Sequence[SetMetric], seed: int, tell: Progress
) -> dict[str, Mapping[Measure, Sequence[Measured]]]:
    """Measure both sets, and the degraded copies of the real one, one field at a time."""
    present = [metric for metric in metrics if not metric.absent]
    everything = [measure_grey, measure_spectrum, *(metric.measure for metric in present)]
    table = {name: _measured(f"{name} images", sets[name], everything, len(sets[name]), tell) for name in sets}
    for name, degrade in FLOORS.items():
        chosen = [metric.measure for metric in present if name in metric.floors]
        table[name] = _measured(name, degrade(sets["real"], seed), chosen, len(sets["real"]), tell)
    return table


def _measured(
    stage: str, fields: Iterable[Field], measures: Sequence[Measure], count: int, tell: Progress
) -> Mapping[Measure, Sequence[Measured]]:
    found: dict[Measure, list[Measured]] = {measure: [] for measure in measures}
    done = 0
    for done, field in enumerate(fields, start=1):
        for measure, rows in found.items():
            rows.append(Measured(field.name, measure(field)))
        tell(stage, done, count)
    if done < count:  # not every field can be degraded
        tell(stage, count, count)
    return found


def _figure(metric: SetMetric, table: _Table, seed: int, resamples: int) -> SetFigure:
    try:
        if metric.absent:
            raise Unavailable(metric.absent)
        return _available(metric, table, seed, resamples)
    except Unavailable as reason:
        return SetFigure(metric.name, metric.what, metric.direction, unavailable=str(reason))


def _available(metric: SetMetric, table: _Table, seed: int, resamples: int) -> SetFigure:
    real = metric.usable(table["real"][metric.measure], "real")
    generated = metric.usable(table["generated"][metric.measure], "generated")
    statistic = metric.prepare(real, generated)
    value = finite(statistic(everyone(real), everyone(generated)))
    names = [[one.name for one in measured] for measured in (real, generated)]
    interval = bootstrap_interval(statistic, names[0], names[1], resamples, seed)
    ceiling = measure_ceiling(metric, real, seed)
    floors = _floors(metric, real, table)
    found = ""
    if ceiling:
        floor = floor_for(value, ceiling, floors, metric.direction, metric.scale)
        found = verdict(value, ceiling, floor, metric.direction, metric.scale)
    return SetFigure(metric.name, metric.what, metric.direction, value, interval, ceiling, floors, found)


def _floors(metric: SetMetric, real: Sequence[Measured], table: _Table) -> dict[str, float]:
    """The metric's figures of the degraded sets that there are."""
    found = {}
    for name in metric.floors:
        try:
            found[name] = metric.compare(real, table.get(name, {}).get(metric.measure, ()))
        except Unavailable:
            continue
    return found
