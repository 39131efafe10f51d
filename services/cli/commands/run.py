"""`biosynth run`: one image through the whole pipeline."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from biosynth.client import Client
from biosynth.results import word
from biosynth.v1.pipeline_pb2 import LookSource, RunRequest, RunResult, Stage, StageProgress
from biosynth.v1.types_pb2 import Content
from numpy.typing import NDArray

from services.cli.appearance import SAMPLED, add_appearance, appearance_of
from services.cli.console import Console
from services.cli.files import check_folder, read_input, refuse_overwriting, write_file
from services.cli.looks import write_look
from services.cli.numbers import COUNT, SEED
from services.cli.overview import at_one_range, overview
from services.cli.report import counts, report
from services.cli.run_record import run_record
from services.cli.session import add_endpoint, open_session
from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.intensity import to_eight_bit
from services.common.imaging.ometiff import decode_segmentation
from services.common.serving.delivery import image_planes
from services.evaluation.paired import compare_pair

FILES = (
    "segmentation.ome.tif",
    "reference.png",
    "reference_grey.png",
    "generated.png",
    "look.json",
    "overview.png",
    "report.html",
    "run.json",
)
Pictures: TypeAlias = "list[tuple[str, bytes]]"  # captions and PNG files
STAGES = ("plan", "segment", "render", "generate")
HELP = "segment an image, render its reference, generate a new image of it"
DESCRIPTION = """\
Takes a microscopy image (PNG, TIFF, OME-TIFF or JPEG) the whole way and writes into --out:

  segmentation.ome.tif   label maps, one named channel each (OME-TIFF, for napari and Fiji)
  reference.png          level indices; reference_grey.png shows them
  generated.png          a new image with that reference as its truth, which imitates the look of yours
  look.json              that look, for `biosynth generate --like`
  overview.png           all four side by side
  report.html, run.json  what was done, with which versions, and every file's sha256

Left alone, the segmenter fits the image (fluorescence: nuclei; else: cells and wound) and the model fits the
segmentation. Asking for the same again takes the results from the store and computes nothing."""


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
    parser.add_argument("--channel", type=COUNT, metavar="N", help="channel of a multi-channel file, from 0")
    parser.add_argument("--boundary-thickness", type=COUNT, default=0, metavar="PX", help="default: the schema's own")
    parser.add_argument(
        "--seed", type=SEED, default=0, metavar="N", help="of texture, noise and appearance (default 0)"
    )
    add_appearance(parser, sampled=True)
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    start = time.monotonic()
    folder = check_folder(arguments.out)
    refuse_overwriting([arguments.image], [folder / name for name in FILES])
    source = read_input(arguments.image)
    stages: list[dict[str, Any]] = []
    with open_session(os.environ, arguments.endpoint) as session:
        request = _request(arguments, session.content(source))
        result = session.ask(lambda request: _run(request, session.client, stages, console), request)
    image = to_eight_bit(decode_image(source, arguments.channel))
    generated = image_planes(result.generation.image.file)["image"]
    files, pictures = _files(image, generated, result)
    record = run_record(arguments, source, result, stages)
    record["likeness"] = _likeness(image, generated)
    record["outputs"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    record["seconds"] = round(time.monotonic() - start, 3)
    _write(files, pictures, record, folder)
    for warning in record["generation"]["warnings"]:
        console.warn(f"unlike the images that model {record['generation']['model']} was trained on: {warning}")
    found, made = record["segmentation"], record["generation"]
    console.say(
        f"segmenter {found['segmenter']} found {counts(found)}; model {made['model']} fits its "
        f"schema {record['reference']['schema']}"
    )
    console.say(
        f"wrote {len(FILES)} files to {folder} in {record['seconds']:.1f} s; look at overview.png, or open report.html"
    )
    console.answer(record)


def _request(arguments: argparse.Namespace, image: Content) -> RunRequest:
    name, _, version = arguments.model.partition("/")
    request = RunRequest(
        image=image,
        segmenter=arguments.segmenter,
        schema=arguments.schema,
        model=name,
        model_version=version,
        seed=arguments.seed,
        boundary_thickness_px=arguments.boundary_thickness,
        appearance=appearance_of(arguments),
        look_source=LookSource.LOOK_SOURCE_DRAWN
        if SAMPLED in arguments.appearance
        else LookSource.LOOK_SOURCE_MEASURED,
    )
    if arguments.channel is not None:
        request.channel = arguments.channel
    return request


def _run(request: RunRequest, client: Client, stages: list[dict[str, Any]], console: Console) -> RunResult:
    """Follow a run to its result; `stages` then holds its stages, and none of earlier attempts."""
    stages.clear()
    result = None
    with console.progress(total=len(STAGES), unit="stage") as bar:
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


def _files(
    image: NDArray[np.uint8], generated: NDArray[np.uint8], result: RunResult
) -> tuple[dict[str, bytes], Pictures]:
    """The files that the run returned with the overview of them, and what the report shows: image and generated."""
    files = {
        "segmentation.ome.tif": result.segmentation.segmentation.file,
        "reference.png": result.reference.reference.file,
        "reference_grey.png": result.reference.grey.file,
        "generated.png": result.generation.image.file,
        "look.json": write_look(result.generation.look),
    }
    image, generated = at_one_range(image, generated)
    segmentation = decode_segmentation(files["segmentation.ome.tif"])
    grey = image_planes(files["reference_grey.png"])["image"]
    picture = overview(image, segmentation, grey, generated)
    pictures = [("image", encode_png(image)), ("generated, at the image's range of brightness", encode_png(generated))]
    return {**files, "overview.png": encode_png(picture)}, pictures


def _likeness(image: NDArray[np.uint8], generated: NDArray[np.uint8]) -> dict[str, float]:
    """The paired metrics of a run's own image and of what was generated under its labels, those that have a value."""
    metrics = compare_pair(image, generated)
    return {metric.name: metric.value for metric in metrics if metric.value is not None}


def _write(files: dict[str, bytes], pictures: Pictures, record: dict[str, Any], folder: Path) -> None:
    page = report(record, files["overview.png"], pictures)
    told = json.dumps(record, indent=1, sort_keys=True) + "\n"
    (folder / "run.json").unlink(missing_ok=True)  # an old one has the hashes of old files
    # run.json last: its hashes say that the others are whole.
    for name, data in {**files, "report.html": page.encode(), "run.json": told.encode()}.items():
        write_file(folder / name, data)
