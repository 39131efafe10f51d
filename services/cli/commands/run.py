"""`biosynth run`: one image through the whole pipeline."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from biosynth.v1.pipeline_pb2 import RunRequest, RunResult, Stage, StageProgress
from biosynth.v1.types_pb2 import Delivery

from services.cli.appearance import add_appearance, appearance_of
from services.cli.console import Console
from services.cli.files import refuse_overwriting, write_file
from services.cli.numbers import COUNT, SEED
from services.cli.overview import overview
from services.cli.report import counts, report
from services.cli.session import Session, check_folder
from services.cli.versions import versions
from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.ometiff import decode_segmentation
from services.common.serving.content import image_planes

FILES = (
    "segmentation.ome.tif",
    "reference.png",
    "reference_grey.png",
    "generated.png",
    "overview.png",
    "report.html",
    "run.json",
)
STAGES = ("plan", "segment", "render", "generate")
HELP = "segment an image, render its reference, generate a new image of it"
DESCRIPTION = """\
Takes a microscopy image (PNG, TIFF, OME-TIFF or JPEG) the whole way and writes into --out:

  segmentation.ome.tif   label maps, one named channel each (OME-TIFF, for napari and Fiji)
  reference.png          level indices; reference_grey.png shows them
  generated.png          a new image with that reference as its truth
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
    parser.add_argument("--model", default="", metavar="NAME", help="see `biosynth models`; default: one that fits")
    parser.add_argument("--channel", type=COUNT, metavar="N", help="channel of a multi-channel file, from 0")
    parser.add_argument("--boundary-thickness", type=COUNT, default=0, metavar="PX", help="default: the schema's own")
    parser.add_argument(
        "--seed", type=SEED, default=0, metavar="N", help="of texture, noise and appearance (default 0)"
    )
    add_appearance(parser)


def execute(arguments: argparse.Namespace, session: Session, console: Console) -> dict[str, Any]:
    """Run the command; returns what --json prints."""
    start = time.monotonic()
    folder = check_folder(arguments.out)
    refuse_overwriting([arguments.image], [folder / name for name in FILES])
    request = _request(arguments, session)
    stages, result = session.ask(lambda delivery: _run(request, delivery, session, console))
    files = _files(request, result, session)
    record = _record(arguments, request, result, stages)
    record["outputs"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    record["seconds"] = round(time.monotonic() - start, 3)
    pictures = [(name, files[name]) for name in ("reference_grey.png", "generated.png")]
    files["report.html"] = report(record, files["overview.png"], pictures).encode()
    files["run.json"] = (
        json.dumps(record, indent=1, sort_keys=True) + "\n"
    ).encode()  # last: it vouches for the others
    (folder / "run.json").unlink(missing_ok=True)  # an old one must not vouch for new files
    for name, data in files.items():
        write_file(folder / name, data)
    found, made = record["segmentation"], record["generation"]
    console.say(
        f"segmenter {found['segmenter']} found {counts(found)}; model {made['model']} fits its "
        f"schema {record['reference']['schema']}"
    )
    console.say(
        f"wrote {len(files)} files to {folder} in {record['seconds']:.1f} s; look at overview.png, or open report.html"
    )
    return record


def _request(arguments: argparse.Namespace, session: Session) -> RunRequest:
    request = RunRequest(
        image=session.content(arguments.image),
        segmenter=arguments.segmenter,
        schema=arguments.schema,
        model=arguments.model,
        seed=arguments.seed,
        boundary_thickness_px=arguments.boundary_thickness,
        appearance=appearance_of(arguments),
    )
    if arguments.channel is not None:
        request.channel = arguments.channel
    return request


def _run(
    request: RunRequest, delivery: Delivery.ValueType, session: Session, console: Console
) -> tuple[list[dict[str, Any]], RunResult]:
    stages: list[dict[str, Any]] = []
    result = None
    request.delivery = delivery
    with console.progress(total=len(STAGES), unit="stage") as bar:
        for response in session.client.pipeline.Run(request):
            if response.HasField("result"):
                result = response.result  # and on to the stream's end: leaving it early would count as a cancelled call
            else:
                _show(response.progress, stages, bar)
    if result is None:
        raise RuntimeError("the stream ended without a result")  # the SDK raises before this on any broken call
    return stages, result


def _show(progress: StageProgress, stages: list[dict[str, Any]], bar: Any) -> None:
    name = Stage.Name(progress.stage).removeprefix("STAGE_").lower()
    if not progress.done:
        bar.set_description(f"{name}: {progress.message}")
        return
    stages.append({"stage": name, "seconds": round(progress.seconds, 3), "cached": progress.cached})
    bar.update(1)


def _files(request: RunRequest, result: RunResult, session: Session) -> dict[str, bytes]:
    files = {
        "segmentation.ome.tif": session.get(result.segmentation.segmentation),
        "reference.png": session.get(result.reference.reference),
        "reference_grey.png": session.get(result.reference.grey),
        "generated.png": session.get(result.generation.image),
    }
    source = session.get(request.image)
    channel = request.channel if request.HasField("channel") else None
    picture = overview(
        decode_image(source, channel),
        decode_segmentation(files["segmentation.ome.tif"]),
        image_planes(files["reference_grey.png"])["image"],
        image_planes(files["generated.png"])["image"],
    )
    return {**files, "overview.png": encode_png(picture)}


def _record(
    arguments: argparse.Namespace, request: RunRequest, result: RunResult, stages: list[dict[str, Any]]
) -> dict[str, Any]:
    found, drawn, made = result.segmentation, result.reference, result.generation
    return {
        "format": "biosynth.run/1",
        "input": {"name": arguments.image.name, "sha256": _sha256(request)},
        "parameters": _parameters(arguments),
        "segmentation": {
            **{
                name: getattr(found.summary, name)
                for name in ("height_px", "width_px", "cells", "nuclei", "wound_fraction")
            },
            "parts": list(found.summary.parts),
            "segmenter": found.segmenter.name,
            "segmenter_version": found.segmenter.version,
        },
        "reference": {
            "schema": drawn.schema.name,
            "schema_version": drawn.schema.version,
            "boundary_thickness_px": arguments.boundary_thickness,
            "tier_limits": list(drawn.tier_limits),
            "levels": list(_levels(result)),
        },
        "generation": {
            "model": made.model.name,
            "model_version": made.model.version,
            "model_sha256": made.model.sha256,
            "engine": made.engine,
            "precision": made.precision,
            "seed": arguments.seed,
            "appearance": {field.name: value for field, value in made.appearance.ListFields()},
        },
        "stages": stages,
        "versions": versions(),
    }


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was asked for; empty: left to be chosen or drawn."""
    names = ("segmenter", "schema", "model", "channel", "boundary_thickness", "seed")
    return {**{name: getattr(arguments, name) for name in names}, "appearance": dict(arguments.appearance)}


def _levels(result: RunResult) -> Iterator[dict[str, Any]]:
    for level, pixels in zip(result.reference.schema.levels, result.reference.level_pixels, strict=True):
        yield {"index": level.index, "name": level.name, "grey": level.grey, "pixels": pixels}


def _sha256(request: RunRequest) -> str:
    return request.image.object.sha256 or hashlib.sha256(request.image.file).hexdigest()
