"""A field: one image of a set, with what is known about its objects."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Segmentation

LEAST_SIDE_PX = 4
# The kernel distance compares every window with every other one; beyond this, send a sample.
MOST_FIELDS = 1000


@dataclass(frozen=True, eq=False)
class Field:
    """One image of a set.

    name: fields of two sets that share it are a pair. image: (H, W) float32 on 0..1, no side below 4 px. labels: of the
    image's size; None where they are not known. stretched: each image was by its own greys, so exposure is not known.
    Raises InvalidArgument for another shape, dtype or range, for NaN, and for labels of another size.

    >>> Field("a", np.full((4, 4), np.nan, np.float32))
    Traceback (most recent call last):
    services.common.errors.InvalidArgument: expected values from 0 to 1 in field 'a'; got nan to nan
    """

    name: str
    image: NDArray[np.float32]
    labels: Segmentation | None = None
    stretched: bool = False

    def __post_init__(self) -> None:
        image, called = self.image, f"field {self.name!r:.80}"
        if image.ndim != 2 or min(image.shape) < LEAST_SIDE_PX or image.dtype != np.float32:
            raise InvalidArgument(
                f"expected an image of at least {LEAST_SIDE_PX} x {LEAST_SIDE_PX} px as float32 in {called}; "
                f"got shape {image.shape} {image.dtype}"
            )
        low, high = float(image.min()), float(image.max())
        if not (low >= 0.0 and high <= 1.0):
            raise InvalidArgument(f"expected values from 0 to 1 in {called}; got {low:.3g} to {high:.3g}")
        if self.labels is not None and self.labels.shape != image.shape:
            raise InvalidArgument(f"expected labels of the size {image.shape} of {called}; got {self.labels.shape}")


class FieldSet(Sequence[Field]):
    """A set in the order of its pixels' digests: what is drawn by seed then depends on neither order nor names.

    fields: each may be made when it is asked for, since only one is held at a time. which: what the set is called in
    errors. Raises InvalidArgument for an empty set, more than `most` fields, and a name that is there twice.
    """

    def __init__(self, fields: Sequence[Field], which: str, most: int | None = MOST_FIELDS) -> None:
        count = len(fields)
        if not count or (most and count > most):
            raise InvalidArgument(f"expected 1 to {most or 'any number of'} fields in the {which} set; got {count}")
        rows = [(_digest(field), field.name, field.image.shape) for field in (fields[at] for at in range(count))]
        name, times = Counter(row[1] for row in rows).most_common(1)[0]
        if times > 1:
            raise InvalidArgument(f"expected names that differ in the {which} set; got {name!r:.80} {times} times")
        self._fields = fields
        # The name tells equal images apart.
        self._order = sorted(range(count), key=lambda at: rows[at][:2])
        self.shapes = [rows[at][2] for at in self._order]

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Field: ...
    @overload
    def __getitem__(self, index: slice) -> list[Field]: ...
    def __getitem__(self, index: int | slice) -> Field | list[Field]:
        """One field, or a list of some."""
        if isinstance(index, slice):
            return [self._fields[at] for at in self._order[index]]
        return self._fields[self._order[index]]


def _digest(field: Field) -> bytes:
    digest = hashlib.sha256(repr(field.image.shape).encode())
    digest.update(np.ascontiguousarray(field.image).tobytes())
    return digest.digest()
