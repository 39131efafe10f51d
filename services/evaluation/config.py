"""Settings of the evaluation service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.common.settings import Settings
from services.evaluation.inception import Inception
from services.evaluation.lpips import Lpips


@dataclass(frozen=True)
class EvaluationConfig:
    """ONNX files that the operator mounted, of the networks of LPIPS and of FID; None: that metric is unavailable."""

    lpips_file: Path | None = None
    inception_file: Path | None = None

    def lpips(self) -> Lpips | None:
        """Load the network. Raises ConfigError where the file is not one."""
        return None if self.lpips_file is None else Lpips(self.lpips_file)

    def inception(self) -> Inception | None:
        """Load the network. Raises ConfigError where the file is not one."""
        return None if self.inception_file is None else Inception(self.inception_file)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read BIOSYNTH_LPIPS_FILE and BIOSYNTH_INCEPTION_FILE. Raises ConfigError, which names the variable."""
        return cls(*(Settings(env).file(name) for name in ("BIOSYNTH_LPIPS_FILE", "BIOSYNTH_INCEPTION_FILE")))
