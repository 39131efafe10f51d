"""The same picture again: saved in another format, depth or size, or by mistake."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.imaging.images import Image

_SIDE_PX = 64


class Seen:
    """The pictures so far, reduced to 64 x 64 px each, mean 0 and norm 1: their dot product is their correlation."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._reduced = np.empty((0, _SIDE_PX**2), np.float32)

    def nearest(self, name: str, image: Image) -> tuple[str, float]:
        """Which earlier picture is most like this (H, W) one, and their correlation, -1 to 1; then remember this.

        A constant image is like none: ("", 0).
        """
        reduced = _reduced(image)
        known = self._reduced[: len(self._names)]
        found = known @ reduced
        best = int(found.argmax()) if len(found) else -1
        answer = (self._names[best], float(found[best])) if best >= 0 and reduced.any() else ("", 0.0)
        self._remember(name, reduced)
        return answer

    def _remember(self, name: str, reduced: NDArray[np.float32]) -> None:
        if len(self._names) == len(self._reduced):
            room = max(64, len(self._reduced))
            self._reduced = np.concatenate([self._reduced, np.zeros((room, _SIDE_PX**2), np.float32)])
        self._reduced[len(self._names)] = reduced
        self._names.append(name)


def _reduced(image: Image) -> NDArray[np.float32]:
    small = cv2.resize(image.astype(np.float32), (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).ravel()
    small = small - small.mean()
    norm = float(np.linalg.norm(small))
    return np.asarray(small / norm if norm > 1e-6 * _SIDE_PX else np.zeros_like(small), np.float32)
