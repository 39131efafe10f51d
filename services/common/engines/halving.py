"""Batches that a device's memory does not suffice for, in smaller ones."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from services.common.errors import DeviceFull

_log = logging.getLogger(__name__)


def run_halved(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]], planes: NDArray[np.float32], free: Callable[[], None]
) -> NDArray[np.float32]:
    """Run a batch, in halves, and these in halves, where it raises DeviceFull. Returns what `run` does for all of it.

    planes: (B, C, H, W). free: gives back what the device keeps without need; called after each failure. Raises
    DeviceFull where a single input fails twice.
    """
    try:
        return run(planes)
    except DeviceFull:
        _log.warning("no memory on the device for %d inputs of %s at once", len(planes), planes.shape[1:])
    # Not within the handler: there, the error's frames still hold what the failed run has put on the device.
    free()
    if len(planes) == 1:
        return run(planes)
    half = len(planes) // 2
    return np.concatenate([run_halved(run, part, free) for part in (planes[:half], planes[half:])])
