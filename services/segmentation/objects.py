"""The cells and nuclei of a segmentation, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from biosynth.objects import COLUMNS
from numpy.typing import NDArray

from services.common.imaging.labels import Labels
from services.segmentation.measures import Figures, in_micrometres, measure
from services.segmentation.segmenter import Found, Image

INSTANCES = ("cells", "nuclei")
_WHOLE = frozenset({"area", "intensity_min", "intensity_max"})  # are counts and greys, told without decimals


@dataclass(frozen=True)
class Objects:
    """The objects of one part, that with label 1 first.

    area_px: (n,) int64. touches_border: (n,) bool. confidence: (n,) float32, 0 to 1, NaN where none is told of
    one; None where none is told at all. figures: what was measured of them, by column, (n,) each; the same columns for
    every part.
    """

    part: str
    area_px: NDArray[np.int64]
    touches_border: NDArray[np.bool_]
    confidence: NDArray[np.float32] | None
    figures: Figures = field(default_factory=dict)


def objects_of(found: Found, shown: Mapping[str, Image], pixel_um: float | None = None) -> list[Objects]:
    """The objects of every part that has any kind of instances; labels run from 1 without gaps.

    shown: by part, the image in which it was found, (H, W). pixel_um: side of a pixel, where it is known.
    """
    parts = {part: labels for part in INSTANCES if (labels := getattr(found.segmentation, part)) is not None}
    return [_objects(part, labels, shown[part], found.confidence.get(part), pixel_um) for part, labels in parts.items()]


def _objects(
    part: str, labels: Labels, image: Image, confidence: NDArray[np.float32] | None, pixel_um: float | None
) -> Objects:
    figures = measure(labels, image)
    if pixel_um is not None:
        figures |= in_micrometres(figures, pixel_um)
    return Objects(part, figures["area"].astype(np.int64), _touches_border(labels), confidence, figures)


def table_of(parts: list[Objects]) -> bytes:
    """All objects as CSV (RFC 4180), in UTF-8.

    >>> told, figures = np.array([0.5, 0.9375], np.float32), {"area": np.array([12.0, 30]), "solidity": np.ones(2)}
    >>> cells = Objects("cells", np.array([12, 30]), np.array([True, False]), told, figures)
    >>> print(table_of([cells]).decode().replace(chr(13), ""), end="")
    part,label,area_px,touches_border,confidence,area,solidity
    cells,1,12,1,0.500,12,1.0000
    cells,2,30,0,0.938,30,1.0000
    """
    lines = [",".join([*COLUMNS, *(parts[0].figures if parts else ())])]
    for objects in parts:
        sure = [""] * len(objects.area_px) if objects.confidence is None else [_sure(x) for x in objects.confidence]
        figures = [_texts(name, values) for name, values in objects.figures.items()]
        rows = enumerate(zip(objects.area_px, objects.touches_border, sure, *figures, strict=True), 1)
        lines += [f"{objects.part},{n},{area},{border:d},{','.join(texts)}" for n, (area, border, *texts) in rows]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _sure(confidence: float) -> str:
    return "" if np.isnan(confidence) else f"{confidence:.3f}"


def _texts(name: str, values: NDArray[np.float64]) -> list[str]:
    return [f"{value:.0f}" if name in _WHOLE else f"{value:.4f}" for value in values.tolist()]


def _touches_border(labels: Labels) -> NDArray[np.bool_]:
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(np.arange(1, int(labels.max(initial=0)) + 1), border)
