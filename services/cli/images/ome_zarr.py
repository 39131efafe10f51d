"""OME-Zarr (NGFF 0.4 and 0.5): a folder with a picture in chunks, at several sizes of which the largest is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cli.images.damage import damage_named
from services.cli.images.stack import Place, Stack, sizes_of
from services.common.errors import InvalidImage

_MARKS = ("zarr.json", ".zgroup", ".zattrs")
_UNIT_UM = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6, "angstrom": 1e-4}
_WAY_OUT = "give the folder of one image, the one that holds `multiscales`"


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


@contextmanager
def zarr_stacks(path: Path) -> Iterator[list[Stack]]:
    """The image of an OME-Zarr folder. Raises InvalidImage where its metadata or chunks are not as NGFF has them."""
    import zarr

    try:
        group = zarr.open_group(str(path), mode="r")
        told: dict[str, Any] = dict(group.attrs)
        told = told.get("ome", told)  # 0.5 and later
        multiscale = told["multiscales"][0]
        dataset = multiscale["datasets"][0]
        array = group[dataset["path"]]
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        what = "a plate of many images" if (path / "zarr.json").exists() or (path / ".zattrs").exists() else "a group"
        raise InvalidImage(f"expected an OME-Zarr image; got {what} without one ({error}); {_WAY_OUT}") from error
    yield [_stack(array, multiscale, dataset, told)]


def _stack(array: Any, multiscale: Mapping[str, Any], dataset: Mapping[str, Any], told: Mapping[str, Any]) -> Stack:
    entries = [one if isinstance(one, dict) else {"name": one} for one in multiscale.get("axes", list("tczyx"))]
    axes = "".join(str(one["name"]).upper() for one in entries)
    if len(axes) != len(array.shape) or not {"Y", "X"} <= set(axes):
        raise InvalidImage(
            f"expected an OME-Zarr image with an axis for each size, y and x among them; got axes {axes!r}"
        )
    sizes = sizes_of(axes, array.shape)

    def read(place: Place) -> NDArray[Any]:
        with damage_named("an OME-Zarr"):
            return np.asarray(array[tuple(slice(None) if axis in "YX" else place.get(axis, 0) for axis in axes)])

    channels = [str(one.get("label", "")) for one in told.get("omero", {}).get("channels", ())]
    number = sizes.get("C", 1)
    return Stack(
        name=str(multiscale.get("name", "")),
        axes=sizes,
        size=(array.shape[axes.index("Y")], array.shape[axes.index("X")]),
        dtype=np.dtype(array.dtype),
        colour=False,
        channels=tuple(channels) if len(channels) == number else ("",) * number,
        pixel_size_um=_pixel_size(entries, axes, dataset, multiscale),
        read=read,
    )


def _pixel_size(
    entries: list[dict[str, Any]], axes: str, dataset: Mapping[str, Any], multiscale: Mapping[str, Any]
) -> tuple[float, float] | None:
    """Scales of the picture and of all pictures, multiplied, in the axes' units; None where there is no known unit."""
    steps = [*dataset.get("coordinateTransformations", ()), *multiscale.get("coordinateTransformations", ())]
    scales = [step["scale"] for step in steps if step.get("type") == "scale" and len(step["scale"]) == len(axes)]
    places = [axes.index(axis) for axis in "YX"]
    units = [_UNIT_UM.get(str(entries[place].get("unit", ""))) for place in places]
    if not scales or None in units:
        return None
    down, right = (
        float(unit or 0) * math.prod(float(scale[place]) for scale in scales)
        for unit, place in zip(units, places, strict=True)
    )
    return (down, right) if 0 < down < math.inf and 0 < right < math.inf else None
