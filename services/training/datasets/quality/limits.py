"""Limits by which images are taken to train on or left, with the reasons in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace

from services.common.errors import InvalidArgument, InvalidImage
from services.evaluation.pictures import Picture
from services.training.datasets.quality.duplicates import Seen
from services.training.datasets.quality.figures import Figures, figures


@dataclass(frozen=True)
class Limits:
    """None: no limit. How they were chosen: docs/method.md, Image quality."""

    focus: float | None = 1.9  # least
    contrast: float | None = 7.0  # least
    saturation: float | None = 0.05  # most
    sparse: float | None = 0.002  # least density; with labels: without an object
    dense: float | None = 0.98  # most density, of labels
    duplicate: float | None = 0.99  # most correlation with an earlier image


@dataclass(frozen=True)
class Quality:
    """One image: its figures, the earlier image that it is most like, and why it is left; no reason: it is taken."""

    name: str
    figures: Figures
    like: str
    correlation: float
    reasons: tuple[str, ...]


def with_limits(limits: Limits, changes: Mapping[str, float | None]) -> Limits:
    """Some limits changed. Raises InvalidArgument for one that there is not."""
    known = [field.name for field in fields(Limits)]
    if unknown := [name for name in changes if name not in known]:
        raise InvalidArgument(f"expected limits among {', '.join(known)}; got {unknown[0]!r:.40}")
    return replace(limits, **changes)


def judged(pictures: Iterable[Picture], limits: Limits) -> Iterator[Quality]:
    """Measure pictures, one after the other, and hold them to limits; of duplicates the first one is taken."""
    seen = Seen()
    for picture in pictures:
        try:
            found = figures(picture.image, picture.labels)
        except InvalidImage as error:
            raise InvalidImage(f"{picture.name}: {error.message}; take it out of the folder") from error
        like, correlation = seen.nearest(picture.name, picture.image)
        reasons = [*_reasons(found, limits)]
        if limits.duplicate is not None and correlation > limits.duplicate:
            reasons.append(f"the same picture as {like}, or nearly (correlation {correlation:.3f})")
        yield Quality(picture.name, found, like, correlation, tuple(reasons))


def _reasons(found: Figures, limits: Limits) -> Iterator[str]:
    if limits.contrast is not None and found.contrast < limits.contrast:
        yield f"nothing above its noise (contrast {found.contrast:.1f} below {limits.contrast:g})"
    elif limits.focus is not None and (found.focus is None or found.focus < limits.focus):
        measured = "no detail" if found.focus is None else f"focus {found.focus:.2f}"
        yield f"out of focus ({measured} below {limits.focus:g})"
    if limits.saturation is not None and found.saturation > limits.saturation:
        yield f"saturated ({100 * found.saturation:.0f} % of pixels at full scale, above {100 * limits.saturation:g} %)"
    if limits.sparse is not None and found.objects == 0:
        yield "no object in its labels"
    elif limits.sparse is not None and found.objects is None and found.density < limits.sparse:
        yield f"nearly empty (structure in {100 * found.density:.1f} % of it, below {100 * limits.sparse:g} %)"
    if limits.dense is not None and found.objects is not None and found.density > limits.dense:
        yield f"labels without background ({100 * found.density:.0f} % covered, above {100 * limits.dense:g} %)"
