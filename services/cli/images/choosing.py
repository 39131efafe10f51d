"""Which planes of a stack a wish means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.cli.images.colours import PRIMARIES
from services.cli.images.stack import UNNAMED, Stack
from services.cli.images.wish import ALL, MAX, MEAN, Wish
from services.common.errors import InvalidArgument, InvalidImage, WrongChannel
from services.common.imaging.images import choose_channel

_OPTIONS = {"C": "channel", "Z": "z", "T": "time"}


@dataclass(frozen=True)
class Chosen:
    """Planes by their indices. channels: one, or that of nuclei and that of cells. z: None for a projection of all."""

    channels: tuple[int, ...]
    z: int | None
    times: tuple[int, ...]


def choose_scene(stacks: Sequence[Stack], scene: str | None) -> Stack:
    """The image of a file that is meant, by number or name. Raises InvalidImage where that is not clear."""
    names = [stack.name for stack in stacks]
    if scene is None and len(stacks) == 1:
        return stacks[0]
    if scene in names:
        return stacks[names.index(scene)]
    if scene is not None and scene.isdecimal() and int(scene) < len(stacks):
        return stacks[int(scene)]
    listed = ", ".join(
        f"{number} ({stack.name or 'no name'}: {stack.described()})" for number, stack in enumerate(stacks)
    )
    came = "a file of several" if scene is None else f"--scene {scene}"
    raise InvalidImage(
        f"expected one image, by --scene 0 to {len(stacks) - 1} or its name; got {came}: {listed[:2000]}"
    )


def with_named_axis(stack: Stack, wish: Wish) -> Stack:
    """Take pages that a file does not name for what the wish speaks of: time, depth, else channels."""
    if UNNAMED not in stack.axes:
        return stack
    axis = "T" if wish.time is not None else "Z" if wish.z is not None else "C"
    if axis in stack.axes:
        raise InvalidImage(f"expected axes with names; got {stack.described()}; save it as OME-TIFF")
    number = stack.axes[UNNAMED]
    channels = stack.channels
    if axis == "C":
        channels = channels if len(channels) == number else ("",) * number
    return replace(
        stack,
        axes={axis if name == UNNAMED else name: size for name, size in stack.axes.items()},
        channels=channels,
        read=lambda place: stack.read({**place, UNNAMED: place.get(axis, 0)}),
    )


def with_colours_apart(stack: Stack, wish: Wish) -> Stack:
    """Take colours for channels where two of them are meant: one with nuclei, one with cells."""
    if not stack.colour or "C" in stack.axes or wish.nuclei_channel is None:
        return stack
    return replace(
        stack,
        axes={**stack.axes, "C": len(PRIMARIES)},
        colour=False,
        channels=PRIMARIES,
        read=lambda place: stack.read(place)[:, :, place.get("C", 0)],
    )


def choose(stack: Stack, wish: Wish) -> Chosen:
    """The planes that are meant. Raises InvalidImage where an axis has several entries and nothing is said of it."""
    channels = _two_channels(stack, wish)
    open_axes = [
        axis
        for axis, option in _OPTIONS.items()
        if axis in stack.axes and getattr(wish, option) is None and not (axis == "C" and channels)
    ]
    if open_axes:
        ways = ", ".join(_way(axis, stack.axes[axis]) for axis in open_axes)
        message = f"expected one plane; got {stack.described()}; choose with {ways}"
        if open_axes == ["C"]:
            raise WrongChannel(message, asked="", channels=stack.axes["C"])
        raise InvalidImage(message)
    return Chosen(channels or (_one_channel(stack, wish.channel),), _depth(stack, wish.z), _times(stack, wish.time))


def _way(axis: str, size: int) -> str:
    extra = {"C": " or its name", "Z": ", max or mean", "T": " or all (segment and run)"}[axis]
    return f"--{_OPTIONS[axis]} 0 to {size - 1}{extra}"


def _two_channels(stack: Stack, wish: Wish) -> tuple[int, ...]:
    asked = (wish.nuclei_channel, wish.cells_channel)
    if asked == (None, None):
        return ()
    if None in asked or wish.channel is not None:
        raise InvalidArgument("expected --nuclei-channel and --cells-channel together, without --channel")
    found = tuple(_channel(stack, name) for name in asked if name is not None)
    if found[0] == found[1]:
        raise InvalidArgument(
            f"expected --nuclei-channel and --cells-channel to differ; got {asked[0]} and {asked[1]}, the same; for an "
            "image of one channel leave both out"
        )
    return found


def _one_channel(stack: Stack, name: str | None) -> int:
    """Of colours, the name means one of them and no channel of the stack."""
    return 0 if name is None or (stack.colour and "C" not in stack.axes) else _channel(stack, name)


def _channel(stack: Stack, name: str) -> int:
    """A channel by its name, which goes first, or by its number. Raises WrongChannel where there is none."""
    if name in stack.channels:
        return stack.channels.index(name)
    if name.isdecimal():
        return choose_channel(stack.channels, int(name))
    known = ", ".join(name for name in stack.channels if name) or "without names"
    number = len(stack.channels)
    raise WrongChannel(
        f"expected a channel from 0 to {number - 1} or its name; the file's are {known}; got {name!r}",
        asked=name,
        channels=number,
    )


def _depth(stack: Stack, z: str | None) -> int | None:
    depths = stack.axes.get("Z", 1)
    if z in (MAX, MEAN):
        return None if depths > 1 else 0
    return _number("z", z, depths)


def _times(stack: Stack, time: str | None) -> tuple[int, ...]:
    times = stack.axes.get("T", 1)
    return tuple(range(times)) if time == ALL else (_number("time", time, times),)


def _number(option: str, text: str | None, size: int) -> int:
    number = int(text or 0)
    if number >= size:
        came = f"0 to {size - 1}" if size > 1 else "0, the only one"
        raise InvalidImage(f"expected --{option} {came}; got {number}")
    return number
