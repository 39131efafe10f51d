"""Settings of the segmentation service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from services.common.settings import Settings
from services.segmentation.builtin import builtin_segmenters
from services.segmentation.choice import AUTO
from services.segmentation.plugins.installed import VARIABLE, load_plugins
from services.segmentation.segmenter import Segmenter


@dataclass(frozen=True)
class SegmentationConfig:
    """plugins: names of installed plug-ins that are to be loaded; no other package's code is imported."""

    plugins: tuple[str, ...] = ()

    def segmenters(self) -> dict[str, Segmenter]:
        """Those that come with the package and the plug-ins, by name. Raises ConfigError for one that cannot be."""
        builtin = builtin_segmenters()
        return builtin | load_plugins(self.plugins, taken=(*builtin, AUTO))

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_SEGMENTERS: names, separated by `,`."""
        names = (Settings(env).text(VARIABLE) or "").split(",")
        return cls(tuple(dict.fromkeys(name.strip() for name in names if name.strip())))
