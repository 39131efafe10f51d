"""`biosynth synthesize`: hundreds of images with known truth, from masks."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from services.cli.ahead import ahead
from services.cli.appearance import add_appearance, appearance_of
from services.cli.console import Console
from services.cli.images.wish import Wish, add_wish, wish_of
from services.cli.likeness import no_image
from services.cli.model_names import model_name
from services.cli.numbers import COUNT, POSITIVE, SEED
from services.cli.order_folder import MANIFEST, SHEET, OrderFolder
from services.cli.order_options import pattern, shard, shares
from services.cli.ordering import make_order, split_counts
from services.cli.pace import Pace
from services.cli.places import Place, open_place, path_of
from services.cli.session import add_endpoint, open_session
from services.cli.sources import find_images
from services.cli.synthesizer import Looks, Synthesizer, drawn_by
from services.common.engines.cores import usable_cores
from services.common.errors import InvalidArgument
from services.synthesis.layouts import layouts
from services.synthesis.order import Batch, batches

HELP = "order images by the hundred, with known truth, from masks"
DESCRIPTION = """\
Makes --count images of the masks in a folder (label maps as PNG, TIFF or .npy, 0 = background, each object a number of
its own; Cellpose's _seg.npy; or .ome.tif of `biosynth segment`; folders below are searched too), each with its truth.

  biosynth synthesize --masks DIR --model fluo-nuclei --count 500 --out DIR
  biosynth synthesize --masks DIR --model fluo-nuclei --count 500 --out DIR --layout stardist --split 80/20
  biosynth synthesize --masks DIR --model fluo-nuclei --count 500 --out DIR --like MY_IMAGES

Every mask is used as it is first, in the order of names; then all again and again, augmented: mirrored, turned by
quarters, deformed, objects moved to where they touch nothing. Each image has a seed of its own, and by it a texture and
a look: that of one of the three training images whose masks are likest, or, with --like, measured on yours in turn.

  pairs       images/NAME.png          masks/NAME.tif           (the default)
  stardist    images/NAME.tif          masks/NAME.tif
  cellpose    train/NAME.png           train/NAME_masks.tif
  coco        train/NAME.png           annotations/instances_train.json
  yolo        images/train/NAME.png    labels/train/NAME.txt, data.yaml
  webdataset  train-NUMBER.tar of NAME.png, NAME.mask.png, NAME.reference.png, NAME.json

Beside them: manifest.jsonl (a line an image: seed, model, mask, augmentation, look, SHA-256 of each file), references/
and contact_sheet.png, to look at first. --split is by mask: no mask is on both sides, nor is a group where --group
names it by a regular expression on file names, such as '(plate\\d+)_'.

Interrupted or killed, the same command goes on; nothing is lost or made twice. Several machines share the work with
--shard 1/4, 2/4 and so on into one --out; whoever is last writes the manifest. --masks and --out may be
s3://BUCKET/FOLDER of the store that BIOSYNTH_STORE_* name (docs/synthesize.md)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--masks", required=True, metavar="DIR", help="folder of masks, or s3://BUCKET/FOLDER")
    parser.add_argument(
        "--model", type=model_name, required=True, metavar="NAME[/VERSION]", help="see `biosynth models`"
    )
    parser.add_argument("--count", type=POSITIVE, metavar="N", help="how many images; default: one a mask")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results, or s3://BUCKET/FOLDER")
    parser.add_argument("--layout", choices=layouts(), default=next(iter(layouts())), help="which files; see above")
    parser.add_argument(
        "--split",
        type=shares,
        metavar="A/B[/C]",
        help="percents of train and val (or test), such as 80/20, 0.8 for the same, or 80/10/10",
    )
    parser.add_argument(
        "--group", type=pattern, metavar="REGEX", help="what in masks' names says which must stay together"
    )
    parser.add_argument(
        "--like", type=Path, metavar="IMAGE|FOLDER", help="imitate this image, or those of a folder in turn"
    )
    add_wish(parser.add_argument_group("which plane of --like"), of="like")
    parser.add_argument("--wound-zone", action="store_true", help="find the wound between the cells of each mask")
    parser.add_argument("--time", type=COUNT, metavar="N", help="frame of masks that are stacks, from 0")
    parser.add_argument("--shard", type=shard, default=(1, 1), metavar="I/N", help="make the Ith of N parts only")
    parser.add_argument("--seed", type=SEED, default=0, metavar="N", help="of every random choice (default 0)")
    add_appearance(parser)
    add_endpoint(parser)


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    begin = time.monotonic()
    masks, out = _places(arguments)
    looks, layout = _looks(arguments), layouts()[arguments.layout]
    part, parts = arguments.shard
    with open_session(os.environ, arguments.endpoint) as session:
        drawn = drawn_by(session, arguments.model, arguments.wound_zone)
        order = make_order(arguments, masks, looks, drawn, layout, console)
        folder = OrderFolder(out, layout)
        folder.claim(order, alone=parts == 1)
        synthesizer = Synthesizer(
            session, masks, drawn, Looks(looks, wish_of(arguments, of="like"), drawn.model, session),
            appearance_of(arguments), arguments.wound_zone, arguments.time,
        )  # fmt: skip
        whole = batches(order.images(), layout.batch)
        made = _make(folder, whole[part - 1 :: parts], synthesizer, console)
    record: dict[str, Any] = {"out": str(out), "count": order.count, "made": made, "complete": False}
    if missing := folder.missing(whole):
        left = sum(len(batch.images) for batch in missing)
        console.say(f"made {made} images; {left} of other shards are not there yet, and then the manifest is written")
    else:
        lines = folder.finish(whole, drawn.part)
        record |= {"complete": True, "splits": split_counts(line["split"] for line in lines if line["split"])}
        _tell(lines, made, out, time.monotonic() - begin, console)
    console.answer(record)


def _make(folder: OrderFolder, ours: Sequence[Batch], synthesizer: Synthesizer, console: Console) -> int:
    """Make what is missing of these; returns how many images that were."""
    missing = folder.missing(ours)
    total, left = (sum(len(batch.images) for batch in some) for some in (ours, missing))
    wanted = (image for batch in missing for image in batch.images)
    pace = Pace(console, left, "images")
    with (
        closing(ahead(synthesizer.make, wanted, usable_cores())) as images,
        console.progress(total=total, unit="image", initial=total - left) as bar,
    ):
        bar.set_description(f"model {synthesizer.drawn.model.name}")
        for batch in missing:
            samples = []
            for _ in batch.images:
                samples.append(next(images))
                bar.update(1)
                pace.step()
            folder.write(batch, samples)
    return left


def _tell(lines: Sequence[dict[str, Any]], made: int, out: Place, seconds: float, console: Console) -> None:
    warned = [line for line in lines if line["warnings"]]
    if warned:
        console.warn(
            f"{len(warned)} of {len(lines)} images are doubtful, unlike those that the model was trained on or with "
            f"what it cannot draw (see {MANIFEST}), such as {warned[0]['name']}: {warned[0]['warnings'][0]}"
        )
    splits = split_counts(line["split"] for line in lines if line["split"])
    by_split = f" ({', '.join(f'{count} {split}' for split, count in splits.items())})" if len(splits) > 1 else ""
    console.say(
        f"made {made} images in {seconds:.1f} s; {out} holds all {len(lines)}{by_split}; look at {SHEET}, "
        f"read {MANIFEST}"
    )


def _looks(arguments: argparse.Namespace) -> list[Path]:
    like: Path | None = arguments.like
    if like is None:
        if wish_of(arguments, of="like") != Wish():
            raise no_image(like)
        return []
    return find_images([like])


def _places(arguments: argparse.Namespace) -> tuple[Place, Place]:
    """Of the masks and of the results. Raises InvalidArgument where one lies in the other."""
    masks, out = (open_place(text, os.environ) for text in (arguments.masks, arguments.out))
    inner, outer = path_of(out), path_of(masks)
    if inner == outer or outer in inner.parents:
        raise InvalidArgument(f"expected --out outside the folder of masks, where results would be masks; got {out}")
    if inner in outer.parents:
        raise InvalidArgument(f"expected --masks outside --out, whose files are an order's alone; got {masks}")
    return masks, out
