"""Many images one after the other: which failures are an image's own, and what is told of the rest."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from biosynth.errors import BiosynthCallError

from services.cli.batch import for_each, raise_for
from services.cli.commands import generate, run, segment
from services.cli.console import Console
from services.cli.exits import UNREACHABLE, exit_code
from services.common.errors import DeviceFull, InvalidImage, Overloaded, StoreFull, StoreUnavailable
from tests.support.commands import runner

NAMES = ("a.png", "b.png", "c.png")
LATE = BiosynthCallError(grpc.StatusCode.DEADLINE_EXCEEDED, "did not answer in time", "TIMEOUT")
GONE = BiosynthCallError(grpc.StatusCode.UNAVAILABLE, "no server answers", "NO_SERVER")
FOUND = {
    **dict.fromkeys(("height_px", "width_px", "cells", "nuclei", "at_border"), 8),
    **dict.fromkeys(("pixel_size_um", "choice_confidence", "wound_fraction")),
    **{"segmenter": "nuclei", "segmenter_version": "1", "means": {}, "warnings": [], "unsuitable": []},
}
Work = Callable[[Path], list[dict[str, Any]]]


@dataclass(frozen=True)
class Whole:
    """In place of an image that is read: one of no time series."""

    path: Path
    frame: int | None = None


def failing(errors: dict[str, Exception]) -> Work:
    """Work that raises these errors, by the names of images, and else returns the name."""

    def work(path: Path) -> list[dict[str, Any]]:
        if path.name in errors:
            raise errors[path.name]
        return [{"image": path.name}]

    return work


def batch(errors: dict[str, Exception]) -> tuple[list[str], list[str]]:
    """Names of those done and of those that failed."""
    done, failed = for_each(failing(errors), [Path(name) for name in NAMES], Console(False, True))
    return [one["image"] for one in done], [one.path.name for one in failed]


@pytest.mark.parametrize(
    "error",
    [
        LATE,
        DeviceFull("no memory left"),
        BiosynthCallError(grpc.StatusCode.RESOURCE_EXHAUSTED, "no memory left", "DEVICE_FULL"),
        BiosynthCallError(grpc.StatusCode.RESOURCE_EXHAUSTED, "over the limit", "MESSAGE_TOO_LARGE"),
        BiosynthCallError(grpc.StatusCode.RESOURCE_EXHAUSTED, "over the limit", "OBJECT_TOO_LARGE"),
        InvalidImage("no image"),
        BiosynthCallError(grpc.StatusCode.INTERNAL, "unexpected"),
    ],
    ids=str,
)
def test_what_is_wrong_with_one_image_does_not_stop_the_others(error: Exception) -> None:
    assert batch({"b.png": error}) == (["a.png", "c.png"], ["b.png"])
    assert batch({"a.png": error}) == (["b.png", "c.png"], ["a.png"])


@pytest.mark.parametrize(
    "error",
    [
        GONE,
        StoreUnavailable("the store does not answer"),
        StoreFull("no room"),
        Overloaded("too many wait"),
        BiosynthCallError(grpc.StatusCode.RESOURCE_EXHAUSTED, "the store refused", "TRANSFER_FAILED"),
    ],
    ids=str,
)
def test_where_services_are_out_of_reach_no_further_image_is_tried_and_what_was_done_is_kept(error: Exception) -> None:
    assert batch({"b.png": error}) == (["a.png"], ["b.png"])
    with pytest.raises(type(error)) as caught:
        batch({"a.png": error})
    assert caught.value is error


def test_the_error_that_ended_a_batch_is_raised_with_what_failed_before_it() -> None:
    paths, work = [Path(name) for name in NAMES], failing({"a.png": InvalidImage("no image"), "b.png": copy(GONE)})
    _, failed = for_each(work, paths, Console(False, True))
    with pytest.raises(BiosynthCallError) as caught:
        raise_for(failed, 2, "out")
    assert exit_code(caught.value) == UNREACHABLE
    assert caught.value.message.splitlines() == [
        "ended at b.png; what was done before is in out",
        "a.png: no image",
        "b.png: no server answers",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in NAMES:
        (tmp_path / "in" / name).touch()
    return tmp_path


@pytest.mark.parametrize(("error", "code", "tried"), [(LATE, 3, NAMES), (GONE, 4, NAMES[:2])], ids=str)
@pytest.mark.parametrize("command", ["run", "segment", "generate"])
def test_the_summary_and_the_answer_have_what_was_done_before_an_error(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    error: Exception,
    code: int,
    tried: tuple[str, ...],
) -> None:
    work = failing({"b.png": copy(error)})
    _without_services(monkeypatch, work)
    more = ("--model", "fluo-nuclei") if command == "generate" else ()
    ended, answer, said = runner(capsys)(command, folder / "in", "--out", folder / "out", "--json", *more)
    assert ended == code and "b.png: " in said
    assert len(json.loads(answer)["images"]) == len(tried) - 1 and len(json.loads(answer)["failed"]) == 1
    if command != "generate":
        with (folder / "out" / "summary.csv").open(newline="") as file:
            status = {Path(row["image"]).name: row["status"] for row in csv.DictReader(file)}
        assert status == {name: "failed" if name == "b.png" else "done" for name in tried}


def _without_services(monkeypatch: pytest.MonkeyPatch, work: Work) -> None:
    """Have the commands do this in place of what asks services."""

    @contextmanager
    def no_session(*_: object) -> Iterator[None]:
        yield

    def segmented(image: Whole, target: Path, *_: object) -> dict[str, Any]:
        return {**work(image.path)[0], **FOUND, "file": str(target)}

    def ran(image: Whole, *_: object) -> dict[str, Any]:
        return {**work(image.path)[0], "segmentation": FOUND, "stopped": []}

    for module in (run, segment, generate):
        monkeypatch.setattr(module, "open_session", no_session)
    for module in (run, segment):
        monkeypatch.setattr(module, "read_images", lambda path, _: [Whole(path)])
    monkeypatch.setattr(segment, "_segment", segmented)
    monkeypatch.setattr(segment, "_tell", lambda *_: None)
    monkeypatch.setattr(run, "run_image", ran)
    monkeypatch.setattr(generate, "_asked", lambda *_: (None, ""))
    monkeypatch.setattr(generate, "_one", lambda path, *_: work(path)[0])
