"""From an image of any size to objects, by a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.common.imaging.labels import Labels
from services.common.imaging.tiling import Window, run_tiles
from services.segmentation.learned.model import SegmenterDescription
from services.segmentation.learned.normalisation import normalised
from services.segmentation.learned.outputs import objects_of

# Side of a tile without its halo: large, since halos are computed twice; small enough for 0.6 GB of activations.
TILE_PX = 768


def find_objects(image: NDArray[Any], model: SegmenterDescription, engine: Engine, tile_px: int = TILE_PX) -> Labels:
    """Instance labels of the part that the model finds.

    image: (H, W), 8 or 16 bit. Returns (H, W) int32, tidy. Tiles give the output of the whole image, up to float
    rounding (docs/method.md, Exact tiling).
    """
    height, width = image.shape
    rest = ((0, -height % model.stride_px), (0, -width % model.stride_px))
    plane = np.pad(normalised(image), rest, mode="edge")

    def planes_in(window: Window) -> NDArray[np.float32]:
        return plane[None, *window]

    output = run_tiles(engine.run, planes_in, plane.shape, tile_px, model.halo_px, model.stride_px)
    engine.rest()
    return objects_of(output[:, :height, :width])
