"""The dataset that a training is on: one that is there, or one made of two folders."""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from pathlib import Path

from services.cli.console import Console
from services.cli.files import read_input
from services.cli.folders import LABEL_SUFFIXES, open_labelled, pair_up, stem_of
from services.common.errors import ConfigError, InvalidArgument
from services.evaluation.pictures import listed
from services.synthesis.splits import group_of
from services.training.datasets.own import is_made, make_own, plan_own


def dataset_of(arguments: argparse.Namespace, work: Path, console: Console) -> Path:
    """Return the folder of the dataset; from --images and --labels it is made in `work`, unless it is there.

    Raises ConfigError unless one of both is asked for; InvalidArgument for folders that do not fit, naming files.
    """
    folders = (arguments.images, arguments.labels)
    if arguments.dataset and not any(folders):
        return Path(arguments.dataset)
    if arguments.dataset or not all(folders):
        raise ConfigError("expected a DATASET made by `biosynth dataset`, or --images DIR and --labels DIR")
    if not arguments.part:
        raise ConfigError("expected --part with --images: whether the labels show `nuclei` or `cells`")
    if len(arguments.split) != 2:
        raise ConfigError(f"expected --split in two, such as 80/20; got {'/'.join(map(str, arguments.split))}")
    return _made(arguments, work / "dataset", console)


def _made(arguments: argparse.Namespace, folder: Path, console: Console) -> Path:
    pairs = pair_up(arguments.images, arguments.labels)
    _check_rest(arguments.labels, pairs)
    pictures = open_labelled(arguments.images, arguments.labels, arguments.part, arguments.channel)
    groups = [group_of(name, arguments.group) if arguments.group else name for name in pictures.names]
    credit = f"{len(pairs)} images with labels of your own, sha256 {_digest(pairs, arguments.channel)}"
    manifest = plan_own(pictures, groups, arguments.part, arguments.split, arguments.seed, credit)
    if is_made(manifest, folder):
        return folder
    with console.progress(total=len(pairs), unit="image") as bar:
        for _ in make_own(manifest, pictures.pictures, folder):
            bar.update(1)
    counts = Counter(entry.split for entry in manifest.entries)
    held = [entry.id for entry in manifest.entries if entry.split == "val"]
    console.say(f"{counts['train']} images to train on; {counts['val']} held out: {listed(held)}; in {folder}")
    return folder


def _check_rest(labels: Path, pairs: list[tuple[Path, Path]]) -> None:
    """Refuse labels without an image: most often the images' folder is not the one that is meant."""
    known = {stem_of(image) for image, _ in pairs}
    there = {stem_of(path) for path in labels.iterdir() if path.name.lower().endswith(LABEL_SUFFIXES)}
    if rest := sorted(there - known):
        raise InvalidArgument(
            f"expected as many images as labels; {labels} has {len(rest)} without an image of their name: "
            f"{listed(rest)}; move them elsewhere"
        )


def _digest(pairs: list[tuple[Path, Path]], channel: int | None) -> str:
    """Of all that the files hold, so that a training never goes on with others under their names."""
    digest = hashlib.sha256(str(channel).encode())
    for path in (path for pair in pairs for path in pair):
        digest.update(hashlib.sha256(path.name.encode()).digest() + hashlib.sha256(read_input(path)).digest())
    return digest.hexdigest()
