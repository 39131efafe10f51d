"""The same for many images: one after the other, with what failed told at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biosynth.errors import BiosynthCallError, InvalidInputError

from services.cli.console import Console
from services.cli.exits import FAULT, UNREACHABLE, exit_code
from services.cli.pace import Pace
from services.common.errors import BiosynthError, InvalidImage


@dataclass(frozen=True)
class Failed:
    """An image of which nothing came, and why."""

    path: Path
    why: str
    code: int


def for_each(
    work: Callable[[Path], Sequence[dict[str, Any]]], paths: Sequence[Path], console: Console
) -> tuple[list[dict[str, Any]], list[Failed]]:
    """What `work` returned for all images, of a time series one for each frame, and those for which it failed.

    Raises what it raised where a service or the store cannot be reached: the next image would fare no better.
    """
    done: list[dict[str, Any]] = []
    failed: list[Failed] = []
    pace = Pace(console, len(paths), "images")
    with console.progress(total=len(paths), unit="image") as bar:
        for path in paths:
            bar.set_description(path.name)
            try:
                done.extend(work(path))
            except (BiosynthError, BiosynthCallError, InvalidInputError) as error:
                if exit_code(error) == UNREACHABLE:
                    raise
                why = str(getattr(error, "message", error)).removeprefix(f"{path.name}: ")
                failed.append(Failed(path, why, exit_code(error)))
            bar.update(1)
            pace.step()
    return done, failed


def raise_for(failed: Sequence[Failed], images: int, where: object) -> None:
    """Raise InvalidImage that names all images that failed; BiosynthError where one of them did by a fault of ours."""
    if failed:
        error = BiosynthError if any(one.code == FAULT for one in failed) else InvalidImage
        lines = [f"{one.path.name}: {one.why}" for one in failed]
        raise error("\n".join([f"{len(failed)} of {images} images failed; the others are in {where}", *lines]))
