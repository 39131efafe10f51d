"""The dataset that a training is on: one that is there, or one made of two folders."""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from services.cli.console import Console
from services.cli.files import sha256_of
from services.cli.folders import LabelledImages, pair_up
from services.cli.images.wish import Wish, add_wish, wish_of
from services.cli.notes import Notes
from services.cli.order_options import pattern, two_shares
from services.cli.quality_limits import add_limits, limits_of
from services.common.errors import ConfigError, InvalidArgument
from services.common.imaging.masks.names import image_name, list_labels, stem_of
from services.common.whole_files import write_file
from services.evaluation.pictures import PictureSet, listed
from services.reference.schemas import Schema, named
from services.synthesis.splits import group_of
from services.training.datasets.dataset import DatasetManifest, read_manifest
from services.training.datasets.own import SCHEMAS, is_made, labelled_part, make_own, plan_own
from services.training.datasets.quality.limits import Quality, judged
from services.training.datasets.quality.table import csv_of

QUALITY = "quality.csv"
Pairs = Sequence[tuple[Path, Path]]


def add_folders(parser: argparse._ActionsContainer) -> None:
    """Declare where images and masks are, how they are split, and which are taken."""
    parser.add_argument("--images", type=Path, metavar="DIR", help="images, of any format of docs/images.md")
    parser.add_argument(
        "--labels", type=Path, metavar="DIR", help="masks of the same names, of any program (docs/masks.md)"
    )
    parser.add_argument(
        "--split",
        type=two_shares,
        default=[80, 20],
        metavar="A/B",
        help="shares of images to train on and to hold out, such as 80/20 or 0.8, drawn by --seed; default 80/20; at "
        "least one is held out",
    )
    parser.add_argument(
        "--group",
        type=pattern,
        metavar="REGEX",
        help="what it finds in a file name (its first group, if it has one) is the field's; tiles of one field stay on "
        "one side of the split; default: each image is a field",
    )
    add_wish(parser)  # --time also of masks that are stacks
    add_limits(parser)


def dataset_of(arguments: argparse.Namespace, work: Path, console: Console) -> Path:
    """Return the folder of the dataset; from --images and --labels it is made in `work`, unless it is there.

    Raises ConfigError unless one of both is asked for; InvalidArgument for folders that do not fit, naming files, and
    for --out or --work among images.
    """
    folders = (arguments.images, arguments.labels)
    if arguments.dataset and not any(folders):
        return Path(arguments.dataset)
    if arguments.dataset or not all(folders):
        raise ConfigError("expected a DATASET made by `biosynth dataset`, or --images DIR and --labels DIR")
    if not arguments.part:
        raise ConfigError("expected --part with --images: whether the labels show `nuclei` or `cells`")
    _check_apart(arguments, (arguments.out, work))
    make_dataset(arguments, named(SCHEMAS[arguments.part]), work / "dataset", console)
    return work / "dataset"


def make_dataset(arguments: argparse.Namespace, schema: Schema, folder: Path, console: Console) -> DatasetManifest:
    """Make the dataset of --images and --labels in a folder, unless it is there; images over limits are left out.

    Raises InvalidArgument for folders that do not fit, that of the dataset among them, or where fewer than two images
    are fit to train on.
    """
    _check_apart(arguments, (folder,))
    notes = Notes()
    pairs = pair_up(arguments.images, arguments.labels, notes)
    _check_rest(arguments.labels, pairs)
    credit = f"{len(pairs)} images with labels of your own, sha256 {_digest(pairs, arguments, schema)}"
    if is_made(credit, folder):
        return read_manifest(folder)
    pictures = LabelledImages(pairs, labelled_part(schema), wish_of(arguments), notes)
    found = _judged(pictures, arguments, console)
    notes.tell(console)
    taken = [pair for pair, one in zip(pairs, found, strict=True) if not one.reasons]
    manifest = _plan(taken, arguments, schema, credit)
    kept = LabelledImages(taken, labelled_part(schema), wish_of(arguments), notes)
    with console.progress(total=len(taken), unit="image") as bar:
        for _ in make_own(manifest, kept, folder):
            bar.update(1)
    write_file(folder / QUALITY, csv_of(found))
    _tell(manifest, found, folder, console)
    return manifest


def _check_apart(arguments: argparse.Namespace, folders: Sequence[Path]) -> None:
    """Refuse to write into a folder of images or labels: what is written would be taken for more of them."""
    given = {arguments.images.resolve(), arguments.labels.resolve()}
    if struck := [folder for folder in folders if folder.resolve() in given]:
        raise InvalidArgument(
            "expected --out and --work apart from images and labels, which results would be among; got "
            f"{struck[0]}; choose another folder, such as one below it"
        )


def _judged(pictures: LabelledImages, arguments: argparse.Namespace, console: Console) -> list[Quality]:
    found = []
    with console.progress(total=len(pictures), unit="image") as bar:
        bar.set_description("looking at images")
        for one in judged(pictures, limits_of(arguments)):
            found.append(one)
            bar.update(1)
    for one in found:
        if one.reasons:
            console.warn(f"left out {one.name}: {'; '.join(one.reasons)}")
    if any(one.reasons for one in found):
        console.warn("to take them all the same: --take-all, or --limit NAME=VALUE (see `biosynth quality`)")
    return found


def _plan(pairs: Pairs, arguments: argparse.Namespace, schema: Schema, credit: str) -> DatasetManifest:
    names = tuple(stem_of(image) for image, _ in pairs)
    groups = [group_of(name, arguments.group) if arguments.group else name for name in names]
    pictures = PictureSet(arguments.images.resolve().name, names, ())
    return plan_own(pictures, groups, schema, arguments.split, arguments.seed or 0, credit)


def _tell(manifest: DatasetManifest, found: Sequence[Quality], folder: Path, console: Console) -> None:
    counts = Counter(entry.split for entry in manifest.entries)
    held = [entry.id for entry in manifest.entries if entry.split == "val"]
    left = len(found) - len(manifest.entries)
    console.say(
        f"{counts['train']} images to train on; {counts['val']} held out: {listed(held)}; {left} left out; in {folder} "
        f"({QUALITY}: how good each is)"
    )


def _check_rest(labels: Path, pairs: Pairs) -> None:
    """Refuse labels without an image: most often the images' folder is not the one that is meant."""
    known = {stem_of(image) for image, _ in pairs}
    used = {image.resolve() for image, _ in pairs}
    there = {image_name(path) for path in list_labels(labels) if path.resolve() not in used}
    if rest := sorted(there - known):
        raise InvalidArgument(
            f"expected as many images as labels; {labels} has {len(rest)} without an image of their name: "
            f"{listed(rest)}; move them elsewhere"
        )


def _digest(pairs: Pairs, arguments: argparse.Namespace, schema: Schema) -> str:
    """Of all that the files hold and how they are taken: a training never goes on with others in their place."""
    group = arguments.group.pattern if arguments.group else None
    wish = wish_of(arguments)
    planes = None if wish == Wish() else wish
    settings = (schema.name, schema.version, planes, arguments.split, group, arguments.seed or 0)
    digest = hashlib.sha256(repr((settings, sorted(asdict(limits_of(arguments)).items()))).encode())
    for path in (path for pair in pairs for path in pair):
        digest.update(hashlib.sha256(path.name.encode()).digest() + bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()
