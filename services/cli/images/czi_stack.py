"""CZI (Zeiss), by Zeiss's own reader, pylibCZIrw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cli.images.damage import damage_named
from services.cli.images.stack import Place, Stack, sizes_of
from services.common.errors import InvalidImage

_KIND = "a CZI"
_TYPES = {"Gray8": np.uint8, "Gray16": np.uint16, "Gray32Float": np.float32, "Bgr24": np.uint8, "Bgr48": np.uint16}


@contextmanager
def czi_stacks(path: Path) -> Iterator[list[Stack]]:
    """The scenes of a CZI file, each with its tiles put together. Raises InvalidImage for a damaged one."""
    from pylibCZIrw import czi

    with ExitStack() as opened:
        with damage_named(_KIND):
            file = opened.enter_context(czi.open_czi(str(path)))
            scenes = file.scenes_bounding_rectangle or {None: file.total_bounding_rectangle}
            stacks = [_stack(file, scene, rectangle) for scene, rectangle in scenes.items()]
        yield stacks


def _stack(file: Any, scene: int | None, rectangle: Any) -> Stack:
    box = file.total_bounding_box
    shape = {axis: end - start for axis, (start, end) in box.items() if axis not in "YX"}
    kinds = set(file.pixel_types.values())
    kind = next(iter(kinds))
    if len(kinds) > 1 or kind not in _TYPES:
        raise InvalidImage(f"expected a CZI of one of {', '.join(_TYPES)}; got {', '.join(map(str, kinds))}")
    colour = kind.startswith("Bgr")

    def read(place: Place) -> NDArray[Any]:
        plane = {axis: box[axis][0] + place.get(axis, 0) for axis in shape}
        with damage_named(_KIND):
            pixels = np.asarray(file.read(plane=plane, scene=scene))
        return pixels[:, :, ::-1] if colour else pixels[:, :, 0]

    metadata = file.metadata.get("ImageDocument", {}).get("Metadata", {})
    number = shape.get("C", 1)
    return Stack(
        name="" if scene is None else str(scene),
        axes=sizes_of("".join(shape), tuple(shape.values())),
        size=(rectangle.h, rectangle.w),
        dtype=np.dtype(_TYPES[kind]),
        colour=colour,
        channels=_names(metadata, number),
        pixel_size_um=_pixel_size(metadata),
        read=read,
    )


def _names(metadata: Mapping[str, Any], number: int) -> tuple[str, ...]:
    told = _below(metadata, "Information", "Image", "Dimensions", "Channels", "Channel")
    names = [str(one.get("@Name", "")) for one in _listed(told)]
    return tuple(names) if len(names) == number else ("",) * number


def _pixel_size(metadata: Mapping[str, Any]) -> tuple[float, float] | None:
    """In um; the file has metres."""
    found: dict[Any, Any] = {
        one.get("@Id"): one.get("Value") for one in _listed(_below(metadata, "Scaling", "Items", "Distance"))
    }
    try:
        down, right = (float(found[axis]) * 1e6 for axis in "YX")
    except (KeyError, TypeError, ValueError):
        return None
    return (down, right) if down > 0 and right > 0 else None


def _below(metadata: Any, *names: str) -> Any:
    for name in names:
        metadata = metadata.get(name) if isinstance(metadata, dict) else None
    return metadata


def _listed(told: Any) -> list[dict[str, Any]]:
    """A single element stands alone, where XML was turned into dicts."""
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, dict)]
