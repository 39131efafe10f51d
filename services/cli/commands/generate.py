"""`biosynth generate`: images of references."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from biosynth.results import TILINGS
from biosynth.v1.generation_pb2 import GenerateRequest, GenerateResponse

from services.cli.appearance import add_appearance, appearance_of
from services.cli.batch import for_each, raise_for
from services.cli.console import Console
from services.cli.files import check_folder, read_input, refuse_overwriting
from services.cli.likeness import add_likeness, set_likeness
from services.cli.model_names import model_name
from services.cli.numbers import SEED
from services.cli.picture_files import check_picture_name, write_picture
from services.cli.references import find_references, left_out
from services.cli.run_record import generation_record
from services.cli.session import Session, add_endpoint, open_session
from services.cli.sources import are_many, result_names

HELP = "generate images of references, which `biosynth render` draws of masks"
DESCRIPTION = """\
Takes a reference.png (level indices, of any size), which `biosynth render` draws of a segmentation and, with
`--as nuclei` or `--as cells`, of masks. Writes an 8-bit grey image of it: a PNG, or a TIFF where --out ends in .tif.
Another --seed gives another texture, noise and look. --like imitates the look of a real image; without it, a look is
drawn by seed from training images whose labels are like the reference. --appearance sets single values, whatever the
look says.

Of a folder (its *reference.png; where it has none, its PNG files), a pattern or several files, NAME.generated.png of
each NAME.reference.png is written into the folder --out, all with the same options and --seed. One that fails does not
stop the others and is told at the end; files that are no PNG are left out, and told.

--tiling says how an image is put together of what the network gives:
  exact   tiles with a margin of all that a pixel depends on: no seams, any size. For use; the default
  whole   the network sees the image at once, at most 4 megapixels: to check that exact gives the same
  blend   patches of 256 px that overlap by half, averaged under a smooth window: to compare with older pipelines
  concat  patches of 256 px side by side, each by itself, whose seams show: to compare with older pipelines"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "references",
        type=Path,
        nargs="+",
        metavar="REFERENCE|FOLDER|PATTERN",
        help="a reference.png of `biosynth render` (not reference_grey.png), or several",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE|DIR", help="the PNG or TIFF to write; of several, the folder"
    )
    parser.add_argument(
        "--model", type=model_name, required=True, metavar="NAME[/VERSION]", help="see `biosynth models`"
    )
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
    """Run the command. Raises InvalidImage where a reference failed."""
    many = are_many(arguments.references)
    paths, others = find_references(arguments.references)
    if others:
        console.warn(left_out(others))
    targets = _in_folder(paths, check_folder(arguments.out)) if many else {paths[0]: arguments.out}
    likes = [path for path in (arguments.like, arguments.like_segmentation) if path]
    refuse_overwriting([*paths, *likes], list(targets.values()))
    for target in targets.values():
        check_picture_name(target)
        check_folder(target.parent)
    with open_session(os.environ, arguments.endpoint) as session:
        asked, told = _asked(arguments, session)

        def work(path: Path) -> list[dict[str, Any]]:
            return [_one(path, targets[path], asked, session, console)]

        done, failed = for_each(work, paths, console) if many else (work(paths[0]), [])
    if told:
        console.say(f"imitated {arguments.like} as {told}")
    console.answer({"images": done, "failed": [f"{one.path}: {one.why}" for one in failed]} if many else done[0])
    raise_for(failed, len(paths), arguments.out)


def _in_folder(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Where the image of each reference is written."""
    names = [name.removesuffix("reference").rstrip(".") for name in result_names(paths)]
    return {
        path: folder / (f"{name}generated.png" if name.endswith("/") or not name else f"{name}.generated.png")
        for path, name in zip(paths, names, strict=True)
    }


def _asked(arguments: argparse.Namespace, session: Session) -> tuple[GenerateRequest, str]:
    """All but the reference, and what was taken for the content of the image to imitate."""
    request = GenerateRequest(
        model=arguments.model.name,
        model_version=arguments.model.version,
        seed=arguments.seed,
        appearance=appearance_of(arguments),
        tiling=TILINGS[arguments.tiling],
    )
    return request, set_likeness(request, arguments, session)


def _one(path: Path, target: Path, asked: GenerateRequest, session: Session, console: Console) -> dict[str, Any]:
    request = GenerateRequest()
    request.CopyFrom(asked)
    request.reference.CopyFrom(session.content(read_input(path)))
    with console.progress(total=1, unit="image") as bar:
        bar.set_description(f"model {request.model}")
        response: GenerateResponse = session.ask(session.client.generation.Generate, request)
        bar.update(1)
    write_picture(target, response.image.file)
    console.say(f"wrote {target} with {response.model.name} {response.model.version} on {response.engine}")
    for warning in response.warnings:
        console.warn(f"unlike the images that model {response.model.name} was trained on: {warning}")
    record = generation_record(response, request.seed)
    return {"file": str(target), **record, "cached": response.cached}
