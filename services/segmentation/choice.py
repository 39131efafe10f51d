"""How `auto` chooses a segmenter, and which ones may be asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidArgument, at
from services.common.names import check_name
from services.segmentation.kinds import FLUORESCENCE, PHASE, fluorescence_chance, unlikeness
from services.segmentation.look import Look, measure_look
from services.segmentation.segmenter import Image, Segmenter

AUTO = "auto"
AUTO_VERSION = "3"  # of what is chosen, how surely, and what is warned of
# What segmenters were made for; `wound` goes by texture alone, in either kind.
MADE_FOR = {
    "nuclei": FLUORESCENCE,
    "nuclei-threshold": FLUORESCENCE,
    "cells": PHASE,
    "cells-texture": PHASE,
    "scratch": PHASE,
    "scratch-texture": PHASE,
    "scratch-zone": PHASE,
}


def choose(image: Image) -> str:
    """The segmenter that `auto` runs: `nuclei` for fluorescence, else `scratch`.

    image: (H, W). docs/method.md, What auto chooses, has the rule and how often it is right.
    """
    return _preferred(measure_look(image))[0]


def _preferred(look: Look | None) -> tuple[str, float]:
    """A segmenter, and how sure it is that the image is of the kind it was made for, 0.5 to 1."""
    if look is None:
        return "scratch", 0.5
    chance = fluorescence_chance(look)
    return ("nuclei", chance) if chance > 0.5 else ("scratch", 1 - chance)


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
    look = measure_look(image)
    if name != AUTO:
        return Choice(segmenters[name], warnings=_warnings(name, look))
    (best, confidence), among = _preferred(look), _among(segmenters, candidates)
    if best not in among:
        # The choice is what is left, not what the image looks like: less sure than a toss, which is told as one.
        best, confidence = min(among), 0.5
    return Choice(segmenters[best], confidence, _warnings(best, look))


def _among(segmenters: Mapping[str, Segmenter], candidates: Collection[str]) -> list[str]:
    """Those that `auto` may choose of the candidates (empty: of all)."""
    among = [one for one in candidates or segmenters if not segmenters[one].by_name_only]
    if not among:
        raise InvalidArgument(
            f"expected a candidate that `auto` may choose; {', '.join(candidates)} must be asked for by name",
            field="candidates",
        )
    return among


def _warnings(name: str, look: Look | None) -> tuple[str, ...]:
    return unlikeness(look, MADE_FOR[name]) if name in MADE_FOR else ()
