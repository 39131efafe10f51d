"""What every part of the proof is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.e2e.kubectl import run

ROOT = Path(__file__).parents[3]
OVERLAY = ROOT / "deploy" / "k8s" / "overlays" / "local"
STORE_PORT = 19000  # that for which the local overlay signs links


@dataclass(frozen=True)
class Proof:
    """secrets: the folder that the Secrets were made from. version: tag of all images."""

    secrets: Path
    version: str

    def apply_secrets(self, folder: Path | None = None) -> None:
        """Make the Secrets from that folder; None: from the deployment's own."""
        run(str(ROOT / "deploy" / "k8s" / "secrets.sh"), str(folder or self.secrets), quiet=True)
