"""Pictures of fields for the report: real beside generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import encode_png
from services.common.imaging.intensity import brightness_range, stretch, to_eight_bit
from services.evaluation.pictures import PictureSet
from services.evaluation.report.page import Strip, worst_fields

_STRIPS, _STRIP_PX = 6, 320


def shown_names(real: PictureSet, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The first fields, and those that are worst by a paired metric, each once."""
    worst = [name for _, cells in worst_fields(rows) for fields in cells for name, _ in fields]
    return list(dict.fromkeys([*real.names[:_STRIPS], *worst]))[: 3 * _STRIPS]


def strips_of(
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
