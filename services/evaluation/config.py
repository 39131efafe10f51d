"""Settings of the evaluation service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.common.settings import Settings
from services.evaluation.lpips import Lpips


@dataclass(frozen=True)
class EvaluationConfig:
    """lpips_file: an ONNX file of the LPIPS network, mounted by the operator; None: that metric is unavailable."""

    lpips_file: Path | None = None

    def lpips(self) -> Lpips | None:
        """Load the network. Raises ConfigError where the file is not one."""
        return None if self.lpips_file is None else Lpips(self.lpips_file)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_LPIPS_FILE. Raises ConfigError, which names the variable."""
        return cls(Settings(env).file("BIOSYNTH_LPIPS_FILE"))
