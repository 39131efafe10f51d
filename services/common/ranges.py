"""Ranges of numbers that several services check in the same way, before any work."""

from __future__ import annotations

from collections.abc import Mapping

from biosynth.contract import APPEARANCE_LIMITS, MAX_THICKNESS_PX

from services.common.errors import InvalidArgument


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
