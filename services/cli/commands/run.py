"""`biosynth run`: one image through the whole pipeline."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from biosynth.client import Client
from biosynth.results import word
from biosynth.v1.pipeline_pb2 import LookSource, RunRequest, RunResult, Stage, StageProgress
from numpy.typing import NDArray

from services.cli.appearance import SAMPLED, add_appearance, appearance_of
from services.cli.console import Console
from services.cli.files import check_folder, refuse_overwriting, write_file
from services.cli.images.opening import KINDS
from services.cli.images.reading import LabImage, read_images
from services.cli.images.wish import ALL, wish_of
from services.cli.numbers import COUNT, SEED, tier_limits
from services.cli.report import counts, report
from services.cli.run_files import FILES, RunFiles, run_files
from services.cli.run_record import run_record
from services.cli.seeking import HELP as SEEKING
from services.cli.seeking import add_seeking, set_seeking
from services.cli.session import Session, add_endpoint, open_session
from services.common.imaging.intensity import to_eight_bit
from services.evaluation.paired import compare_pair

STAGES = ("plan", "segment", "render", "generate")
UNTIL = {"segment": Stage.STAGE_SEGMENT, "render": Stage.STAGE_RENDER}
HELP = "segment an image, render its reference, generate a new image of it"
DESCRIPTION = f"""\
Takes a microscopy image ({KINDS}) the whole way and writes
into --out, with --time all for each frame into t0000, t0001 and so on:

  segmentation.ome.tif   label maps, one named channel each (OME-TIFF, for napari and Fiji)
  objects.csv            a line for each cell and nucleus: area, whether it touches the border, how sure that is
  objects.png            the same as a picture: outlines from red (unsure) to green, dashed at the image's border
  reference.png          level indices; reference_grey.png shows them
  generated.png          a new image with that reference as its truth, which imitates the look of yours
  look.json              that look, for `biosynth generate --like`
  overview.png           all of them side by side
  report.html, run.json  what was done, with which versions, and every file's sha256

Left alone, the segmenter fits the image (fluorescence: nuclei; else: cells and wound) and the model fits the
segmentation. Asking for the same again takes the results from the store and computes nothing. --until stops earlier,
and needs no model: after segment, or after render, under any --schema.

{SEEKING}

  biosynth run two.ome.tif --nuclei-channel 0 --cells-channel 1 --schema levels9 --until render --out results"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="the image file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--segmenter", default="", metavar="NAME", help="see `biosynth info`; default: one that fits")
    parser.add_argument("--schema", default="", metavar="NAME", help="levels of the reference; default: the model's")
    parser.add_argument(
        "--model",
        default="",
        metavar="NAME[/VERSION]",
        help="see `biosynth models`; default: one that fits, the newest",
    )
    parser.add_argument("--until", choices=UNTIL, help="the last stage to do; default: generate")
    add_seeking(parser)
    parser.add_argument("--boundary-thickness", type=COUNT, default=0, metavar="PX", help="default: the schema's own")
    parser.add_argument(
        "--tier-limits", type=tier_limits, default=(), metavar="A,B,...", help="of levels7, levels9; default: measured"
    )
    parser.add_argument(
        "--seed", type=SEED, default=0, metavar="N", help="of texture, noise and appearance (default 0)"
    )
    add_appearance(parser, sampled=True)
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    folder, frames = check_folder(arguments.out), arguments.time == ALL
    refuse_overwriting([arguments.image], [folder / name for name in FILES])
    records = []
    with open_session(os.environ, arguments.endpoint) as session:
        for image in read_images(arguments.image, wish_of(arguments)):
            below = folder if image.frame is None else check_folder(folder / f"t{image.frame:04d}")
            records.append(_run_image(image, below, arguments, session, console))
    console.answer({"frames": records} if frames else records[0])


def _run_image(
    image: LabImage, folder: Path, arguments: argparse.Namespace, session: Session, console: Console
) -> dict[str, Any]:
    """Run an image, write its files and return its record."""
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
    if made.generated is not None:
        record["likeness"] = _likeness(pixels, made.generated)
    record["outputs"] = {name: hashlib.sha256(data).hexdigest() for name, data in made.files.items()}
    record["seconds"] = round(time.monotonic() - start, 3)
    _write(made, record, folder)
    _tell(record, len(made.files) + 2, folder, console)
    return record


def _tell(record: dict[str, Any], files: int, folder: Path, console: Console) -> None:
    found, sure = record["segmentation"], record["segmentation"]["choice_confidence"]
    for warning in found["warnings"]:
        console.warn(f"segmenter {found['segmenter']}: {warning}")
    words = [f"segmenter {found['segmenter']} found {counts(found)}"]
    if sure is not None:
        words.append(f"auto chose it, and is {sure:.2f} sure")
    if "generation" in record:
        made = record["generation"]
        words.append(f"model {made['model']} fits its schema {record['reference']['schema']}")
        for warning in made["warnings"]:
            console.warn(f"unlike the images that model {made['model']} was trained on: {warning}")
    console.say("; ".join(words))
    console.say(
        f"wrote {files} files to {folder} in {record['seconds']:.1f} s; look at overview.png, or open report.html"
    )


def _request(arguments: argparse.Namespace, image: LabImage, session: Session) -> RunRequest:
    name, _, version = arguments.model.partition("/")
    request = RunRequest(
        segmenter=arguments.segmenter,
        schema=arguments.schema,
        model=name,
        model_version=version,
        seed=arguments.seed,
        boundary_thickness_px=arguments.boundary_thickness,
        tier_limits=arguments.tier_limits,
        appearance=appearance_of(arguments),
        look_source=LookSource.LOOK_SOURCE_DRAWN
        if SAMPLED in arguments.appearance
        else LookSource.LOOK_SOURCE_MEASURED,
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


def _write(made: RunFiles, record: dict[str, Any], folder: Path) -> None:
    page = report(record, made.files["overview.png"], made.pictures)
    told = json.dumps(record, indent=1, sort_keys=True) + "\n"
    (folder / "run.json").unlink(missing_ok=True)  # an old one has the hashes of old files
    # run.json last: its hashes say that the others are whole.
    for name, data in {**made.files, "report.html": page.encode(), "run.json": told.encode()}.items():
        write_file(folder / name, data)
