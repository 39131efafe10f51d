"""Kinds of microscopy that segmenters were made for, and in what an image is unlike them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log10
from types import MappingProxyType

from services.segmentation.look import SMALLEST_SIDE_PX, Look

FLUORESCENCE, PHASE = "fluorescence", "phase contrast"
_IN_WORDS = {
    FLUORESCENCE: "fluorescence: bright objects on a dark ground",
    PHASE: "phase contrast: bodies and halos on a grey ground",
}
# Logistic regression on train fields of dsb2018-fluo, bbbc039-nuclei, usiigaci-phase and one scratch assay, each as it
# is, at half and double scale, blurred and noisy; sets weigh the same. `python -m tests.bench.auto_choice --fit` prints
# these figures.
WEIGHTS = (-4.75, -0.96, 1.55, -3.25)
INTERCEPT = -3.89
SURELY_OTHER = 0.2


@dataclass(frozen=True)
class Limit:
    """What a figure of the look is among images of a kind, with a margin, and what it means to lie outside."""

    figure: str
    low: float
    high: float
    below: str
    above: str


# Set by hand, beyond nearly all fields of the kind and short of most unlike images; docs/method.md, What auto chooses.
LIMITS: Mapping[str, tuple[Limit, ...]] = MappingProxyType(
    {
        FLUORESCENCE: (
            Limit("ground", 0.0, 0.085, "", "the ground is not at the dark end of the range"),
            Limit("skew", 0.0, 50.0, "its objects are darker than the ground", "a few spots outshine all else"),
            Limit("dark_share", 0.0, 0.52, "", "its detail is darker than its surroundings"),
            Limit("bright_texture", 0.3, 1.0, "its bright parts have no more texture than its dark ones", ""),
            Limit("fineness", -1.2, 0.55, "it has hardly any detail", "its detail is as fine as noise"),
        ),
        PHASE: (
            Limit("skew", -0.4, 1.75, "its objects are darker than the ground, without bright halos",
                  "its objects are brighter than the ground, without dark bodies or rims"),
            Limit("dark_share", 0.32, 0.55, "its detail is brighter than its surroundings",
                  "its detail is darker than its surroundings"),
            Limit("bright_texture", -0.78, 0.82, "only what is dark has texture", "only what is bright has texture"),
            Limit("fineness", -0.32, 0.75, "shades over long distances outweigh its detail, as in photographs and "
                  "stained sections", "its detail is as fine as noise"),
            Limit("patchiness", 0.6, 2.1, "its texture is the same everywhere, as that of noise",
                  "it has parts without any texture"),
        ),
    }
)  # fmt: skip


def evidence(look: Look) -> tuple[float, ...]:
    """What the rule weighs."""
    return (log10(max(look.darkness, 0.0) + 0.05), look.dark_share, look.bright_texture, look.fineness)


def fluorescence_chance(look: Look) -> float:
    """How likely an image with this look is fluorescence rather than phase contrast, 0 to 1."""
    score = INTERCEPT + sum(weight * value for weight, value in zip(WEIGHTS, evidence(look), strict=True))
    return 1 / (1 + exp(-max(-50.0, min(50.0, score))))


def unlikeness(look: Look | None, kind: str) -> tuple[str, ...]:
    """In what an image with `look` is unlike those of a kind, in sentences; `look` as measure_look gives it."""
    made_for = f"the segmenter was made for {_IN_WORDS[kind]}"
    if look is None:
        return (f"The image is blank or less than {SMALLEST_SIDE_PX} px wide or high: there is nothing to go by.",)
    chance = fluorescence_chance(look)
    other = PHASE if kind == FLUORESCENCE else FLUORESCENCE
    if (chance if kind == FLUORESCENCE else 1 - chance) < SURELY_OTHER and not _outside(look, other):
        return (f"The image looks like {_IN_WORDS[other]}; {made_for}.",)
    outside = _outside(look, kind)
    return (f"The image is unlike others of its kind: {'; '.join(outside)}. Mind that {made_for}.",) if outside else ()


def _outside(look: Look, kind: str) -> list[str]:
    """What is said of each figure that lies outside its limits, with the figure."""
    said = []
    for limit in LIMITS[kind]:
        value = float(getattr(look, limit.figure))
        if not limit.low <= value <= limit.high:
            words = limit.below if value < limit.low else limit.above
            said.append(f"{words} ({limit.figure} {value:.2f}, expected {limit.low:g} to {limit.high:g})")
    return said
