"""Reads the masks of an order and says which images are made of them."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from services.cli.appearance import values_of
from services.cli.console import Console
from services.cli.files import sha256_of
from services.cli.images.wish import wish_of
from services.cli.naming import naming
from services.cli.notes import Notes
from services.cli.places import Place
from services.cli.synthesizer import Drawn
from services.common.errors import InvalidArgument, InvalidImage
from services.evaluation.pictures import listed
from services.synthesis.layouts.layout import TRAIN, Layout
from services.synthesis.order import FORMAT, MaskFile, Order
from services.synthesis.splits import assign_splits, group_of
from services.synthesis.truth import SUFFIXES, is_mask, read_truth


def make_order(
    arguments: argparse.Namespace, masks: Place, looks: Sequence[Path], drawn: Drawn, layout: Layout, console: Console
) -> Order:
    """The order that the arguments describe, with every mask that it uses looked at.

    Raises InvalidImage or InvalidSegmentation, naming the file, for one that is no mask, or where none shows an object;
    InvalidArgument for splits that the masks do not allow.
    """
    names = [name for name in masks.names() if is_mask(name)]
    if not names:
        raise InvalidImage(
            f"expected a folder with masks ({', '.join(SUFFIXES)}); found none in {masks}{masks.lacking()}; of "
            "outlines (ROIs, GeoJSON) make some with `biosynth combine --image IMAGE`"
        )
    count: int = arguments.count or len(names)
    files = _looked_at(names[:count], arguments, masks, drawn, console)
    splits = _splits(arguments, files, layout)
    record: dict[str, Any] = {
        "format": FORMAT,
        "count": count,
        "seed": arguments.seed,
        "model": {name: getattr(drawn.model, name) for name in ("name", "version", "sha256")},
        "layout": arguments.layout,
        "split": arguments.split,
        "group": arguments.group.pattern if arguments.group else None,
        "like": [{"file": path.name, "sha256": sha256_of(path)} for path in looks],
        "like channel": arguments.like_channel,
        **_like_planes(arguments),
        "appearance": values_of(arguments),
        "wound zone": arguments.wound_zone,
        **({} if arguments.time is None else {"frame": arguments.time}),  # orders begun before there were frames go on
        "masks": [{"file": file.name, "sha256": file.sha256} for file in files],
    }
    return Order(count, arguments.seed, files, splits, record)


def _like_planes(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is said of the planes of --like beside the channel; nothing in orders begun before it could be."""
    wish = replace(wish_of(arguments, of="like"), channel=None)
    said = {name: value for name, value in asdict(wish).items() if value is not None}
    return {"like planes": said} if said else {}


def _looked_at(
    names: Sequence[str], arguments: argparse.Namespace, masks: Place, drawn: Drawn, console: Console
) -> list[MaskFile]:
    files, empty, notes = [], [], Notes()
    with console.progress(total=len(names), unit="mask") as bar:
        bar.set_description("looking at masks")
        for name in names:
            data = masks.read_input(name)
            with naming(f"{masks}/{name}"):
                truth, said = read_truth(data, drawn.part, arguments.time)
            notes.add(name, said)
            empty += [] if truth.objects else [name]
            group = group_of(name, arguments.group) if arguments.group else None
            files.append(MaskFile(name, _sha256(data), group))
            bar.update(1)
    if len(empty) == len(names):
        raise InvalidImage(f"expected masks with objects (labels above 0) in {masks}; all {len(names)} are empty")
    if empty:
        console.warn(f"{len(empty)} of {len(names)} masks show no object: {listed(empty)}")
    notes.tell(console)
    return files


def _splits(arguments: argparse.Namespace, files: Sequence[MaskFile], layout: Layout) -> list[str]:
    if not arguments.split:
        if arguments.group:
            raise InvalidArgument("expected --split with --group, such as --split 80/20; got none")
        return [layout.only] * len(files)
    named = (TRAIN, layout.held_out) if len(arguments.split) == 2 else (TRAIN, "val", "test")
    return [named[number] for number in assign_splits([file.group for file in files], arguments.split, arguments.seed)]


def split_counts(splits: Iterable[str]) -> dict[str, int]:
    """How many there are of each split, by name.

    >>> split_counts(["train", "val", "train"])
    {'train': 2, 'val': 1}
    """
    counted: dict[str, int] = {}
    for split in splits:
        counted[split] = counted.get(split, 0) + 1
    return counted


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
