"""The planes of a lab's file that are meant, scaled and written as services take them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from biosynth.errors import InvalidInputError
from biosynth.scaling import Scaling, Span, scaling_for, span_of
from numpy.typing import NDArray

from services.cli.files import sha256_of
from services.cli.images.choosing import Chosen
from services.cli.images.colours import choose_colour, grey_of
from services.cli.images.lab_image import LabImage, channel_fields
from services.cli.images.projection import plane_at
from services.cli.images.stack import Stack
from services.cli.images.wish import ALL, MEAN, Wish
from services.common.errors import InvalidImage
from services.common.imaging.ometiff import encode_channels

PlaneReader: TypeAlias = Callable[[int, int], NDArray[Any]]  # of a time and a channel, (H, W)


def prepared(path: Path, stack: Stack, chosen: Chosen, wish: Wish) -> Iterator[LabImage]:
    """For each time an OME-TIFF of the planes that are meant. Raises InvalidImage where they cannot be scaled."""
    plane, _, note = plane_reader(stack, chosen, wish)
    scalings = [scaling_of(stack, chosen, channel, plane, wish) for channel in chosen.channels]
    notes = tuple(dict.fromkeys(text for text in (note, *(scaling.note for scaling in scalings)) if text))
    names = [stack.channels[channel] for channel in chosen.channels]
    fields = channel_fields(chosen.channels, tuple(range(len(names)))) if len(names) > 1 else {}
    sha256 = sha256_of(path)
    for time in chosen.times:
        planes: list[NDArray[Any]] = [
            scaling.apply(plane(time, channel)) for channel, scaling in zip(chosen.channels, scalings, strict=True)
        ]
        data = encode_channels(np.stack(planes), names, stack.pixel_size_um)
        told = {
            "scene": stack.name,
            "channels": [{"index": number, "name": stack.channels[number]} for number in chosen.channels],
            "z": wish.z if chosen.z is None else chosen.z,
            "time": time,
            "colours": note,
            "scaling": [scaling.note for scaling in scalings],
            "pixel_size_um": stack.pixel_size_um,
            "sent_sha256": hashlib.sha256(data).hexdigest(),
        }
        record = {"name": path.name, "sha256": sha256, "prepared": told}
        yield LabImage(data, fields, stack.pixel_size_um, time if wish.time == ALL else None, notes, record)


def plane_reader(stack: Stack, chosen: Chosen, wish: Wish) -> tuple[PlaneReader, str, str]:
    """What reads the grey plane of a time and a channel; of colours, the one that is taken, and why."""
    colour, note = "", ""
    if stack.colour:
        first = plane_at(stack, chosen.times[0], chosen.channels[0], chosen.z, wish.z == MEAN)
        colour, note = choose_colour(first, None if "C" in stack.axes else wish.channel)

    def plane(time: int, channel: int) -> NDArray[Any]:
        found = plane_at(stack, time, channel, chosen.z, wish.z == MEAN)
        return grey_of(found, colour) if colour else found

    return plane, colour, note


def scaling_of(stack: Stack, chosen: Chosen, channel: int, plane: PlaneReader, wish: Wish) -> Scaling:
    """One rule for all frames: their brightness stays comparable."""
    if stack.dtype in (np.uint8, np.uint16) and wish.limits is None:
        return Scaling()
    try:
        span = reduce(Span.joined, (span_of(plane(time, channel)) for time in chosen.times))
        return scaling_for(stack.dtype, span, wish.limits)
    except InvalidInputError as error:
        raise InvalidImage(f"{error} (--range A B)" if "range" in str(error) else str(error)) from error
