"""TIFF: how large a pixel is, by OME-XML, by ImageJ's unit or by the resolution tags."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from services.common.ranges import PIXEL_UM

_MAX_DESCRIPTION = 1 << 20
_INCH, _CENTIMETRE = 2, 3
_TAG_UM = {_INCH: 25_400.0, _CENTIMETRE: 10_000.0}
# OME-XML's and ImageJ's names of units; ImageJ writes the Greek letter as an escape.
_UNIT_UM = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "\\u00B5m"), 1.0),
    "nm": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
    "inch": 25_400.0,
}
# Tags of 72 to 1200 dots an inch, 20 to 350 um, are those of screens and printers: no microscope's pixels are so large.
_LARGEST_TAG_UM = 10.0


def pixel_size_um(page: Any) -> tuple[float, float] | None:
    """Height and width of a pixel of a page as the parser has it; None where the file does not say, or not credibly."""
    description = page.description
    if description.lstrip()[:1] == "<" and len(description) <= _MAX_DESCRIPTION:
        return _credible(_ome_size(description), PIXEL_UM[1])
    if description.startswith("ImageJ="):
        found = re.search(r"^unit=(.+)$", description, re.MULTILINE)
        um = _UNIT_UM.get(found[1].strip()) if found else None
        return _credible(_tag_size(page, um), PIXEL_UM[1]) if um else None
    unit = page.tags.get("ResolutionUnit")
    return _credible(_tag_size(page, _TAG_UM.get(unit.value if unit else _INCH)), _LARGEST_TAG_UM)


def _credible(size: tuple[float, float] | None, largest_um: float) -> tuple[float, float] | None:
    return size if size and all(PIXEL_UM[0] <= side < largest_um for side in size) else None


def _ome_size(description: str) -> tuple[float, float] | None:
    try:
        # Document types and entities, what XML attacks come through, were refused before (tiff_directory.py).
        root = ElementTree.fromstring(description.encode())  # noqa: S314
        pixels = root.find("{*}Image[1]/{*}Pixels")
        if pixels is None:
            return None
        units = [_UNIT_UM[pixels.get(f"PhysicalSize{axis}Unit", "µm")] for axis in "YX"]
        down, right = (float(pixels.get(f"PhysicalSize{axis}", "nan")) for axis in "YX")
    except (ElementTree.ParseError, KeyError, ValueError):
        return None
    return down * units[0], right * units[1]


def _tag_size(page: Any, unit_um: float | None) -> tuple[float, float] | None:
    """From pixels a unit, which tags hold as fractions."""
    tags = [page.tags.get(f"{axis}Resolution") for axis in "YX"]
    if unit_um is None or not all(tags):
        return None
    try:
        down, right = (unit_um * tag.value[1] / tag.value[0] for tag in tags)
    except (TypeError, IndexError, ZeroDivisionError):
        return None
    return down, right
