"""One image through the whole pipeline, and the files of that."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from biosynth.client import Client
from biosynth.results import word
from biosynth.v1.pipeline_pb2 import LookSource, RunRequest, RunResult, Stage, StageProgress
from numpy.typing import NDArray

from services.cli.appearance import SAMPLED, appearance_of
from services.cli.console import Console
from services.cli.files import check_folder
from services.cli.images.lab_image import LabImage
from services.cli.report import counts, report
from services.cli.run_files import FILES, RunFiles, run_files
from services.cli.run_record import doubts, run_record
from services.cli.seeking import set_seeking
from services.cli.session import Session
from services.common.imaging.intensity import to_eight_bit
from services.common.whole_files import write_file
from services.evaluation.paired import compare_pair

STAGES = ("plan", "segment", "render", "generate")
UNTIL = {"segment": Stage.STAGE_SEGMENT, "render": Stage.STAGE_RENDER}


def run_image(
    image: LabImage, folder: Path, arguments: argparse.Namespace, session: Session, console: Console
) -> dict[str, Any]:
    """Run an image, write its files into a folder, which is made where need be, and return its record.

    Its `stopped` has the reasons why nothing was generated, though it was asked for.
    """
    start = time.monotonic()
    for note in image.notes:
        console.say(f"{image.record['name']}: {note}")
    stages: list[dict[str, Any]] = []
    request = _request(arguments, image, session)
    result = session.ask(lambda request: _run(request, session.client, stages, console), request)
    pixels = to_eight_bit(image.pixels())
    made = run_files(pixels, result)
    diameter = request.diameter_px if request.HasField("diameter_px") else None
    record = run_record(arguments, image, diameter, result, stages)
    record["stopped"] = _reasons_to_stop(request, result)
    if made.generated is not None:
        record["likeness"] = _likeness(pixels, made.generated)
    record["outputs"] = {name: hashlib.sha256(data).hexdigest() for name, data in made.files.items()}
    record["seconds"] = round(time.monotonic() - start, 3)
    if (other := _other_image(check_folder(folder), record)) is not None:
        console.warn(f"{folder} held results of another image, {other}; they are replaced")
    _write(made, record, folder)
    _tell(record, len(made.files) + 2, folder, console)
    return record


def _reasons_to_stop(request: RunRequest, result: RunResult) -> list[str]:
    """Why the run stopped before the last stage that was asked for; none where it did not."""
    asked_for_more = request.stop_if_unsuitable and request.last_stage != Stage.STAGE_SEGMENT
    return list(result.segmentation.unsuitable) if asked_for_more else []


def _tell(record: dict[str, Any], files: int, folder: Path, console: Console) -> None:
    name, found = record["input"]["name"], record["segmentation"]
    sure = found["choice_confidence"]
    for warning in doubts(found, told=record["stopped"]):
        console.warn(f"{name}: segmenter {found['segmenter']}: {warning}")
    words = [f"{name}: segmenter {found['segmenter']} found {counts(found)}"]
    if sure is not None:
        words.append(f"auto chose it, and is {sure:.2f} sure")
    if "generation" in record:
        made = record["generation"]
        words.append(f"model {made['model']} fits its schema {record['reference']['schema']}")
        for warning in made["warnings"]:
            console.warn(f"{name}: unlike the images that model {made['model']} was trained on: {warning}")
    console.say("; ".join(words))
    console.say(
        f"wrote {files} files to {folder} in {record['seconds']:.1f} s; look at overview.png, or open report.html"
    )


def _request(arguments: argparse.Namespace, image: LabImage, session: Session) -> RunRequest:
    request = RunRequest(
        segmenter=arguments.segmenter,
        schema=arguments.schema,
        model=arguments.model.name,
        model_version=arguments.model.version,
        seed=arguments.seed,
        boundary_thickness_px=arguments.boundary_thickness,
        tier_limits=arguments.tier_limits,
        appearance=appearance_of(arguments),
        look_source=LookSource.LOOK_SOURCE_DRAWN
        if SAMPLED in arguments.appearance
        else LookSource.LOOK_SOURCE_MEASURED,
        stop_if_unsuitable=not arguments.force,
    )
    if arguments.until:
        request.last_stage = UNTIL[arguments.until]
    set_seeking(request, arguments, image)
    request.image.CopyFrom(session.content(image.data))
    return request


def _run(request: RunRequest, client: Client, stages: list[dict[str, Any]], console: Console) -> RunResult:
    """Follow a run to its result; `stages` then holds its stages, and none of earlier attempts."""
    stages.clear()
    result = None
    total = STAGES.index(word(Stage, request.last_stage)) + 1 if request.last_stage else len(STAGES)
    with console.progress(total=total, unit="stage") as bar:
        for response in client.pipeline.Run(request):
            if response.HasField("result"):
                result = response.result  # and on to the stream's end: leaving it early would count as a cancelled call
            else:
                _show(response.progress, stages, bar)
    if result is None:
        raise RuntimeError("the stream ended without a result")  # the SDK raises before this on any broken call
    return result


def _show(progress: StageProgress, stages: list[dict[str, Any]], bar: Any) -> None:
    name = word(Stage, progress.stage)
    if progress.done:
        stages.append({"stage": name, "seconds": round(progress.seconds, 3), "cached": progress.cached})
    elif not progress.steps:
        bar.set_description(f"{name}: {progress.message}")
    share = progress.steps_done / progress.steps if progress.steps else 0.0
    bar.n = round(len(stages) + share, 2)
    bar.refresh()


def _likeness(image: NDArray[np.uint8], generated: NDArray[np.uint8]) -> dict[str, float]:
    """The paired metrics of a run's own image and of what was generated under its labels, those that have a value."""
    metrics = compare_pair(image, generated)
    return {metric.name: metric.value for metric in metrics if metric.value is not None}


def _other_image(folder: Path, record: dict[str, Any]) -> str | None:
    """The name of the image whose results a folder has; None where there are none, or they are of this one."""
    try:
        other = json.loads((folder / "run.json").read_bytes())["input"]
        return None if other["sha256"] == record["input"]["sha256"] else str(other["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(made: RunFiles, record: dict[str, Any], folder: Path) -> None:
    page = report(record, made.files["overview.png"], made.pictures)
    told = json.dumps(record, indent=1, sort_keys=True) + "\n"
    for name in {"run.json", *FILES} - {*made.files, "report.html"}:
        (folder / name).unlink(missing_ok=True)  # of an earlier run: an old run.json has the hashes of old files
    # run.json last: its hashes say that the others are whole.
    for name, data in {**made.files, "report.html": page.encode(), "run.json": told.encode()}.items():
        write_file(folder / name, data)
