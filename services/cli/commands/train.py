"""`biosynth train`: a generator or a segmenter from a dataset, or from folders of images and labels."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.cli.console import Console
from services.cli.numbers import POSITIVE, SEED
from services.cli.own_dataset import add_folders, dataset_of
from services.common.errors import ConfigError
from services.common.names import check_name
from services.training.datasets.own import SCHEMAS
from services.training.generator.looks import renew_looks

if TYPE_CHECKING:
    from services.training.ranks import Ranks

HELP = "train a generator or a segmenter on your own images (needs torch: the `training` extra)"
DESCRIPTION = """\
Trains on images with labels and writes a model folder that works without torch, with its card:

  generator   labels to images; half an hour on two cores gives a usable model
  segmenter   images to the cells or nuclei that people labelled; an hour gives a good one

From two folders, the masks of a.tif being a.png, a.tif, a_cp_masks.tif, a_seg.npy, a.geojson, ... (docs/masks.md):

  biosynth train generator --images DIR --labels DIR --part nuclei --out models/my-nuclei
  biosynth train segmenter --images DIR --labels DIR --part cells --group '(plate1_[A-H][0-9]+)_' --out my-cells

Images that are blurred, empty, saturated or there twice are left out, and told (`biosynth quality` shows them first).
Or from a dataset that `biosynth dataset` made: biosynth train generator DATASET --out models/my-nuclei

Ctrl-C ends after the step at hand and saves; the same command goes on from there, with the same result. A checkpoint is
written every 5 minutes. Beside the checkpoint in OUT.training: samples/*.png, held-out fields to look at while it
trains, and losses (tensorboard --logdir OUT.training). In logs, a line every 30 seconds tells losses and what is left.

Several processes, each with its share of every batch, on the cores of this machine:
  torchrun --nproc-per-node 2 --module services.cli train generator ..."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("what", choices=("generator", "segmenter"), help="what to train")
    parser.add_argument("dataset", type=Path, nargs="?", metavar="DATASET", help="folder made by `biosynth dataset`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model folder, such as models/my-cells")
    _add_folders(parser)
    parser.add_argument("--name", metavar="NAME", help="default: the folder's name")
    parser.add_argument(
        "--version",
        metavar="N",
        help="default 1; a segmenter's is a whole number; with --looks-only a new one is needed",
    )
    parser.add_argument("--description", default="", metavar="TEXT", help="one sentence for those who choose")
    parser.add_argument(
        "--licence",
        default="",
        metavar="SPDX",
        help="of the weights, such as CC-BY-4.0: said by the card and BioImage.IO packages; default: not stated",
    )
    parser.add_argument("--remarks", type=Path, metavar="FILE", help="text for the card: how results look")
    parser.add_argument("--work", type=Path, metavar="DIR", help="checkpoints and logs; default: OUT.training")
    parser.add_argument("--steps", type=POSITIVE, metavar="N", help="default 5000 for generators, 6000 for segmenters")
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="of a generator: hyper-parameters to begin with: default, or a baseline to compare with, l1 or "
        "pix2pix-unet256 (docs/models.md, Baselines)",
    )
    parser.add_argument(
        "--hyper",
        type=Path,
        metavar="FILE",
        help="YAML of hyper-parameters that differ from the preset's, named as in a card, such as {batch: 4}",
    )
    parser.add_argument(
        "--last",
        action="store_true",
        help="of a generator: publish the last weights, also when training is over; default: those of the second half "
        "in whose images a segmenter sees the labels of a few held-out fields most as in real images",
    )
    parser.add_argument(
        "--looks-only",
        action="store_true",
        help="of a generator: keep --out's weights, measure its training images' looks anew",
    )
    parser.add_argument("--seed", type=SEED, metavar="N", help="of weights, crops and split; default 0")


def _add_folders(parser: argparse.ArgumentParser) -> None:
    folders = parser.add_argument_group("from folders instead of a DATASET")
    add_folders(folders)
    folders.add_argument(
        "--part",
        default="",
        choices=sorted(SCHEMAS),
        help="what the labels show; of a DATASET with labels of both: what a segmenter is to find",
    )


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    if arguments.looks_only:
        _renew_looks(arguments, console)
        return
    try:
        from services.training.ranks import join
        from services.training.stopping import TrainingInterrupted
    except ImportError as error:
        raise ConfigError(
            f"training needs torch ({error}); install the `training` extra, or run `make test-training`"
        ) from error
    train = _generator if arguments.what == "generator" else _segmenter
    with join() as ranks:
        if not ranks.writes:
            console = Console(as_json=False, quiet=True)
        try:
            console.answer(train(arguments, console, ranks))
        except TrainingInterrupted as interrupted:
            program = (
                f"torchrun --nproc-per-node {ranks.count} --module services.cli" if ranks.count > 1 else "biosynth"
            )
            console.say(f"{interrupted}, which is saved; to go on, type\n  {program} {shlex.join(arguments.typed)}")
            sys.exit(128 + interrupted.signal)


def _renew_looks(arguments: argparse.Namespace, console: Console) -> None:
    if arguments.what != "generator":
        raise ConfigError("expected --looks-only with `train generator`: only generators have looks")
    dataset = dataset_of(arguments, _work(arguments), console)
    model = renew_looks(arguments.out, dataset, arguments.version or "")
    console.say(f"wrote {len(model.records)} looks to {arguments.out}, now {model.name} {model.version}")
    console.answer({"model": model.name, "version": model.version, "looks": len(model.records)})


def _generator(arguments: argparse.Namespace, console: Console, ranks: Ranks) -> dict[str, Any]:
    from services.training.generator.job import Job, train_generator
    from services.training.generator.presets import PRESETS
    from services.training.generator.publish import Naming

    preset = "default" if arguments.preset is None else arguments.preset
    check_name("preset", preset, PRESETS)
    config = _config(arguments, PRESETS[preset])
    naming = Naming(_name(arguments), arguments.version or "1", arguments.description, _licence(arguments.licence))
    remarks = _remarks(arguments.remarks)  # read now, so that a wrong path shows before the long training
    dataset = _dataset(arguments, console, ranks)
    job = Job(dataset, config, _work(arguments), arguments.out, naming, remarks, keeps_best=not arguments.last)
    made = train_generator(job, console, ranks)
    if made:
        shelf = shlex.quote(str(arguments.out.parent))
        console.say(f"to use it: BIOSYNTH_MODELS={shelf} biosynth run IMAGE --model {naming.name} --out results")
    return made


def _segmenter(arguments: argparse.Namespace, console: Console, ranks: Ranks) -> dict[str, Any]:
    from services.training.segmenter.job import Job, train_segmenter
    from services.training.segmenter.trainer import TrainConfig

    if arguments.preset is not None:
        raise ConfigError("expected --preset with `train generator`; a segmenter's settings are given by --hyper")
    config, version = _config(arguments, TrainConfig()), _whole(arguments.version or "1")
    remarks = _remarks(arguments.remarks)
    job = Job(
        dataset=_dataset(arguments, console, ranks),
        config=config,
        work=_work(arguments),
        out=arguments.out,
        name=_name(arguments),
        version=version,
        description=arguments.description,
        remarks=remarks,
        part=arguments.part,
        licence=_licence(arguments.licence),
    )
    return train_segmenter(job, console, ranks)


def _dataset(arguments: argparse.Namespace, console: Console, ranks: Ranks) -> Path:
    """The dataset to train on; one process makes it, where it is to be made."""
    if ranks.writes:
        dataset_of(arguments, _work(arguments), console)
    ranks.wait()
    return dataset_of(arguments, _work(arguments), console)


def _config(arguments: argparse.Namespace, config: Any) -> Any:
    from services.training.hyper import read_hyper_parameters

    if arguments.hyper:
        config = read_hyper_parameters(arguments.hyper, config)
    seed = config.seed if arguments.seed is None else arguments.seed
    return replace(config, steps=arguments.steps or config.steps, seed=seed)


def _work(arguments: argparse.Namespace) -> Path:
    out: Path = arguments.out
    work: Path | None = arguments.work
    return work or out.with_name(out.name + ".training")


def _name(arguments: argparse.Namespace) -> str:
    return str(arguments.name or arguments.out.name)


def _whole(version: str) -> int:
    if not version.isdecimal():
        raise ConfigError(f"expected --version of a segmenter as a whole number; got {version!r:.40}")
    return int(version)


def _licence(text: str) -> str:
    if not re.fullmatch("[A-Za-z0-9.+-]{0,64}", text):
        raise ConfigError(f"expected --licence as an SPDX identifier, such as CC-BY-4.0; got {text!r:.80}")
    return text


def _remarks(path: Path | None) -> str:
    if path is None:
        return "Not described."
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected a text file for --remarks at {path}; {error}") from error
