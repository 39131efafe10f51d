"""How much memory a server has, and how much each computation is reckoned to take: docs/settings.md, Memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biosynth.contract import MIB

_CGROUPS = Path("/sys/fs/cgroup")
# Of a machine without a limit, what a server takes: others run there too.
_PART_OF_MACHINE = 0.75
# Beside computations: the process with its libraries and networks, files that are being read to be identified, and a
# result that is decoded for a raster.
ASIDE_BYTES = 960 * MIB


@dataclass(frozen=True)
class Cost:
    """Bytes that a computation takes at its peak, whatever its image (`base`) and for each pixel of it.

    Measured in processes of their own (tests/integration/common/test_memory_costs.py holds them to it), and rounded up.
    """

    base: int
    a_pixel: int

    def of(self, pixels: int) -> int:
        """For an image of so many pixels."""
        return self.base + self.a_pixel * pixels


COSTS: Mapping[str, Cost] = {
    "segment": Cost(768 * MIB, 60),
    "render": Cost(32 * MIB, 28),
    "generate": Cost(320 * MIB, 52),
    # The network sees the image at once (tiling whole): its activations, of the larger shipped model.
    "generate-whole": Cost(64 * MIB, 440),
    "generate-shard": Cost(320 * MIB, 52),  # of its largest image; its files come to it
    "compare-pair": Cost(64 * MIB, 68),
    "compare-sets": Cost(64 * MIB, 72),
}


def for_computations(server_bytes: int, in_flight_bytes: int) -> int:
    """What a server that may take so many bytes in all has left for computations."""
    return max(0, server_bytes - ASIDE_BYTES - in_flight_bytes)


def server_memory(cgroups: Path = _CGROUPS) -> int:
    """Bytes that this process may take: the container's limit, or three quarters of the machine's memory.

    cgroups: the folder with memory.max (version 2) or memory/memory.limit_in_bytes (version 1).
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int((cgroups / name).read_text(encoding="ascii"))
        except (OSError, ValueError):  # the other version's file, or `max`, which means no limit
            continue
        if limit < machine:  # version 1 has a huge number for none
            return limit
    return int(machine * _PART_OF_MACHINE)
