"""The same for many images: one after the other, with what failed told at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biosynth.errors import BiosynthCallError, InvalidInputError

from services.cli.console import Console
from services.cli.exits import FAULT, exit_code, is_outage
from services.cli.pace import Pace
from services.common.errors import BiosynthError, InvalidImage


@dataclass(frozen=True)
class Failed:
    """An image of which nothing came, and why. outage: the error, where the images after it were not tried for it."""

    path: Path
    why: str
    code: int
    outage: BiosynthError | BiosynthCallError | None = None


def for_each(
    work: Callable[[Path], Sequence[dict[str, Any]]], paths: Sequence[Path], console: Console
) -> tuple[list[dict[str, Any]], list[Failed]]:
    """What `work` returned for all images, of a time series one for each frame, and those for which it failed.

    Where a service or the store cannot be reached, the next image would fare no better: the one at hand is then the
    last, for `raise_for` to tell; as the first of all, it raises what `work` raised.
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
                failed.append(_failed(path, error))
                if failed[-1].outage is not None:
                    if path == paths[0]:
                        raise
                    break
            bar.update(1)
            pace.step()
    return done, failed


def _failed(path: Path, error: BiosynthError | BiosynthCallError | InvalidInputError) -> Failed:
    why = str(getattr(error, "message", error)).removeprefix(f"{path.name}: ")
    outage = None if isinstance(error, InvalidInputError) or not is_outage(error) else error
    return Failed(path, why, exit_code(error), outage)


def raise_for(failed: Sequence[Failed], images: int, where: object) -> None:
    """Raise InvalidImage that names all images that failed; BiosynthError where one of them did by a fault of ours.

    Where services could not be reached any more, raises what told so, with the same in its message.
    """
    if not failed:
        return
    lines = [f"{one.path.name}: {one.why}" for one in failed]
    if (outage := failed[-1].outage) is not None:
        outage.message = "\n".join([f"ended at {failed[-1].path.name}; what was done before is in {where}", *lines])
        raise outage
    error = BiosynthError if any(one.code == FAULT for one in failed) else InvalidImage
    raise error("\n".join([f"{len(failed)} of {images} images failed; the others are in {where}", *lines]))
