"""`biosynth generate`: an image of a reference."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from biosynth.v1.generation_pb2 import GenerateRequest, GenerateResponse
from biosynth.v1.types_pb2 import Delivery

from services.cli.appearance import add_appearance, appearance_of
from services.cli.console import Console
from services.cli.files import refuse_overwriting, write_file
from services.cli.numbers import SEED
from services.cli.session import Session, check_folder

HELP = "generate an image of a reference"
DESCRIPTION = """\
Takes a reference.png (level indices, of any size) and writes an 8-bit grey image of it. Another --seed gives another
texture, noise and appearance; --appearance orders what you want to hold fixed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("reference", type=Path, metavar="REFERENCE", help="a reference.png (not reference_grey.png)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the PNG to write")
    parser.add_argument("--model", required=True, metavar="NAME", help="see `biosynth models`")
    parser.add_argument(
        "--seed", type=SEED, default=0, metavar="N", help="of texture, noise and appearance (default 0)"
    )
    add_appearance(parser)


def execute(arguments: argparse.Namespace, session: Session, console: Console) -> dict[str, Any]:
    """Run the command; returns what --json prints."""
    check_folder(arguments.out.parent)
    refuse_overwriting([arguments.reference], [arguments.out])
    request = GenerateRequest(
        reference=session.content(arguments.reference),
        model=arguments.model,
        seed=arguments.seed,
        appearance=appearance_of(arguments),
    )
    with console.progress(total=1, unit="image") as bar:
        bar.set_description(f"model {arguments.model}")
        response = session.ask(lambda delivery: _call(request, delivery, session))
        bar.update(1)
    write_file(arguments.out, session.get(response.image))
    console.say(f"wrote {arguments.out} with {response.model.name} {response.model.version} on {response.engine}")
    return {
        "file": str(arguments.out),
        "model": response.model.name,
        "model_version": response.model.version,
        "engine": response.engine,
        "precision": response.precision,
        "seed": arguments.seed,
        "appearance": {field.name: value for field, value in response.appearance.ListFields()},
        "cached": response.cached,
    }


def _call(request: GenerateRequest, delivery: Delivery.ValueType, session: Session) -> GenerateResponse:
    request.delivery = delivery
    return session.client.generation.Generate(request)
