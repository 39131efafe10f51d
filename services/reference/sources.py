"""Sources: the words of a schema's painting order, each of which stands for a set of pixels (masks.py)."""

from __future__ import annotations

import re

from services.common.errors import InvalidSchema

# Each source and the parts of a segmentation that it is computed from.
SOURCES: dict[str, tuple[str, ...]] = {
    "everything": (),
    "wound": ("wound",),
    "not_wound": ("wound",),
    "cells": ("cells",),
    "cells_interior": ("cells",),
    "cell_boundary": ("cells",),
    "cell_boundary_outside_wound": ("cells", "wound"),
    "nuclei": ("nuclei",),
    "nuclei_interior": ("nuclei",),
    "nuclei_boundary": ("nuclei",),
}
# A cell's tier comes from its cytoplasm without nuclei, so tiers need both.
TIER_PARTS = ("cells", "nuclei")
_TIER = re.compile(r"cell_tier:(0|[1-9][0-9]{0,2})")


def tier_of(source: str) -> int | None:
    """Number k of the source `cell_tier:k`, the interior of the cells in tier k; None for other sources."""
    match = _TIER.fullmatch(source)
    return int(match[1]) if match else None


def parts_of(source: str) -> tuple[str, ...]:
    """Parts that a segmentation must have for this source. Raises InvalidSchema for an unknown one.

    >>> parts_of("cell_boundary_outside_wound"), parts_of("cell_tier:2")
    (('cells', 'wound'), ('cells', 'nuclei'))
    """
    if tier_of(source) is not None:
        return TIER_PARTS
    if source not in SOURCES:
        raise InvalidSchema(
            f"expected a source among {', '.join(SOURCES)} and cell_tier:0, cell_tier:1, …; got {source!r:.80}"
        )
    return SOURCES[source]
