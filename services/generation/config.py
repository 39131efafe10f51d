"""Settings of the generation service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.common.errors import ConfigError
from services.common.settings import Settings
from services.generation.model import SHIPPED

DEVICES = ("auto", "cpu", "cuda")
SOURCES = ("shipped", "store")


@dataclass(frozen=True)
class GenerationConfig:
    """model_folders: searched in order, later over earlier. device: where networks run.

    from_store: models come from the store, not with this package. required: models that the store must have at start.
    """

    model_folders: tuple[Path, ...] = (SHIPPED,)
    device: str = "auto"
    from_store: bool = False
    required: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_MODELS (folders, separated by `:`), BIOSYNTH_MODELS_FROM, BIOSYNTH_DEVICE and
        BIOSYNTH_MODELS_REQUIRED (names, separated by `,`). Raises ConfigError naming the variable.
        """
        settings = Settings(env)
        extra = tuple(Path(text) for text in (settings.text("BIOSYNTH_MODELS") or "").split(":") if text)
        if absent := [folder for folder in extra if not folder.is_dir()]:
            raise ConfigError(f"BIOSYNTH_MODELS: expected folders of models; {absent[0]} is none")
        from_store = settings.choice("BIOSYNTH_MODELS_FROM", SOURCES, SOURCES[0]) == "store"
        first = () if from_store else (SHIPPED,)
        names = (settings.text("BIOSYNTH_MODELS_REQUIRED") or "").split(",")
        required = tuple(name.strip() for name in names if name.strip())
        return cls((*first, *extra), settings.choice("BIOSYNTH_DEVICE", DEVICES, cls.device), from_store, required)
