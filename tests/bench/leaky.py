"""`biosynth serve` that keeps 16 KiB of each request: what a memory figure must be able to see."""

from __future__ import annotations

import sys
from typing import Any

from services.cli.__main__ import main
from services.common.serving.runtime import Runtime

_kept: list[bytearray] = []


def _leak() -> None:
    begun = Runtime._begun

    def leaking(self: Runtime, prepare: Any) -> Any:
        _kept.append(bytearray(16384))
        return begun(self, prepare)

    Runtime._begun = leaking  # type: ignore[method-assign]


if __name__ == "__main__":
    _leak()
    main(["serve", *sys.argv[1:]])
