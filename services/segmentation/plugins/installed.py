"""Which plug-ins are installed, and the loading of those that the operator names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.metadata import EntryPoint, entry_points

from services.common.errors import BiosynthError, ConfigError
from services.segmentation.plugins.plugin import as_segmenter
from services.segmentation.segmenter import Segmenter

GROUP = "biosynth.segmenters"
VARIABLE = "BIOSYNTH_SEGMENTERS"


def load_plugins(names: Sequence[str], taken: Collection[str]) -> dict[str, Segmenter]:
    """The plug-ins of these names; the code of no other one is imported.

    taken: names that no plug-in may have. Raises ConfigError, which names the variable, the plug-in and what is there.
    """
    installed = list(entry_points(group=GROUP)) if names else []
    return {name: _load(_the_one(name, installed, taken)) for name in names}


def _the_one(name: str, installed: Sequence[EntryPoint], taken: Collection[str]) -> EntryPoint:
    if name in taken:
        raise ConfigError(f"{VARIABLE}: expected names of plug-ins; {name} is a segmenter that comes with biosynth")
    found = [point for point in installed if point.name == name]
    if not found:
        there = ", ".join(sorted(f"{point.name} (of {_origin(point)})" for point in installed)) or "none"
        raise ConfigError(f"{VARIABLE}: expected installed plug-ins, which are: {there}; got {name!r}")
    if len(found) > 1:
        origins = " and ".join(sorted(_origin(point) for point in found))
        raise ConfigError(f"{VARIABLE}: {name} is ambiguous: {origins} have a plug-in of this name; remove one of them")
    return found[0]


def _load(point: EntryPoint) -> Segmenter:
    origin = _origin(point)
    try:
        return as_segmenter(point.name, origin, point.load()())
    except BiosynthError as error:
        raise ConfigError(f"{VARIABLE}: plug-in {point.name} of {origin}: {error.message}") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{VARIABLE}: plug-in {point.name} of {origin} cannot be made: {point.value}() fails with {reason}"
        ) from error


def _origin(point: EntryPoint) -> str:
    """The distribution and its version, which is part of every result's key."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
