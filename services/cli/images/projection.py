"""A plane of a stack, or the projection of all its depths."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cli.images.stack import Stack


def plane_at(stack: Stack, time: int, channel: int, z: int | None, mean: bool = False) -> NDArray[Any]:
    """The plane at a place, as `Stack.read` gives it.

    z None: the greatest value that a pixel has at any depth, or the mean of all, of integers rounded. Two planes are in
    memory at a time, whatever the depth.
    """
    if z is not None:
        return stack.read({"T": time, "C": channel, "Z": z})
    depths = stack.axes["Z"]
    planes = (stack.read({"T": time, "C": channel, "Z": depth}) for depth in range(depths))
    first = next(planes)
    if not mean:
        most = np.array(first)
        for plane in planes:
            np.maximum(most, plane, out=most)
        return most
    total = np.array(first, np.float64)
    for plane in planes:
        total += plane
    total /= depths
    return (total if stack.dtype.kind == "f" else np.rint(total)).astype(stack.dtype)
