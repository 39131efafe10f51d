"""A shipped segmentation network, loaded at its first use and shared by all who use it."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.segmentation.learned.model import (
    DESCRIPTION,
    OUTPUTS,
    SHIPPED,
    SegmenterDescription,
    read_segmenter,
    read_weights,
)
from services.segmentation.learned.segment import Objects, find_objects


class LearnedSegmenter:
    """A network of a model folder. Calls may come from several threads.

    Raises ConfigError for a folder without a valid description and, at first use, for weights that are absent or not
    those described.
    """

    def __init__(self, folder: Path) -> None:
        self.description: SegmenterDescription = read_segmenter(folder)
        self._folder, self._lock, self._engines = folder, threading.Lock(), dict[str, Engine]()

    @property
    def is_loaded(self) -> bool:
        """Whether the network is in memory."""
        return bool(self._engines)

    def find(self, image: NDArray[Any], diameter_px: float | None = None) -> Objects:
        """What the network was trained to find in an image, (H, W). diameter_px: typical; None: estimated."""
        return find_objects(image, self.description, self._engine(OUTPUTS[0]), diameter_px)

    def describe(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the network's deepest layer holds of windows, averaged over each: (n, S, S), normalised, to (n, d)."""
        engine = self._engine(OUTPUTS[1])
        return np.stack([engine.run(window[None, None])[0].mean((1, 2), np.float64) for window in windows])

    def _engine(self, output: str) -> Engine:
        # Here, since importing ONNX Runtime takes a while, and most calls need no network.
        from services.common.engines.onnx_cpu import OnnxCpuEngine

        with self._lock:
            if output not in self._engines:
                weights = read_weights(self._folder, self.description)
                self._engines[output] = OnnxCpuEngine(weights, output=output)
            return self._engines[output]


@functools.cache
def shipped(name: str) -> LearnedSegmenter:
    """The network of this name that comes with the package."""
    return LearnedSegmenter(SHIPPED / name)


def in_memory() -> list[SegmenterDescription]:
    """Descriptions of the shipped networks that are in memory now."""
    networks = [shipped(path.parent.name) for path in sorted(SHIPPED.glob(f"*/{DESCRIPTION}"))]
    return [network.description for network in networks if network.is_loaded]
