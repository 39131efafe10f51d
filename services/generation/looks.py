"""Looks of images to be generated: drawn from training images with like labels, or imitated; and how usual they are.

docs/method.md, Looks, states the rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.ranges import check_appearance
from services.generation.appearance import Appearance, Look
from services.generation.shapes import SHAPE_VALUES, draw_alike

# A drawn look is one of so many records with the likest labels: more give variety, fewer fit better (docs/models.md).
NEAREST = 3
# What counts as one step of unlikeness between labels: a fifth in size, a half in density, 0.15 of the area.
_SIZE_STEP, _DENSITY_STEP, _BACKGROUND_STEP = math.log(1.2), math.log(1.5), 0.15
# A value is unlike those of training where it lies further outside their range than this share of it.
_MARGIN = 0.1
# Objects whose means deviate less than this, in units of the contrast, are all alike: rounding alone makes as much.
_ALIKE = 1e-4
# Shapes of one object differ less than this: they travel with four decimals.
_SAME_SHAPE = 1e-3


@dataclass(frozen=True)
class LabelStatistics:
    """What the labels of an image are like.

    object_px: diameter of a disk of the objects' median area. density: objects per megapixel. background: share of
    pixels that show no object. The first two are 0 where there are no objects.
    """

    object_px: float
    density: float
    background: float

    def distance(self, other: LabelStatistics) -> float:
        """How unlike two images' labels are; 0 for equal ones."""
        steps = (
            (math.log1p(self.object_px) - math.log1p(other.object_px)) / _SIZE_STEP,
            (math.log1p(self.density) - math.log1p(other.density)) / _DENSITY_STEP,
            (self.background - other.background) / _BACKGROUND_STEP,
        )
        return math.hypot(*steps)


@dataclass(frozen=True)
class AppearanceRecord:
    """The look of one training image, with a sample of its objects' (mean, deviation) in units of the contrast.

    labels: what its labels are like; None in models of before such statistics were kept. kind: the set of images that
    it belongs to, such as one microscope's. shapes: of the sample's objects, size, aspect and fill; none in
    models of before they were kept.
    """

    appearance: Appearance
    objects: tuple[tuple[float, float], ...]
    labels: LabelStatistics | None = None
    kind: str = ""
    shapes: tuple[tuple[float, float, float], ...] = ()

    @property
    def look(self) -> Look:
        """The look, of the sample of objects."""
        objects, shapes = np.array(self.objects, np.float32), np.array(self.shapes, np.float32)
        return Look(self.appearance, objects.reshape(-1, 2), shapes.reshape(-1, SHAPE_VALUES))


def describe_labels(objects: NDArray[np.int32]) -> LabelStatistics:
    """Measure labels. objects: (H, W) from `find_objects`, 0 = background.

    >>> describe_labels(np.array([[1, 1, 0, 0], [1, 1, 0, 2]]))
    LabelStatistics(object_px=1.7841241161527712, density=250000.0, background=0.375)
    """
    areas = np.bincount(objects.ravel())[1:]
    areas = areas[areas > 0]
    object_px = math.sqrt(4.0 * float(np.median(areas)) / math.pi) if len(areas) else 0.0
    return LabelStatistics(object_px, 1e6 * len(areas) / objects.size, float((objects == 0).mean()))


def draw(
    records: Sequence[AppearanceRecord], labels: LabelStatistics, generator: np.random.Generator
) -> AppearanceRecord:
    """Draw a record for a new image with such labels, from the nearest ones."""
    fitting = nearest(records, labels)
    return fitting[int(generator.integers(len(fitting)))]


def fitted(
    look: Look, shapes: NDArray[np.float32], ordered: Mapping[str, float], generator: np.random.Generator
) -> Look:
    """Fit a look to an image whose objects have such shapes, (n, 3) from `shapes_of`.

    Where they are the look's own objects, each gets its own brightness; otherwise each gets that of one of the look's
    that are shaped like it, drawn. ordered: appearance values that take the place of the look's. Raises InvalidArgument
    for a name that is no appearance value or a value out of range, and for a look without objects where there are some
    to be drawn.
    """
    check_appearance(ordered)
    pool, count = look.objects, len(shapes)
    if count and not len(pool):
        raise InvalidArgument("expected a look with the brightness of at least one object; got none", field="look_from")
    objects = pool[_chosen(look, shapes, generator)]
    if "spread" in ordered and count:
        centre, deviation = pool[:, 0].mean(), pool[:, 0].std()
        # Objects that are all alike have no distribution to stretch: a normal one stands in.
        alike = deviation < _ALIKE
        unit = generator.standard_normal(count, np.float32) if alike else (objects[:, 0] - centre) / deviation
        objects[:, 0] = centre + np.float32(ordered["spread"]) * unit
    return Look(replace(look.appearance, **ordered), objects, shapes)


def _chosen(look: Look, shapes: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.intp]:
    """Which of the look's objects each object is given the brightness of. Returns (n,) indices."""
    known, count = len(look.objects), len(shapes)
    told = len(look.shapes) == known  # a caller's look may tell no shapes, and older models do not
    if known == count and (not told or np.allclose(look.shapes, shapes, rtol=0, atol=_SAME_SHAPE)):
        return np.arange(count)
    return draw_alike(look.shapes, shapes, generator) if told else generator.integers(known, size=count)


def nearest(records: Sequence[AppearanceRecord], labels: LabelStatistics) -> list[AppearanceRecord]:
    """The records with the likest labels, NEAREST at most, all of one kind: that of the likest.

    Records of a model that keeps no label statistics are all equally near.
    """
    described = [(record.labels.distance(labels), record) for record in records if record.labels is not None]
    if len(described) < len(records):
        return list(records)
    ordered = [record for _, record in sorted(described, key=lambda pair: pair[0])]
    return [record for record in ordered if record.kind == ordered[0].kind][:NEAREST]


def unlike(look: Look, labels: LabelStatistics, records: Sequence[AppearanceRecord]) -> tuple[str, ...]:
    """Say in what a look, or a reference's labels, are beyond those of all training images; () where in nothing."""
    seen = [_values(record.look, record.labels) for record in records]
    warnings = []
    for name, value in _values(look, labels).items():
        known = [values[name] for values in seen if name in values]
        if not known:
            continue
        low, high = min(known), max(known)
        margin = _MARGIN * (high - low)
        if not low - margin <= value <= high + margin:
            warnings.append(f"{name} is {value:.3g}; training images have {low:.3g} to {high:.3g}")
    return tuple(warnings)


def record_of(
    look: Look, labels: LabelStatistics, kind: str, generator: np.random.Generator, most: int = 32
) -> AppearanceRecord:
    """Keep a look for a model file: rounded, with at most `most` of its objects."""
    chosen = generator.permutation(len(look.objects))[:most]
    pairs = tuple((round(float(mean), 3), round(float(deviation), 3)) for mean, deviation in look.objects[chosen])
    shapes = tuple((round(float(a), 2), round(float(b), 2), round(float(c), 2)) for a, b, c in look.shapes[chosen])
    appearance, rounded = Appearance(**_rounded(look.appearance)), LabelStatistics(**_rounded(labels))
    return AppearanceRecord(appearance, pairs, rounded, kind, shapes)


def _values(look: Look, labels: LabelStatistics | None) -> dict[str, float]:
    """What is compared with training, by what it is called in a warning."""
    values = asdict(look.appearance)
    if not len(look.objects):
        return {name: values[name] for name in ("background", "noise")}  # the others are those of objects
    values["mean brightness of objects (negative: darker than the background)"] = float(look.objects[:, 0].mean())
    if labels is not None and labels.object_px:
        values["diameter of objects in px"] = labels.object_px
    return values


def _rounded(values: Appearance | LabelStatistics) -> dict[str, float]:
    return {name: round(float(value), 5) for name, value in asdict(values).items()}
