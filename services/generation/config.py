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
PRECISIONS = ("float32", "bfloat16")
SOURCES = ("shipped", "store")


@dataclass(frozen=True)
class GenerationConfig:
    """model_folders: searched in order, later over earlier. device: where networks run.

    precision: of a GPU; the CPU's is float32. from_store: models come from the store, not with this package. required:
    models that the store must have at start.
    """

    model_folders: tuple[Path, ...] = (SHIPPED,)
    device: str = "auto"
    precision: str = "float32"
    from_store: bool = False
    required: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_MODELS (folders, separated by `:`), BIOSYNTH_MODELS_FROM, BIOSYNTH_DEVICE, BIOSYNTH_PRECISION
        and BIOSYNTH_MODELS_REQUIRED (names, separated by `,`). Raises ConfigError naming the variable.
        """
        settings = Settings(env)
        extra = tuple(Path(text) for text in (settings.text("BIOSYNTH_MODELS") or "").split(":") if text)
        if absent := [folder for folder in extra if not folder.is_dir()]:
            raise ConfigError(f"BIOSYNTH_MODELS: expected folders of models; {absent[0]} is none")
        from_store = settings.choice("BIOSYNTH_MODELS_FROM", SOURCES, SOURCES[0]) == "store"
        first = () if from_store else (SHIPPED,)
        names = (settings.text("BIOSYNTH_MODELS_REQUIRED") or "").split(",")
        required = tuple(name.strip() for name in names if name.strip())
        device = settings.choice("BIOSYNTH_DEVICE", DEVICES, cls.device)
        precision = settings.choice("BIOSYNTH_PRECISION", PRECISIONS, cls.precision)
        if device == "cpu" and precision != "float32":
            raise ConfigError(
                f"BIOSYNTH_PRECISION: expected float32 with BIOSYNTH_DEVICE=cpu, got {precision}; the CPU has no other"
            )
        return cls((*first, *extra), device, precision, from_store, required)
