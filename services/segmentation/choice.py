"""How `auto` chooses a segmenter, and which ones may be asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from services.common.errors import InvalidArgument, at
from services.common.names import check_name
from services.segmentation.segmenter import Image, Segmenter

AUTO = "auto"


def choose(image: Image) -> str:
    """The segmenter that `auto` runs: `nuclei` for fluorescence, else `scratch`.

    image: (H, W). Fluorescence is bright objects on a dark ground, so a quarter of the pixels lie in the lowest part of
    the range of brightness. Phase contrast has halos above and cell bodies below a grey ground. Measured: that quarter
    ends below 0.08 of the range in 433 fields of nuclei, and above 0.13 in 51 of phase contrast.

    >>> image = np.full((20, 20), 10, np.uint8)
    >>> image[5:9, 5:9] = 200
    >>> choose(image), choose(255 - image)
    ('nuclei', 'scratch')
    """
    calm = cv2.medianBlur(image, 3)  # single hot or dead pixels must not set the range
    low, quarter, high = np.percentile(calm, (0.1, 25, 99.9))
    return "nuclei" if high > low and (quarter - low) < 0.105 * (high - low) else "scratch"


def eligible(segmenters: Mapping[str, Segmenter], name: str, candidates: Collection[str] = ()) -> dict[str, Any]:
    """Versions of those that `pick` may pick, by name.

    Raises UnknownName, or InvalidArgument for what is no name, for a name or candidate that is not in `segmenters`;
    InvalidArgument where `auto` may choose none of the candidates.
    """
    with at("segmenter"):
        check_name("segmenter", name, (*segmenters, AUTO))
    for number, candidate in enumerate(candidates):
        with at(f"candidates[{number}]"):
            check_name("segmenter", candidate, segmenters)
    among = (name,) if name != AUTO else _among(segmenters, candidates)
    return {one: segmenters[one].version for one in sorted(among)}


@dataclass(frozen=True)
class Choice:
    """A segmenter for an image.

    confidence: how sure `auto` is of it, 0.5 to 1; None where the caller named it. warnings: in what the image is
    unlike those that the segmenter was made for, in sentences.
    """

    segmenter: Segmenter
    confidence: float | None = None
    warnings: tuple[str, ...] = ()


def pick(segmenters: Mapping[str, Segmenter], name: str, image: Image, candidates: Collection[str] = ()) -> Choice:
    """The segmenter called `name`; for `auto`, the one that fits `image` among `candidates` (empty: any).

    Where `choose`'s answer is not a candidate, the first candidate by name is taken. Raises as `eligible`.
    """
    eligible(segmenters, name, candidates)
    if name != AUTO:
        return Choice(segmenters[name])
    best, among = choose(image), _among(segmenters, candidates)
    return Choice(segmenters[best if best in among else min(among)])


def _among(segmenters: Mapping[str, Segmenter], candidates: Collection[str]) -> list[str]:
    """Those that `auto` may choose of the candidates (empty: of all)."""
    among = [one for one in candidates or segmenters if not segmenters[one].by_name_only]
    if not among:
        raise InvalidArgument(
            f"expected a candidate that `auto` may choose; {', '.join(candidates)} must be asked for by name",
            field="candidates",
        )
    return among
