"""A schema: which levels a reference has, and in what order they are painted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from biosynth.contract import MAX_THICKNESS_PX, PARTS

from services.common.errors import InvalidSchema
from services.common.ranges import are_limits
from services.reference.sources import parts_of, tier_of

MAX_LEVELS = 256  # a reference is uint8
MAX_RULES = 1024
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Level:
    """One level: its value in the reference, what it means, its value (0 to 255) in the grey rendering."""

    index: int
    name: str
    grey: int


@dataclass(frozen=True)
class Rule:
    """Paint the pixels of `source` (sources.py lists them) with the level of this index."""

    level: int
    source: str


@dataclass(frozen=True)
class Schema:
    """A named, versioned list of levels and how they are painted: rule after rule, later over earlier.

    boundary_thickness_px: see boundaries.py. dilate_cell_boundary: "cytoplasm boundary dilated with a 3x3 square before
    use" (docs/method.md, Boundaries). tier_range: (low, high), outer limits of the cells' grey tiers, () for none;
    tier_limits: fixed, or () where measured (tiers.py). Raises InvalidSchema where fields contradict each other.
    """

    name: str
    version: int
    levels: tuple[Level, ...]
    painting: tuple[Rule, ...]
    description: str = ""
    boundary_thickness_px: int = 1
    dilate_cell_boundary: bool = False
    tier_range: tuple[float, ...] = ()
    tier_limits: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_names(self)
        _check_levels(self.levels)
        _check_painting(self)
        _check_tiers(self)

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that a segmentation must have, in the order cells, nuclei, wound."""
        needed = {part for rule in self.painting for part in parts_of(rule.source)}
        return tuple(part for part in PARTS if part in needed)

    @property
    def tiers(self) -> int:
        """Number of grey tiers into which cells are sorted; 0: none."""
        return len({tier_of(rule.source) for rule in self.painting} - {None})


def _check_names(schema: Schema) -> None:
    for text in (schema.name, *(level.name for level in schema.levels)):
        if not _NAME.fullmatch(text):
            raise InvalidSchema(
                f"expected a name of 1 to 64 characters a-z, 0-9, _ and -, starting with a letter; got {text!r:.80}"
            )
    if not 1 <= schema.version < 2**32:
        raise InvalidSchema(f"expected a version from 1 to {2**32 - 1}; got {schema.version}")
    if len(schema.description) > 1000:
        raise InvalidSchema(f"expected a description of at most 1000 characters; got {len(schema.description)}")


def _check_levels(levels: tuple[Level, ...]) -> None:
    if not 1 <= len(levels) <= MAX_LEVELS:
        raise InvalidSchema(f"expected 1 to {MAX_LEVELS} levels; got {len(levels)}")
    indices = [level.index for level in levels]
    if indices != list(range(len(levels))):
        raise InvalidSchema(f"expected level indices 0, 1, 2, … without gaps, rising; got {indices}")
    names = [level.name for level in levels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidSchema(f"expected every level's name once; got {', '.join(twice)} more than once")
    for level in levels:
        if not 0 <= level.grey <= 255:
            raise InvalidSchema(f"expected grey values from 0 to 255; got {level.grey} for level {level.name}")


def _check_painting(schema: Schema) -> None:
    if not 1 <= len(schema.painting) <= MAX_RULES:
        raise InvalidSchema(f"expected 1 to {MAX_RULES} painting rules; got {len(schema.painting)}")
    sources = [rule.source for rule in schema.painting]
    for source in sources:
        parts_of(source)
    if "everything" in sources[1:]:
        raise InvalidSchema("expected `everything` only as the first painting rule: later, it hides all before it")
    if sources[0] != "everything" and not {"wound", "not_wound"} <= set(sources):
        raise InvalidSchema(
            "expected a painting order that reaches every pixel: start with `everything`, or paint both `wound` and "
            "`not_wound`"
        )
    painted = {rule.level for rule in schema.painting}
    if unknown := sorted(painted - set(range(len(schema.levels)))):
        raise InvalidSchema(f"expected painting rules for levels 0 to {len(schema.levels) - 1}; got {unknown}")
    if idle := [level.name for level in schema.levels if level.index not in painted]:
        raise InvalidSchema(f"expected a painting rule for every level; got none for {', '.join(idle)}")
    if not 1 <= schema.boundary_thickness_px <= MAX_THICKNESS_PX:
        raise InvalidSchema(
            f"expected a boundary thickness of 1 to {MAX_THICKNESS_PX} px; got {schema.boundary_thickness_px}"
        )


def _check_tiers(schema: Schema) -> None:
    used = sorted({tier for rule in schema.painting if (tier := tier_of(rule.source)) is not None})
    if used != list(range(len(used))) or len(used) == 1:
        raise InvalidSchema(f"expected no tiers, or at least two, numbered cell_tier:0, cell_tier:1, …; got {used}")
    if len(used) > MAX_LEVELS:  # assign_tiers counts in uint8
        raise InvalidSchema(f"expected at most {MAX_LEVELS} tiers; got {len(used)}")
    if schema.tier_limits and len(schema.tier_limits) != len(used) - 1:
        raise InvalidSchema(
            f"expected {max(len(used) - 1, 0)} tier_limits for {len(used)} tiers; got {len(schema.tier_limits)}"
        )
    if schema.tier_range and (
        len(schema.tier_range) != 2 or len(used) < 3 or schema.tier_range[0] == schema.tier_range[-1]
    ):
        raise InvalidSchema(
            "expected tier_range as [low, high], low below high, and at least three tiers; "
            f"got {list(schema.tier_range)} for {len(used)} tiers"
        )
    if schema.tier_range and schema.tier_limits:
        raise InvalidSchema("expected tier_range (measure) or tier_limits (fixed); got both")
    for numbers in (schema.tier_limits, schema.tier_range):
        if not are_limits(numbers):
            raise InvalidSchema(
                f"expected limits between grey tiers from 0 to 255, none below the one before; got {list(numbers)}"
            )
