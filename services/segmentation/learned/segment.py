"""From an image of any size to objects, by a trained network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.common.imaging.labels import Labels
from services.common.imaging.tiling import Window, run_tiles
from services.segmentation.learned.model import SegmenterDescription
from services.segmentation.learned.normalisation import normalised
from services.segmentation.learned.outputs import DOWN, confidence_of, mean_offset, objects_of

# Tiles have at most the pixels of a square of this side, without halo: large, since halos are computed twice, and so
# that two make a frame of 1536x2048; small enough for what is reckoned (serving/memory.py).
TILE_PX = 1280
# Magnifications nearer to 1 than this factor gain nothing.
LEAST_CHANGE = 1.2
# A network that is less sure than SURE, on average over the pixels of what it finds, looks at smaller copies too, since
# objects may be much larger than those that it knows. Of all, the one tells the size where objects of at least
# SURE_OBJECT cover most. At home, in fields like its own, `cells` is sure by 0.82 and more (median 0.92), `nuclei` by
# 0.89; in frames of scratch assays `cells` is by up to 0.73.
SURE, SURE_OBJECT = 0.8, 0.8
SMALLER_COPIES = (0.5, 0.25)
# What an image is enlarged to at most: where the diameter is estimated, so that large frames take no longer; where it
# is given, so that memory stays within what is reckoned (serving/memory.py).
ESTIMATED_PIXELS, GIVEN_PIXELS = 3_200_000, 16_000_000


@dataclass(frozen=True, eq=False)
class Objects:
    """labels: (H, W) int32, tidy. confidence: (n,), 0 to 1, label 1 first. diameter_px: typical; None: none found."""

    labels: Labels
    confidence: NDArray[np.float32]
    diameter_px: float | None

    @property
    def is_sure(self) -> bool:
        """Whether the network is at home in the image: it finds something, and is sure of it on average."""
        areas = np.bincount(self.labels.ravel())[1:]
        return bool(areas.size and (areas * self.confidence).sum() >= SURE * areas.sum())

    def sure_share(self) -> float:
        """Share of the image that objects cover of which it is sure."""
        return float(np.append(False, self.confidence >= SURE_OBJECT)[self.labels].mean())


def find_objects(
    image: NDArray[Any],
    model: SegmenterDescription,
    engine: Engine,
    diameter_px: float | None = None,
    tile_px: int = TILE_PX,
) -> Objects:
    """Objects of the part that the model finds.

    image: (H, W), 8 or 16 bit. diameter_px: of a typical object; None: estimated, by a first pass of the network. The
    network sees the image magnified so that objects have the size of most that it was trained on. Tiles give the output
    of the whole image, up to float rounding (docs/method.md, Exact tiling).
    """
    plane, network = normalised(image), _Network(model, engine, tile_px)
    found = None if diameter_px else network.objects(plane)
    most = GIVEN_PIXELS if diameter_px else ESTIMATED_PIXELS
    if found is not None:
        diameter_px = _estimated(plane, found, network)
    factor = _magnification(model.diameter_px, diameter_px, plane.size, most)
    if found is None or factor != 1.0:
        found = network.objects(plane, factor)
    engine.rest()
    return replace(found, diameter_px=diameter_px)


def _estimated(plane: NDArray[np.float32], found: Objects, network: _Network) -> float | None:
    """A typical diameter, from what was found at the image's own scale and, where that is unsure, in smaller copies."""
    if found.is_sure:
        return found.diameter_px
    best, diameter = found.sure_share(), found.diameter_px
    for factor in SMALLER_COPIES:
        copy = network.objects(_resized(plane, _size(plane, factor)))
        if copy.diameter_px and copy.sure_share() > best:
            best, diameter = copy.sure_share(), copy.diameter_px / factor
    return diameter


def _magnification(usual_px: float, diameter_px: float | None, pixels: int, most_pixels: int) -> float:
    """How much to enlarge, or below 1 to reduce, an image of so many pixels."""
    if diameter_px is None:
        return 1.0
    factor = min(usual_px / diameter_px, max(1.0, math.sqrt(most_pixels / pixels)))
    return 1.0 if 1 / LEAST_CHANGE < factor < LEAST_CHANGE else factor


@dataclass(frozen=True)
class _Network:
    """A network, which runs on planes of any size."""

    model: SegmenterDescription
    engine: Engine
    tile_px: int

    def objects(self, plane: NDArray[np.float32], factor: float = 1.0) -> Objects:
        """Objects in a plane that is magnified for the network, on the plane's own grid."""
        output = self._output(plane, factor)
        labels = objects_of(output)
        diameter = self.model.diameter_per_offset * mean_offset(output)
        return Objects(labels, confidence_of(labels, output), diameter or None)

    def _output(self, plane: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
        """The network's output, (4, H, W), on the plane's own grid and in its own pixels."""
        if factor == 1.0:
            return self._run(plane)
        output = self._run(_resized(plane, _size(plane, factor)))
        result = np.empty((len(output), *plane.shape), np.float32)
        for index, one in enumerate(output):
            result[index] = _resized(one, plane.shape[::-1])
        result[DOWN:] /= factor
        return result

    def _run(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = plane.shape
        halo, stride = self.model.halo_px, self.model.stride_px
        self.engine.rest()  # what a pass at another scale took does not serve this one
        padded = plane
        if height % stride or width % stride:
            padded = np.pad(plane, ((0, -height % stride), (0, -width % stride)), mode="edge")

        def planes_in(window: Window) -> NDArray[np.float32]:
            return padded[None, *window]

        output = run_tiles(self.engine.run, planes_in, padded.shape, self.tile_px, halo, stride, self.engine.batch_px)
        return output[:, :height, :width]


def _size(plane: NDArray[np.float32], factor: float) -> tuple[int, int]:
    """Width and height of a magnified plane, as OpenCV has them."""
    return max(1, round(factor * plane.shape[1])), max(1, round(factor * plane.shape[0]))


def _resized(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    method = cv2.INTER_AREA if size[0] < plane.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=method), np.float32)
