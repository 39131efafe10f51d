"""`biosynth train`: a generator or a segmenter from a dataset."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.cli.console import Console
from services.cli.numbers import POSITIVE, SEED
from services.common.errors import ConfigError
from services.training.generator.looks import renew_looks

PARTS = ("cells", "nuclei")
HELP = "train a generator or a segmenter on a dataset (needs torch: the `training` extra)"
DESCRIPTION = """\
Trains on a dataset made by `biosynth dataset` and writes a model folder that works without torch, with its card:

  generator   references to images; half an hour on two cores gives a usable model
  segmenter   images to the cells or nuclei that people labelled; an hour gives a good one

Interrupted, the same command goes on from its last checkpoint. Losses go to TensorBoard logs beside checkpoints."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("what", choices=("generator", "segmenter"), help="what to train")
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder made by `biosynth dataset`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model folder, such as models/my-cells")
    parser.add_argument("--name", metavar="NAME", help="default: the folder's name")
    parser.add_argument(
        "--version",
        metavar="N",
        help="default 1; a segmenter's is a whole number; with --looks-only a new one is needed",
    )
    parser.add_argument("--description", default="", metavar="TEXT", help="one sentence for those who choose")
    parser.add_argument("--remarks", type=Path, metavar="FILE", help="text for the card: how results look")
    parser.add_argument("--work", type=Path, metavar="DIR", help="checkpoints and logs; default: OUT.training")
    parser.add_argument("--steps", type=POSITIVE, metavar="N", help="default 5000 for generators, 6000 for segmenters")
    parser.add_argument(
        "--hyper",
        type=Path,
        metavar="FILE",
        help="of a segmenter: YAML of hyper-parameters that differ from the defaults, named as in a card",
    )
    parser.add_argument(
        "--part", default="", choices=PARTS, help="of a segmenter: what to find; default: what has labels"
    )
    parser.add_argument(
        "--looks-only",
        action="store_true",
        help="of a generator: keep --out's weights, measure its training images' looks anew",
    )
    parser.add_argument("--seed", type=SEED, default=0, metavar="N", help="default 0")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    if arguments.looks_only and arguments.what != "generator":
        raise ConfigError("expected --looks-only with `train generator`: only generators have looks")
    if arguments.looks_only:
        model = renew_looks(arguments.out, arguments.dataset, arguments.version or "")
        console.say(f"wrote {len(model.records)} looks to {arguments.out}, now {model.name} {model.version}")
        console.answer({"model": model.name, "version": model.version, "looks": len(model.records)})
        return
    try:
        console.answer(
            _generator(arguments, console) if arguments.what == "generator" else _segmenter(arguments, console)
        )
    except ImportError as error:
        raise ConfigError(
            f"training needs torch ({error}); install the `training` extra, or run `make test-training`"
        ) from error


def _generator(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    from services.training.generator.job import Job, train_generator
    from services.training.generator.publish import Naming
    from services.training.generator.trainer import TrainConfig

    job = Job(
        dataset=arguments.dataset,
        config=TrainConfig(steps=arguments.steps or TrainConfig.steps, seed=arguments.seed),
        work=_work(arguments),
        out=arguments.out,
        naming=Naming(_name(arguments), arguments.version or "1", arguments.description),
        remarks=_remarks(arguments.remarks),  # read now, so that a wrong path shows before the long training
    )
    return train_generator(job, console)


def _segmenter(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    from services.training.segmenter.hyper import read_hyper_parameters
    from services.training.segmenter.job import Job, train_segmenter
    from services.training.segmenter.trainer import TrainConfig

    config = TrainConfig(seed=arguments.seed)
    if arguments.hyper:
        config = read_hyper_parameters(arguments.hyper, config)
    job = Job(
        dataset=arguments.dataset,
        config=replace(config, steps=arguments.steps or config.steps),
        work=_work(arguments),
        out=arguments.out,
        name=_name(arguments),
        version=_whole(arguments.version or "1"),
        description=arguments.description,
        remarks=_remarks(arguments.remarks),
        part=arguments.part,
    )
    return train_segmenter(job, console)


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


def _remarks(path: Path | None) -> str:
    if path is None:
        return "Not described."
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected a text file for --remarks at {path}; {error}") from error
