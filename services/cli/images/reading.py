"""One image of a lab's file as the services take it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from services.cli.images.choosing import (
    Chosen,
    choose,
    choose_scene,
    with_colours_apart,
    with_named_axis,
)
from services.cli.images.lab_image import LabImage
from services.cli.images.opening import opened
from services.cli.images.preparing import plane_reader, prepared, scaling_of
from services.cli.images.stack import Stack
from services.cli.images.unchanged import unchanged
from services.cli.images.wish import ALL, Wish, called
from services.cli.naming import naming, rewording
from services.common.errors import InvalidArgument, InvalidImage
from services.common.imaging.formats.limits import ImageLimits


def read_image(path: Path, wish: Wish, of: str = "") -> LabImage:
    """The one image that is meant. Raises InvalidArgument for --time all, and as `read_images`.

    of: as `add_wish` has it: errors and notes name options as the command calls them.
    """
    if wish.time == ALL:
        raise InvalidArgument("expected --time with the number of one frame; got all, and this command takes one image")
    with rewording(lambda text: called(text, of)), closing(read_images(path, wish)) as images:
        image = next(images)
    return replace(image, notes=tuple(called(note, of) for note in image.notes))


def read_images(path: Path, wish: Wish) -> Generator[LabImage, None, None]:
    """The image that is meant, or with --time all each frame of it; one is in memory at a time.

    Raises InvalidImage, which names the file, where it is none that we read, where it is damaged or over the limits,
    and where the wish leaves open which plane is meant; WrongChannel for a channel that is not there.
    """
    with naming(path.name), _meant(path, wish) as (stack, chosen):
        if (as_it_is := unchanged(path, stack, chosen, wish)) is not None:
            yield as_it_is
            return
        yield from prepared(path, stack, chosen, wish)


def frames_of(path: Path, wish: Wish) -> tuple[int, Wish]:
    """How many frames a file has, and what to ask for so that each, read alone, has the colour and the scale of all.

    Raises as `read_images`.
    """
    with naming(path.name), _meant(path, replace(wish, time=ALL)) as (stack, chosen):
        if len(chosen.times) == 1:
            return 1, wish
        plane, colour, note = plane_reader(stack, chosen, wish)
        scaling = scaling_of(stack, chosen, chosen.channels[0], plane, wish)
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
