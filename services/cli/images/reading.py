"""One image of a lab's file as the services take it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from biosynth.contract import TIFF
from biosynth.errors import InvalidInputError
from biosynth.scaling import Scaling, Span, scaling_for, span_of
from numpy.typing import NDArray

from services.cli.files import read_input, sha256_of
from services.cli.images.choosing import (
    Chosen,
    choose,
    choose_scene,
    with_colours_apart,
    with_named_axis,
)
from services.cli.images.colours import choose_colour, grey_of
from services.cli.images.lab_image import LabImage
from services.cli.images.opening import opened
from services.cli.images.projection import plane_at
from services.cli.images.stack import Stack
from services.cli.images.wish import ALL, MEAN, Wish, called
from services.cli.naming import naming
from services.common.errors import BiosynthError, InvalidArgument, InvalidImage
from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.formats.tiff import TiffPlanes
from services.common.imaging.ometiff import encode_channels

_CONTRACT_TYPES = (np.uint8, np.uint16, np.bool_)


def read_image(path: Path, wish: Wish, of: str = "") -> LabImage:
    """The one image that is meant. Raises InvalidArgument for --time all, and as `read_images`.

    of: as `add_wish` has it: errors and notes name options as the command calls them.
    """
    if wish.time == ALL:
        raise InvalidArgument("expected --time with the number of one frame; got all, and this command takes one image")
    try:
        with closing(read_images(path, wish)) as images:
            image = next(images)
    except BiosynthError as error:
        named = type(error)(called(error.message, of))
        named.metadata = error.metadata
        raise named from error
    return replace(image, notes=tuple(called(note, of) for note in image.notes))


def read_images(path: Path, wish: Wish) -> Generator[LabImage, None, None]:
    """The image that is meant, or with --time all each frame of it; one is in memory at a time.

    Raises InvalidImage, which names the file, where it is none that we read, where it is damaged or over the limits,
    and where the wish leaves open which plane is meant; WrongChannel for a channel that is not there.
    """
    with naming(path.name), _meant(path, wish) as (stack, chosen):
        if (as_it_is := _unchanged(path, stack, chosen, wish)) is not None:
            yield as_it_is
            return
        yield from _prepared(path, stack, chosen, wish)


def frames_of(path: Path, wish: Wish) -> tuple[int, Wish]:
    """How many frames a file has, and what to ask for so that each, read alone, has the colour and the scale of all.

    Raises as `read_images`.
    """
    with naming(path.name), _meant(path, replace(wish, time=ALL)) as (stack, chosen):
        if len(chosen.times) == 1:
            return 1, wish
        plane, colour, note = _plane_reader(stack, chosen, wish)
        scaling = _scaling(stack, chosen, chosen.channels[0], plane, wish)
        if note and wish.channel is None:
            wish = replace(wish, channel=colour)
        if scaling.low is not None and scaling.high is not None and scaling.low < scaling.high:
            wish = replace(wish, limits=(scaling.low, scaling.high))
        return len(chosen.times), wish


def has_times(path: Path) -> bool:
    """Whether the file names a time axis of several frames; not where it cannot be read."""
    try:
        with opened(path) as stacks:
            return any("T" in stack.axes for stack in stacks)
    except InvalidImage:
        return False


@contextmanager
def _meant(path: Path, wish: Wish) -> Iterator[tuple[Stack, Chosen]]:
    with opened(path) as stacks:
        stack = with_colours_apart(with_named_axis(choose_scene(stacks, wish.scene), wish), wish)
        ImageLimits().check_size(*stack.size, 1)
        yield stack, choose(stack, wish)


def _unchanged(path: Path, stack: Stack, chosen: Chosen, wish: Wish) -> LabImage | None:
    """The user's file itself, where services make the same of it; None where it must be prepared."""
    plain = wish.limits is None and set(stack.axes) <= {"C"} and stack.dtype in _CONTRACT_TYPES and path.is_file()
    if not plain or path.stat().st_size > ImageLimits().max_bytes or (stack.colour and not _is_grey(stack, wish)):
        return None
    data = read_input(path)
    several = stack.axes.get("C", 1) > 1
    if _planes(data) != stack.axes.get("C", 1):
        return None
    record = {"name": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    channels = _fields(chosen.channels, chosen.channels) if several else {}
    return LabImage(data, channels, stack.pixel_size_um, None, (), record)


def _planes(data: bytes) -> int:
    """Of how many planes services take a file; 0 where they refuse it, such as a TIFF of too many pages."""
    if not data.startswith(TIFF):
        return 1
    try:
        return len(TiffPlanes(data, ImageLimits()).planes)
    except InvalidImage:
        return 0


def _is_grey(stack: Stack, wish: Wish) -> bool:
    return not choose_colour(stack.read({}), wish.channel)[1]


def _plane_reader(stack: Stack, chosen: Chosen, wish: Wish) -> tuple[Callable[[int, int], NDArray[Any]], str, str]:
    """What reads the grey plane of a time and a channel; of colours, the one that is taken, and why."""
    colour, note = "", ""
    if stack.colour:
        first = plane_at(stack, chosen.times[0], chosen.channels[0], chosen.z, wish.z == MEAN)
        colour, note = choose_colour(first, None if "C" in stack.axes else wish.channel)

    def plane(time: int, channel: int) -> NDArray[Any]:
        found = plane_at(stack, time, channel, chosen.z, wish.z == MEAN)
        return grey_of(found, colour) if colour else found

    return plane, colour, note


def _prepared(path: Path, stack: Stack, chosen: Chosen, wish: Wish) -> Iterator[LabImage]:
    plane, _, note = _plane_reader(stack, chosen, wish)
    scalings = {channel: _scaling(stack, chosen, channel, plane, wish) for channel in chosen.channels}
    sha256 = sha256_of(path)
    for time in chosen.times:
        planes: list[NDArray[Any]] = [scalings[channel].apply(plane(time, channel)) for channel in chosen.channels]
        names = [stack.channels[channel] for channel in chosen.channels]
        data = encode_channels(np.stack(planes), names, stack.pixel_size_um)
        told = {
            "scene": stack.name,
            "channels": [{"index": number, "name": stack.channels[number]} for number in chosen.channels],
            "z": wish.z if chosen.z is None else chosen.z,
            "time": time,
            "colours": note,
            "scaling": [scalings[channel].note for channel in chosen.channels],
            "pixel_size_um": stack.pixel_size_um,
            "sent_sha256": hashlib.sha256(data).hexdigest(),
        }
        yield LabImage(
            data,
            _fields(chosen.channels, tuple(range(len(planes)))) if len(planes) > 1 else {},
            stack.pixel_size_um,
            time if wish.time == ALL else None,
            tuple(dict.fromkeys(text for text in (note, *(one.note for one in scalings.values())) if text)),
            {"name": path.name, "sha256": sha256, "prepared": told},
        )


def _scaling(
    stack: Stack, chosen: Chosen, channel: int, plane: Callable[[int, int], NDArray[Any]], wish: Wish
) -> Scaling:
    """One rule for all frames: their brightness stays comparable."""
    if stack.dtype in (np.uint8, np.uint16) and wish.limits is None:
        return Scaling()
    try:
        span = reduce(Span.joined, (span_of(plane(time, channel)) for time in chosen.times))
        return scaling_for(stack.dtype, span, wish.limits)
    except InvalidInputError as error:
        raise InvalidImage(f"{error} (--range A B)" if "range" in str(error) else str(error)) from error


def _fields(channels: tuple[int, ...], places: tuple[int, ...]) -> dict[str, int]:
    names = ("channel",) if len(channels) == 1 else ("nuclei_channel", "cells_channel")
    return dict(zip(names, places, strict=True))
