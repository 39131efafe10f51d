"""From an image of any size to objects, by a trained network."""

from __future__ import annotations

import math
from dataclasses import dataclass
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

# Side of a tile without its halo: large, since halos are computed twice; small enough for 0.6 GB of activations.
TILE_PX = 768
# Magnifications nearer to 1 than this factor gain nothing.
LEAST_CHANGE = 1.2
# What an image is enlarged to at most: where the diameter is estimated, so that large frames take no longer; where it
# is given, so that memory stays within what is reckoned (serving/memory.py).
ESTIMATED_PIXELS, GIVEN_PIXELS = 3_200_000, 16_000_000


@dataclass(frozen=True, eq=False)
class Objects:
    """labels: (H, W) int32, tidy. confidence: (n,), 0 to 1, label 1 first. diameter_px: typical; None: none found."""

    labels: Labels
    confidence: NDArray[np.float32]
    diameter_px: float | None


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
    plane = normalised(image)
    output, most = None, GIVEN_PIXELS
    if diameter_px is None:
        output, most = _run(plane, model, engine, tile_px), ESTIMATED_PIXELS
        diameter_px = model.diameter_per_offset * mean_offset(output) or None
    factor = _magnification(model.diameter_px, diameter_px, plane.size, most)
    if output is None or factor != 1.0:
        output = _magnified(plane, factor, model, engine, tile_px)
    engine.rest()
    labels = objects_of(output)
    return Objects(labels, confidence_of(labels, output), diameter_px)


def _magnification(usual_px: float, diameter_px: float | None, pixels: int, most_pixels: int) -> float:
    """How much to enlarge, or below 1 to reduce, an image of so many pixels."""
    if diameter_px is None:
        return 1.0
    factor = min(usual_px / diameter_px, max(1.0, math.sqrt(most_pixels / pixels)))
    return 1.0 if 1 / LEAST_CHANGE < factor < LEAST_CHANGE else factor


def _magnified(
    plane: NDArray[np.float32], factor: float, model: SegmenterDescription, engine: Engine, tile_px: int
) -> NDArray[np.float32]:
    """The network's output for a magnified plane, (4, H, W) on the plane's own grid and in its own pixels."""
    height, width = plane.shape
    if factor == 1.0:
        return _run(plane, model, engine, tile_px)
    size = (max(1, round(factor * width)), max(1, round(factor * height)))
    output = _run(_resized(plane, size), model, engine, tile_px)
    result = np.stack([_resized(one, (width, height)) for one in output])
    result[DOWN:] /= factor
    return result


def _resized(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    method = cv2.INTER_AREA if size[0] < plane.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=method), np.float32)


def _run(plane: NDArray[np.float32], model: SegmenterDescription, engine: Engine, tile_px: int) -> NDArray[np.float32]:
    """The network's output, (4, H, W), for a plane of any size."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % model.stride_px), (0, -width % model.stride_px)), mode="edge")

    def planes_in(window: Window) -> NDArray[np.float32]:
        return padded[None, *window]

    output = run_tiles(engine.run, planes_in, padded.shape, tile_px, model.halo_px, model.stride_px)
    return output[:, :height, :width]
