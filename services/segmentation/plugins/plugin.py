"""A plug-in as one of our segmenters: called with arrays, and held to what it promises."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from biosynth.contract import PARTS
from numpy.typing import NDArray

from services.common.abandonment import Abandoned, stop_if_abandoned
from services.common.errors import BiosynthError, ConfigError, PluginFault
from services.common.imaging.labels import Segmentation
from services.segmentation.regions import tidy
from services.segmentation.segmenter import Found, Image, Segmenter

_log = logging.getLogger(__name__)


class Plugin(Protocol):
    """What an entry point of the group, called without arguments, makes: a callable with these attributes.

    parts: what it finds, among cells, nuclei and wound. description: what it is for, in a sentence.
    Optional: version (text or number; the package's own version counts anyway); takes_diameter (bool, else it gets
    None); preset_diameter_px (what it gets where the caller says none).
    """

    parts: Sequence[str]
    description: str

    def __call__(self, image: Image, diameter_px: float | None) -> Mapping[str, NDArray[Any]]:
        """Of an image, (H, W), each of its parts, (H, W): integer labels, 0 = background; the wound as bool.

        The image is a copy. One thread at a time calls.
        """


def as_segmenter(name: str, origin: str, plugin: Any) -> Segmenter:
    """The plug-in called `name` of package `origin`. Raises ConfigError for what is no Plugin."""
    parts = getattr(plugin, "parts", None)
    if not callable(plugin) or isinstance(plugin, type):
        raise ConfigError(f"expected its factory to make a callable (image, diameter_px), got {type(plugin).__name__}")
    if not isinstance(parts, list | tuple) or not parts or not set(parts) <= set(PARTS):
        raise ConfigError(f"expected `parts`, a tuple of names among {', '.join(PARTS)}, got {parts!r:.80}")
    description = getattr(plugin, "description", None)
    if not isinstance(description, str) or not description:
        raise ConfigError(f"expected `description`, a sentence, got {description!r:.80}")
    own = getattr(plugin, "version", None)
    takes_diameter = bool(getattr(plugin, "takes_diameter", False))
    preset = getattr(plugin, "preset_diameter_px", None) if takes_diameter else None
    if not isinstance(preset, int | float | None) or (preset is not None and not preset >= 1):
        raise ConfigError(f"expected `preset_diameter_px`, a number from 1, got {preset!r:.80}")
    ordered = tuple(part for part in PARTS if part in parts)
    return Segmenter(
        name,
        origin if own is None else f"{own} ({origin})",
        ordered,
        description,
        _Held(name, origin, plugin, ordered, preset).find,
        takes_diameter,
        by_name_only=True,
    )


@dataclass(frozen=True)
class _Held:
    """Raises PluginFault where the plug-in fails or breaks its contract."""

    name: str
    origin: str
    plugin: Plugin
    parts: tuple[str, ...]
    preset_diameter_px: float | None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, image: Image, diameter_px: float | None) -> Found:
        diameter = self.preset_diameter_px if diameter_px is None else diameter_px
        with self.lock:  # few programs promise to be safe in threads
            stop_if_abandoned()
            found = self._call(image.copy(), diameter)
        stop_if_abandoned()
        if not isinstance(found, Mapping) or set(found) != set(self.parts):
            got = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
            raise self._fault(f"expected a mapping of {', '.join(self.parts)}; got {got:.80}")
        planes: dict[str, Any] = {part: self._plane(part, found[part], image.shape) for part in self.parts}
        return Found(Segmentation(**planes), diameter_px=diameter)

    def _call(self, image: Image, diameter_px: float | None) -> Any:
        try:
            return self.plugin(image, diameter_px)
        except (BiosynthError, Abandoned):
            raise
        except Exception as error:
            _log.error("plug-in segmenter %s of %s failed", self.name, self.origin, exc_info=error)
            raise self._fault(f"it failed with {type(error).__name__}; the server's log has the cause") from error

    def _plane(self, part: str, plane: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        kinds, wanted = ("b", "bool") if part == "wound" else ("iu", "integer labels from 0")
        if not isinstance(plane, np.ndarray) or plane.shape != shape or plane.dtype.kind not in kinds:
            got = f"{plane.dtype} {plane.shape}" if isinstance(plane, np.ndarray) else type(plane).__name__
            raise self._fault(f"expected {part} as an array of {wanted} {shape}; got {got}")
        if part == "wound":
            return plane
        if not 0 <= plane.min() <= plane.max() < 2**31:
            raise self._fault(f"expected {part} as {wanted} to 2147483647; got {plane.min()} to {plane.max()}")
        return tidy(plane.astype(np.int32), 1)

    def _fault(self, what: str) -> PluginFault:
        return PluginFault(f"plug-in segmenter {self.name} ({self.origin}): {what}", plugin=self.name)
