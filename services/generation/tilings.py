"""The ways to run a network on an image of any size: docs/method.md, Tiling."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from services.common.engines.engine import Engine
from services.common.errors import ImageTooLarge, InvalidArgument
from services.common.imaging.tiling import Window, run_tiles
from services.generation.model import ModelDescription
from services.generation.patches import PATCH_PX, run_patches

# Side of a tile without its halo: large, since halos are computed twice; small enough for 0.5 GB of activations.
TILE_PX = 768
# Of patches that are blended, half: then every pixel but those at the edge is the mean of four.
OVERLAP_PX = PATCH_PX // 2
# The most that the network may see at once: activations of 4 megapixels take 2 GB (docs/settings.md, Memory).
WHOLE_PIXELS = 2048 * 2048


class Tiling(StrEnum):
    """exact: tiles with a halo, the image of the whole. whole: at once. blend, concat: patches, for comparison."""

    EXACT = "exact"
    WHOLE = "whole"
    BLEND = "blend"
    CONCAT = "concat"

    @property
    def patched(self) -> bool:
        """Whether patches are drawn each for itself."""
        return self in (Tiling.BLEND, Tiling.CONCAT)

    def check(self, pixels: int) -> None:
        """Raise ImageTooLarge where so many pixels are more than this way can take."""
        if self is Tiling.WHOLE and pixels > WHOLE_PIXELS:
            raise ImageTooLarge(
                f"expected at most {WHOLE_PIXELS} pixels for tiling whole, whose memory grows with the image, got "
                f"{pixels}; the tiling exact gives the same image at any size",
                got=pixels,
                limit=WHOLE_PIXELS,
            )


def halo_of(model: ModelDescription) -> int:
    """The halo of exact tiling. Raises InvalidArgument for a network that none is wide enough for."""
    if model.halo_px is None:
        raise InvalidArgument(
            f"expected tiling blend or concat for model {model.name}, whose network sees patches of {PATCH_PX} px; got "
            "exact or whole"
        )
    return model.halo_px


def usual_tiling(model: ModelDescription) -> Tiling:
    """The best that a model has: exact, or blend where its network is for patches."""
    return Tiling.BLEND if model.halo_px is None else Tiling.EXACT


def run_tiled(
    tiling: Tiling,
    engine: Engine,
    model: ModelDescription,
    planes_in: Callable[[Window], NDArray[np.float32]],
    shape: tuple[int, int],
    tile_px: int = TILE_PX,
) -> NDArray[np.float32]:
    """Run a generator on an image. Returns its plane, (H, W) float32 of `shape`, which the model's stride divides.

    planes_in: as for `run_tiles`. tile_px: side of the tiles of `exact`, without their halo.
    """
    if tiling.patched:
        overlap_px = OVERLAP_PX if tiling is Tiling.BLEND else 0
        return run_patches(engine.run, planes_in, shape, overlap_px, engine.batch_px)
    halo = halo_of(model)
    # The whole is a single tile, which needs no halo.
    side, halo = (max(shape), 0) if tiling is Tiling.WHOLE else (tile_px, halo)
    planes = run_tiles(engine.run, planes_in, shape, side, halo, model.stride_px, engine.batch_px)
    image: NDArray[np.float32] = planes[0]
    return image
