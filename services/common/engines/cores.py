"""How many cores this process may use; by default libraries count those of the whole machine."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """Cores that this process may use.

    cgroups: the folder with a container's quota and its period, in microseconds: cpu.max (version 2) or cpu/cpu.cfs_*
    (version 1). More threads than the quota has cores would use it up early in each period and then all stand still.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroups)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(cgroups: Path) -> float | None:
    """Cores by quota; None without a limit, a container or Linux."""
    files = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
    for names in files:
        try:
            quota, period = " ".join((cgroups / name).read_text(encoding="ascii") for name in names).split()
            return int(quota) / int(period) if int(quota) > 0 else None
        except (OSError, ValueError):  # the other version's files, or `max`, which means no limit
            continue
    return None
