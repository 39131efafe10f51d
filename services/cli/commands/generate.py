"""`biosynth generate`: an image of a reference."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from biosynth.results import TILINGS
from biosynth.v1.generation_pb2 import GenerateRequest, GenerateResponse

from services.cli.appearance import add_appearance, appearance_of
from services.cli.console import Console
from services.cli.files import check_folder, read_input, refuse_overwriting, write_file
from services.cli.likeness import add_likeness, set_likeness
from services.cli.numbers import SEED
from services.cli.run_record import generation_record
from services.cli.session import add_endpoint, open_session

HELP = "generate an image of a reference"
DESCRIPTION = """\
Takes a reference.png (level indices, of any size) and writes an 8-bit grey image of it. Another --seed gives another
texture, noise and look. --like imitates the look of a real image; without it, a look is drawn by seed from training
images whose labels are like the reference. --appearance sets single values, whatever the look says.

--tiling says how an image is put together of what the network gives:
  exact   tiles with a margin of all that a pixel depends on: no seams, any size. For use; the default
  whole   the network sees the image at once, at most 4 megapixels: to check that exact gives the same
  blend   patches of 256 px that overlap by half, averaged under a smooth window: to compare with older pipelines
  concat  patches of 256 px side by side, each by itself, whose seams show: to compare with older pipelines"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("reference", type=Path, metavar="REFERENCE", help="a reference.png (not reference_grey.png)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the PNG to write")
    parser.add_argument("--model", required=True, metavar="NAME[/VERSION]", help="see `biosynth models`")
    parser.add_argument("--seed", type=SEED, default=0, metavar="N", help="of texture, noise and look (default 0)")
    parser.add_argument(
        "--tiling",
        choices=tuple(TILINGS),
        default="exact",
        metavar="MODE",
        help=f"one of {', '.join(TILINGS)}, explained above (default exact)",
    )
    add_likeness(parser)
    add_appearance(parser)
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    check_folder(arguments.out.parent)
    inputs = (arguments.reference, arguments.like, arguments.like_segmentation)
    refuse_overwriting([path for path in inputs if path], [arguments.out])
    name, _, version = arguments.model.partition("/")
    request = GenerateRequest(
        model=name,
        model_version=version,
        seed=arguments.seed,
        appearance=appearance_of(arguments),
        tiling=TILINGS[arguments.tiling],
    )
    with open_session(os.environ, arguments.endpoint) as session, console.progress(total=1, unit="image") as bar:
        bar.set_description(f"model {arguments.model}")
        request.reference.CopyFrom(session.content(read_input(arguments.reference)))
        told = set_likeness(request, arguments, session)
        response: GenerateResponse = session.ask(session.client.generation.Generate, request)
        bar.update(1)
    write_file(arguments.out, response.image.file)
    console.say(f"wrote {arguments.out} with {response.model.name} {response.model.version} on {response.engine}")
    if told:
        console.say(f"imitated {arguments.like} as {told}")
    for warning in response.warnings:
        console.warn(f"unlike the images that model {response.model.name} was trained on: {warning}")
    record = generation_record(response, arguments.seed)
    console.answer({"file": str(arguments.out), **record, "cached": response.cached})
