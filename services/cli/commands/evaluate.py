"""`biosynth evaluate`: whether generated images are good enough, as figures and as a report."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from biosynth.client import Client
from biosynth.v1.evaluation_pb2 import CompareSetsRequest, EvaluationResult

from services.cli.console import Console
from services.cli.files import check_folder
from services.cli.folders import list_images
from services.cli.image_sets import MaskFolder, SetReader, set_names
from services.cli.images.wish import Wish, add_wish, wish_of
from services.cli.nearby import nearby
from services.cli.notes import Notes
from services.cli.numbers import COUNT, SEED
from services.cli.places import Folder, open_place, path_of
from services.cli.session import Session, add_endpoint, open_session
from services.common.errors import InvalidArgument
from services.evaluation.model_evaluations import check_model
from services.evaluation.pictures import listed

HELP = "judge sets of generated images against real ones, with a report"
DESCRIPTION = """\
Compares folders of generated images with a folder of real ones that trained none of the models, and writes into --out:

  report.html    verdict first, then tables, plots and pictures; one file that needs no other
  metrics.json   all figures with intervals, ceilings (real against real) and floors (docs/evaluation.md)
  metrics.csv    the paired metrics of every image

Images with the same name in two folders are pairs. --labels gives what they show: masks with the images' names
(docs/masks.md); some figures need them. Where generated images have names of their own, --generated-labels gives their
masks, as of an order of `biosynth synthesize`:

  biosynth evaluate REAL ordered/images --labels DIR --generated-labels ordered/masks --out report

Folders may be s3://BUCKET/FOLDER of the store that BIOSYNTH_STORE_* name."""
LAST = "metrics.json"  # written last: a report without it is of a command that was killed, and is completed
MOST_SECONDS = 6 * 3600.0  # the client's own limit, five minutes, is for one image


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("real", metavar="REAL", help="folder of real images")
    parser.add_argument("generated", metavar="GENERATED", help="folder of generated images")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--labels", metavar="DIR", help="what the images show, by name")
    parser.add_argument(
        "--generated-labels",
        metavar="DIR",
        help="what generated images show, those of --against too, by name; default: as --labels has it",
    )
    parser.add_argument(
        "--part", choices=("cells", "nuclei"), default="nuclei", help="what label maps of masks are (default nuclei)"
    )
    parser.add_argument("--train", metavar="DIR", help="images that trained the model: was it learned by heart?")
    parser.add_argument(
        "--against", action="append", default=[], metavar="DIR", help="one more generated folder; repeatable"
    )
    parser.add_argument(
        "--judge", default="", metavar="NAME", help="segmenter of cells or nuclei: does it find what labels say?"
    )
    parser.add_argument("--tile", type=COUNT, default=0, metavar="PX", help="look for seams of tiles of this side")
    parser.add_argument(
        "--cnn", action="store_true", help="let a small network tell the sets apart: minutes more; needs torch"
    )
    parser.add_argument("--seed", type=SEED, default=0, metavar="N", help="of resampling and classifiers (default 0)")
    parser.add_argument(
        "--model", default="", metavar="NAME/VERSION", help="what made GENERATED, for the service's metrics"
    )
    add_wish(parser.add_argument_group("which plane of real images; --time also of --labels that are stacks"))
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises InvalidImage for a folder without images, InvalidArgument for sets that do not fit."""
    out = open_place(arguments.out, os.environ)
    if isinstance(out, Folder):
        check_folder(Path(arguments.out))
    elif out.has(LAST):
        # No refusal: a Job that is tried again finds its own report, and is done.
        console.warn(f"{out} has a report, and a store's objects are written once: another one would be refused")
    if arguments.model:
        check_model(arguments.model)  # before anything is uploaded
    names = _names(arguments)
    with nearby(os.environ) as near, open_session(os.environ, arguments.endpoint) as session:
        request = _request(_near(arguments, near), names, session, console)
        result = session.ask(lambda asked: _compare(asked, session.client, console), request)
    files = {
        "metrics.csv": result.metrics_csv.file,
        "report.html": result.report_html.file,
        LAST: result.metrics_json.file,
    }
    for name, data in files.items():
        out.write(name, data)
    for verdict in result.verdicts:
        console.say(f"{verdict.name}: {verdict.verdict}")
    console.say(f"wrote {', '.join(files)} to {out}; open report.html")
    verdicts = {verdict.name: verdict.verdict for verdict in result.verdicts}
    console.answer({"verdicts": verdicts, "folder": str(out), "metrics": json.loads(files[LAST])})


def _names(arguments: argparse.Namespace) -> list[str]:
    """What the sets are called: real, generated, against and, where there is one, train.

    Raises InvalidArgument for a set that is compared twice, and as `open_place`.
    """
    texts = [arguments.real, arguments.generated, *arguments.against, *([arguments.train] if arguments.train else [])]
    names = set_names([path_of(open_place(text, os.environ)) for text in texts])
    made = names[1 : 2 + len(arguments.against)]
    if twice := [name for name in dict.fromkeys(made) if made.count(name) > 1]:
        raise InvalidArgument(f"expected each folder of generated images once; more than once: {listed(twice)}")
    return names


def _near(arguments: argparse.Namespace, near: Callable[[str], Path]) -> argparse.Namespace:
    """The same, with folders of this machine."""
    folders: dict[str, Any] = {"against": [near(text) for text in arguments.against]}
    for name in ("real", "generated", "labels", "generated_labels", "train"):
        text = getattr(arguments, name)
        folders[name] = near(text) if text else None
    return argparse.Namespace(**vars(arguments) | folders)


def _request(
    arguments: argparse.Namespace, names: Sequence[str], session: Session, console: Console
) -> CompareSetsRequest:
    """names: of the sets, as `_names` has them."""
    folders = [arguments.real, arguments.generated, *arguments.against, *([arguments.train] if arguments.train else [])]
    named = dict(zip(folders, names, strict=True))
    images = {folder: list_images(folder) for folder in folders}
    real, notes = wish_of(arguments), Notes()
    shown, made = _masks(arguments, real.frame)
    with console.progress(total=sum(map(len, images.values())), unit="image") as bar:
        sets = SetReader(session, notes, partial(bar.update, 1))
        request = CompareSetsRequest(
            real=sets.read(named[arguments.real], images[arguments.real], real, shown),
            candidates=[
                sets.read(named[folder], images[folder], Wish(), made)
                for folder in (arguments.generated, *arguments.against)
            ],
            judge=arguments.judge,
            seed=arguments.seed,
            tile_px=arguments.tile,
            pixel_classifier=arguments.cnn,
        )
        request.candidates[0].model = arguments.model
        if arguments.train:
            request.train.CopyFrom(sets.read(named[arguments.train], images[arguments.train], real))
    notes.tell(console)
    return request


def _masks(arguments: argparse.Namespace, frame: int | None) -> tuple[MaskFolder | None, MaskFolder | None]:
    """Of real and of generated images; the latter's own are single planes, as these images are."""
    shown = MaskFolder(arguments.labels, arguments.part, frame) if arguments.labels else None
    if not arguments.generated_labels:
        return shown, shown
    return shown, MaskFolder(arguments.generated_labels, arguments.part, None)


def _compare(request: CompareSetsRequest, client: Client, console: Console) -> EvaluationResult:
    result = None
    with console.progress(total=None, unit="step") as bar:
        for response in client.evaluation.CompareSets(request, timeout=MOST_SECONDS):
            if response.HasField("result"):
                result = response.result
            else:
                bar.set_description(f"{response.progress.stage} {response.progress.done}/{response.progress.total}")
                bar.update(1)
    if result is None:
        raise RuntimeError("the stream ended without a result")  # the SDK raises before this on any broken call
    return result
