"""Generated sets beside a real one: every set metric with its interval, its bounds and its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from services.common.errors import blaming
from services.evaluation.sets.bootstrap import RESAMPLES, bootstrap_interval
from services.evaluation.sets.catalogue import set_metrics
from services.evaluation.sets.classifier import NOT_ASKED, PixelClassifier
from services.evaluation.sets.degraded import FLOORS
from services.evaluation.sets.fidelity import Judge
from services.evaluation.sets.field import Field, FieldSet
from services.evaluation.sets.floors import floor_for, measure_ceiling, verdict
from services.evaluation.sets.metric import Ceiling, Measure, Measured, SetMetric, Unavailable, everyone, finite
from services.evaluation.sets.radial_spectrum import measure_spectrum
from services.evaluation.sets.report import (
    SetFigure,
    SetReport,
    SetStatistics,
    mean_spectrum,
    measure_grey,
    set_statistics,
)
from services.evaluation.sets.segmenter_features import Describe
from services.evaluation.sets.telling import telling_features
from services.evaluation.sets.window_features import measure_windows

__all__ = ["RealSet", "SetFigure", "SetReport", "SetStatistics"]

Progress: TypeAlias = Callable[[str, int, int], None]
# What was measured of a set.
_Table: TypeAlias = Mapping[Measure, Sequence[Measured]]
_Bounds: TypeAlias = tuple[Ceiling | None, Mapping[str, float]]


class RealSet:
    """A real set, measured once with its degraded copies, however many generated sets are compared with it.

    fields: real ones that trained nothing. train: what trained the generator. judge: finds objects in an image.
    describe: features of windows by a segmentation network of ours. tile_px: side of the tiles that images were put
    together from. pixel_classifier: tells windows apart by their pixels, or the reason why there is none. inception:
    features of a field's windows by the Inception network. progress: told of a stage, how much is done, and how much
    there is. Raises InvalidArgument for an empty set, more than 1000 fields (but for train), or a name that is
    twice in a set.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        *,
        train: Sequence[Field] = (),
        judge: Judge | None = None,
        describe: Describe | None = None,
        seed: int = 0,
        resamples: int = RESAMPLES,
        tile_px: int | None = None,
        pixel_classifier: PixelClassifier | str = NOT_ASKED,
        inception: Measure | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._tell = progress or (lambda _stage, _done, _total: None)
        self._seed, self._resamples = seed, resamples
        with blaming("real"):
            real = FieldSet(fields, "real")
        with blaming("train"):
            known = FieldSet(train, "training", most=None) if train else ()
        learned = self._measured("training images", known, [measure_windows], len(known))
        self._metrics = set_metrics(
            learned[measure_windows], judge, tile_px, seed, pixel_classifier, inception, describe
        )
        self._present = [metric for metric in self._metrics if not metric.absent]
        self._everything = [
            measure_grey,
            measure_spectrum,
            measure_windows,
            *(metric.measure for metric in self._present),
        ]
        self._real = self._measured("real images", real, self._everything, len(real))
        self._floors: dict[str, _Table] = {"training_images": learned} if known else {}
        for name, degrade in FLOORS.items():
            chosen = [metric.measure for metric in self._present if name in metric.floors]
            self._floors[name] = self._measured(name, degrade(real, seed), chosen, len(real))
        self._bounds: dict[str, _Bounds] = {}

    def compare(self, generated: Sequence[Field]) -> SetReport:
        """All figures of a generated set, of the same names where they are pairs; docs/method.md, Set metrics.

        The same seed gives the same report, whatever the order of fields. Raises InvalidArgument for an empty set, more
        than 1000 fields, or a name that is there twice. A metric that cannot be computed is unavailable, with the
        reason.
        """
        fields = FieldSet(generated, "generated")
        table = self._measured("generated images", fields, self._everything, len(fields))
        figures = []
        for done, metric in enumerate(self._metrics, start=1):
            figures.append(self._figure(metric, table))
            self._tell("figures", done, len(self._metrics))
        sets = {"real": self._real, "generated": table}
        return SetReport(
            tuple(figures),
            {name: set_statistics(measured[measure_grey]) for name, measured in sets.items()},
            {name: mean_spectrum(measured[measure_spectrum]) for name, measured in sets.items()},
            telling_features(self._real[measure_windows], table[measure_windows], self._resamples, self._seed),
        )

    def _figure(self, metric: SetMetric, table: _Table) -> SetFigure:
        try:
            if metric.absent:
                raise Unavailable(metric.absent)
            return self._available(metric, table)
        except Unavailable as reason:
            return SetFigure(metric.name, metric.what, metric.direction, unavailable=str(reason))

    def _available(self, metric: SetMetric, table: _Table) -> SetFigure:
        real = metric.usable(self._real[metric.measure], "real")
        generated = metric.usable(table[metric.measure], "generated")
        statistic = metric.prepare(real, generated)
        value = finite(statistic(everyone(real), everyone(generated)))
        names = [[one.name for one in measured] for measured in (real, generated)]
        interval = bootstrap_interval(statistic, names[0], names[1], self._resamples, self._seed)
        ceiling, floors = self._bounds_of(metric, real)
        found = ""
        if ceiling:
            floor = floor_for(value, ceiling, floors, metric.direction, metric.scale)
            found = verdict(value, ceiling, floor, metric.direction, metric.scale)
        return SetFigure(metric.name, metric.what, metric.direction, value, interval, ceiling, floors, found)

    def _bounds_of(self, metric: SetMetric, real: Sequence[Measured]) -> _Bounds:
        """Ceiling and floors, which no generated set changes."""
        if metric.name not in self._bounds:
            self._bounds[metric.name] = measure_ceiling(metric, real, self._seed), self._floors_of(metric, real)
        return self._bounds[metric.name]

    def _floors_of(self, metric: SetMetric, real: Sequence[Measured]) -> dict[str, float]:
        """The metric's figures of the degraded sets that there are."""
        found = {}
        for name in metric.floors:
            try:
                found[name] = metric.compare(real, self._floors.get(name, {}).get(metric.measure, ()))
            except Unavailable:
                continue
        return found

    def _measured(
        self, stage: str, fields: Iterable[Field], measures: Sequence[Measure], count: int
    ) -> Mapping[Measure, Sequence[Measured]]:
        """Measure fields, one at a time."""
        found: dict[Measure, list[Measured]] = {measure: [] for measure in measures}
        done = 0
        for done, field in enumerate(fields, start=1):
            for measure, rows in found.items():
                rows.append(Measured(field.name, measure(field)))
            self._tell(stage, done, count)
        if done < count:  # not every field can be degraded
            self._tell(stage, count, count)
        return found
