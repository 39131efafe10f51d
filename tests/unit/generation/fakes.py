"""A model description and an engine in plain numpy, so that the generator's own logic shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.common.imaging.tiling import Window
from services.generation.appearance import Appearance
from services.generation.looks import AppearanceRecord
from services.generation.model import ModelDescription
from services.generation.roles import LevelRoles

ROLES = LevelRoles(background=(0,), interior=(1,), boundary=(2,))
# Planes of a model with three levels: one-hot 0 to 2, object mean, deviation, two of glow, noise, sharpness, textures.
INTERIOR, MEAN, DEVIATION, TEXTURE = 1, 3, 4, 9
LOOKS = (
    AppearanceRecord(Appearance(0.1, 0.3, 0.2, 0.02, 0.5), ((0.8, 0.2), (1.2, 0.4))),
    AppearanceRecord(Appearance(0.2, 0.4, 0.1, 0.01, 0.3), ((0.9, 0.1), (1.1, 0.3), (1.0, 0.2))),
)


def windows_of(planes: NDArray[np.float32]) -> Callable[[Window], NDArray[np.float32]]:
    """What run_tiles takes, from planes (P, H, W) that are all there."""
    return lambda window: planes[:, *window]


def description(
    records: tuple[AppearanceRecord, ...] = LOOKS, name: str = "fake", sha256: str = "", version: str = "1"
) -> ModelDescription:
    """A description of a model under `nuclei3`, with the reach of BoxEngine."""
    return ModelDescription(
        name=name,
        version=version,
        description="A box filter.",
        schema_name="nuclei3",
        schema_version=1,
        roles=ROLES,
        halo_px=8,
        stride_px=4,
        parameters=9,
        sha256=sha256,
        safetensors_sha256="",
        training={"steps": 0},
        records=records,
    )


@dataclass
class BoxEngine:
    """Sums three planes over 4 x 4 pixels, then over 3 x 3 such blocks with zeros outside: 7 px of reach, stride 4.

    Every output is summed in the same order wherever it lies, so that tiles and whole agree to the last bit.
    """

    planes: tuple[int, int, int] = (INTERIOR, MEAN, TEXTURE)
    name: str = "numpy"
    precision: str = "float32"
    batch_px: int = 0
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, C, H, W) to (B, 1, H, W)."""
        self.shapes.append(planes.shape)
        first, second, third = (planes[:, index] for index in self.planes)
        blocks = _sum_of([(first + second + third)[:, y::4, x::4] for y in range(4) for x in range(4)])
        height, width = blocks.shape[1:]
        framed = np.pad(blocks, ((0, 0), (1, 1), (1, 1)))
        box = _sum_of([framed[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]) / np.float32(144)
        result: NDArray[np.float32] = box.repeat(4, axis=1).repeat(4, axis=2)[:, None]
        return result

    def rest(self) -> None:
        """Nothing is kept."""


def _sum_of(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = np.zeros_like(arrays[0])
    for array in arrays:
        total = total + array
    return total


def disks(height: int, width: int, step: int = 24, radius: int = 8) -> NDArray[np.uint8]:
    """A reference under `nuclei3`: nuclei on a grid, each with a boundary of about a pixel."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y % step - step / 2, x % step - step / 2)
    return np.where(distance < radius - 1, 1, np.where(distance < radius, 2, 0)).astype(np.uint8)
