"""Time series of frames: files numbered in their names, or the planes of a stack."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.cli.folders import list_images, stem_of
from services.cli.images.lab_image import LabImage
from services.cli.images.reading import frames_of, has_times, read_image
from services.cli.images.wish import Wish
from services.cli.sources import is_folder
from services.common.errors import InvalidImage

# A number after a word for time, perhaps with a unit: t3, T_03, time12, frame-7, t24h; else the last number counts.
_MARKED = re.compile(r"(?<![a-z])(?:t|time|frame|f)[ _-]?(\d+)(?:h|hrs?|min|s)?(?![a-z0-9])", re.IGNORECASE)
_LAST = re.compile(r"(\d+)(?!.*\d)")
_NO_NUMBER = "expected a number that rises with time in every name, such as t0, t1 ... t10, or in B5_t003.tif"


@dataclass(frozen=True)
class Frame:
    """One image of a series. wish: how its file is read. plane: of a stack, from 0; None: the file is one image."""

    path: Path
    number: int
    wish: Wish
    plane: int | None = None

    @property
    def name(self) -> str:
        """What it is called in tables and messages."""
        return self.path.name if self.plane is None else f"{self.path.name}[{self.plane}]"

    def read(self) -> LabImage:
        """What it shows. Raises InvalidImage that names the file."""
        return read_image(self.path, replace(self.wish, time=None if self.plane is None else str(self.plane)))


@dataclass(frozen=True)
class Series:
    """Frames of one well or field, in time. missing: numbers without a frame between the first of all and its last."""

    name: str
    frames: tuple[Frame, ...]
    hours: tuple[float, ...]
    missing: tuple[int, ...]


def list_series(sources: Sequence[Path], interval_hours: float, wish: Wish) -> list[Series]:
    """The series of folders and stacks, by name; a folder has one for each name that its files have but for the number,
    or, where its first file has a time axis, one for each file.

    The step from frame to frame is the greatest common divisor of all differences of numbers in all series, and time 0
    the least number: a frame that is not there leaves a gap of the right length. wish: which planes of files. Raises
    InvalidImage for a source without frames, a name without a number, or two frames of one time.
    """
    named: dict[str, list[Frame]] = {}
    for source in sources:
        found = _of_folder(source, wish) if is_folder(source) else {stem_of(source): _of_stack(source, wish)}
        for name, frames in found.items():
            folder = source.resolve().name
            full = f"{folder}/{name}" if is_folder(source) and len(sources) > 1 and name != folder else name
            if full in named:
                raise InvalidImage(f"expected series of different names; {full} comes twice; give one of them another")
            named[full] = sorted(frames, key=lambda frame: frame.number)
            _check_times(named[full])
    numbers = sorted({frame.number for frames in named.values() for frame in frames})
    step = math.gcd(*(number - numbers[0] for number in numbers)) or 1
    return [_timed(name, frames, numbers[0], step, interval_hours) for name, frames in sorted(named.items())]


def split_name(stem: str) -> tuple[str, int] | None:
    """What a file's name says of its series, and its number in time; None where it holds no number.

    >>> split_name("cp_DMSO_B5_t24"), split_name("sas_00"), split_name("B5-t003_phase"), split_name("t7")
    (('cp_DMSO_B5', 24), ('sas', 0), ('B5_phase', 3), ('', 7))
    """
    found = [*_MARKED.finditer(stem)][-1:] or [*_LAST.finditer(stem)]
    if not found:
        return None
    before, after = stem[: found[0].start()].rstrip(" _-."), stem[found[0].end() :].strip(" _-.")
    return "_".join(filter(None, (before, after))), int(found[0][1])


def _of_folder(folder: Path, wish: Wish) -> dict[str, list[Frame]]:
    paths = list_images(folder)
    if has_times(paths[0]):
        return {stem_of(path): _of_stack(path, wish) for path in paths}
    series = defaultdict(list)
    for path in paths:
        if (split := split_name(stem_of(path))) is None:
            raise InvalidImage(f"{path}: {_NO_NUMBER}; got none")
        series[split[0] or folder.resolve().name].append(Frame(path, split[1], wish))
    return dict(series)


def _of_stack(path: Path, wish: Wish) -> list[Frame]:
    times, wish = frames_of(path, wish)
    if times < 2:
        raise InvalidImage(f"{path}: expected a folder, or a stack of frames; got a single image")
    return [Frame(path, number, wish, number) for number in range(times)]


def _check_times(frames: Iterable[Frame]) -> None:
    seen: dict[int, Frame] = {}
    for frame in frames:
        if frame.number in seen:
            raise InvalidImage(
                f"expected one frame for each time; {seen[frame.number].path} and {frame.path} are both number "
                f"{frame.number}; rename one, or keep one in another folder"
            )
        seen[frame.number] = frame


def _timed(name: str, frames: Sequence[Frame], origin: int, step: int, interval_hours: float) -> Series:
    numbers = [frame.number for frame in frames]
    missing = sorted({*range(origin, numbers[-1] + 1, step)} - {*numbers})
    hours = tuple((number - origin) / step * interval_hours for number in numbers)
    return Series(name, tuple(frames), hours, tuple(missing))
