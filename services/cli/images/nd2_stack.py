"""ND2 (Nikon), by the reader nd2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cli.images.damage import damage_named
from services.cli.images.stack import Place, Stack, sizes_of

_KIND = "an ND2"
_POSITIONS = "P"


@contextmanager
def nd2_stacks(path: Path) -> Iterator[list[Stack]]:
    """The positions of an ND2 file. Raises InvalidImage for a damaged one."""
    import nd2

    with ExitStack() as opened:
        with damage_named(_KIND):
            file = opened.enter_context(nd2.ND2File(path))
            stacks = [_stack(file, position) for position in range(file.sizes.get(_POSITIONS, 1))]
        yield stacks


def _stack(file: Any, position: int) -> Stack:
    sizes = {axis: size for axis, size in file.sizes.items() if axis != _POSITIONS}
    colour = "S" in sizes
    loops = file.loop_indices

    def read(place: Place) -> NDArray[Any]:
        wanted = {"T": place.get("T", 0), "Z": place.get("Z", 0), _POSITIONS: position}
        matching = (
            number for number, one in enumerate(loops) if all(one.get(axis, 0) == at for axis, at in wanted.items())
        )
        with damage_named(_KIND):
            pixels = np.asarray(file.read_frame(next(matching)))  # (C, H, W), (H, W) or (H, W, S)
        return pixels[place.get("C", 0)] if pixels.ndim == 3 and not colour else pixels

    number = sizes.get("C", 1)
    names = [one.channel.name for one in (getattr(file.metadata, "channels", None) or ())]
    voxel = file.voxel_size()
    return Stack(
        name=str(position),
        axes=sizes_of("".join(sizes), tuple(sizes.values())),
        size=(sizes["Y"], sizes["X"]),
        dtype=np.dtype(file.dtype),
        colour=colour,
        channels=tuple(map(str, names)) if len(names) == number else ("",) * number,
        pixel_size_um=(voxel.y, voxel.x) if voxel.y > 0 and voxel.x > 0 else None,
        read=read,
    )
