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
CPU_ENGINES = ("onnxruntime", "openvino")
SOURCES = ("shipped", "store")


@dataclass(frozen=True)
class GenerationConfig:
    """model_folders: searched in order, later over earlier. device: where networks run. cpu_engine: what runs them
    where that is the CPU.

    precision: of a GPU. from_store: models come from the store, not with this package. required: models that the store
    must have at start.
    """

    model_folders: tuple[Path, ...] = (SHIPPED,)
    device: str = "auto"
    precision: str = "float32"
    from_store: bool = False
    required: tuple[str, ...] = ()
    cpu_engine: str = "onnxruntime"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_MODELS (folders, separated by `:`), BIOSYNTH_MODELS_FROM, BIOSYNTH_DEVICE, BIOSYNTH_PRECISION,
        BIOSYNTH_CPU_ENGINE and BIOSYNTH_MODELS_REQUIRED (names, separated by `,`). Raises ConfigError naming the
        variable.
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
                f"BIOSYNTH_PRECISION: expected float32 with BIOSYNTH_DEVICE=cpu, got {precision}; it is that of a GPU"
            )
        cpu_engine = settings.choice("BIOSYNTH_CPU_ENGINE", CPU_ENGINES, cls.cpu_engine)
        return cls((*first, *extra), device, precision, from_store, required, cpu_engine)
