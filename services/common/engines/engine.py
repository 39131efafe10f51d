"""What runs a network: arrays in, arrays out."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """A loaded network on a device; calls may come from several threads."""

    @property
    def name(self) -> str:
        """Engine and device, such as `onnxruntime-cpu`."""

    @property
    def precision(self) -> str:
        """In which it computes, such as `float32`; arrays are float32 whatever it is."""

    @property
    def batch_px(self) -> int:
        """Inputs of one size are worth running together up to so many pixels; 0: one by one is as fast."""

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, C, H, W) to (B, D, h, w): one plane of the same size for a generator, several for a segmenter.

        Raises DeviceFull where the device has no memory even for one input at a time.
        """

    def rest(self) -> None:
        """Give back memory that was taken for running, once an image is done. The next run takes a little longer."""
