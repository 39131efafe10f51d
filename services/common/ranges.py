"""Ranges of numbers that several services check in the same way, before any work."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from biosynth.contract import APPEARANCE_LIMITS, MAX_THICKNESS_PX

from services.common.errors import InvalidArgument

# No microscope's pixels are smaller or larger; and figures in um stay far from what numbers can hold.
PIXEL_UM = (1e-6, 1e6)


def check_appearance(values: Mapping[str, float]) -> None:
    """Raise InvalidArgument for appearance values that no image can have.

    >>> check_appearance({"contrast": 0.5, "sharpness": 8.0})
    >>> check_appearance({"contrast": 1.5})
    Traceback (most recent call last):
    services.common.errors.InvalidArgument: expected appearance.contrast from 0 to 1; got 1.5
    """
    for name, value in values.items():
        if name not in APPEARANCE_LIMITS:
            raise InvalidArgument(f"expected appearance values among {', '.join(APPEARANCE_LIMITS)}; got {name}")
        if not 0.0 <= value <= APPEARANCE_LIMITS[name]:  # also false for NaN
            raise InvalidArgument(
                f"expected appearance.{name} from 0 to {APPEARANCE_LIMITS[name]:g}; got {value:g}",
                field=f"appearance.{name}",
                got=value,
                limit=APPEARANCE_LIMITS[name],
            )


def check_thickness(thickness_px: int) -> None:
    """Raise InvalidArgument for a boundary thickness that no reference can have; 0 stands for the schema's own."""
    if not 0 <= thickness_px <= MAX_THICKNESS_PX:
        raise InvalidArgument(
            f"expected a boundary thickness of 1 to {MAX_THICKNESS_PX} px, or 0 for the schema's own; "
            f"got {thickness_px}",
            field="boundary_thickness_px",
            got=thickness_px,
            limit=MAX_THICKNESS_PX,
        )


def check_tier_limits(limits: Sequence[float]) -> None:
    """Raise InvalidArgument for numbers that cannot be limits between grey tiers; none stands for the schema's own."""
    if not are_limits(limits):
        raise InvalidArgument(
            f"expected tier_limits from 0 to 255, none below the one before; got {list(limits)[:20]}",
            field="tier_limits",
        )


def are_limits(numbers: Sequence[float]) -> bool:
    """Whether the numbers can be limits between grey tiers: from 0 to 255, none below the one before it."""
    return all(math.isfinite(n) and 0 <= n <= 255 for n in numbers) and list(numbers) == sorted(numbers)
