"""`biosynth train`: a generator from a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.cli.console import Console
from services.cli.numbers import COUNT, SEED
from services.common.errors import ConfigError
from services.training.generator.looks import renew_looks

HELP = "train a generator on a dataset (needs torch: the `training` extra)"
DESCRIPTION = """\
Trains the default generator on a dataset made by `biosynth dataset` and writes a model folder that every service can
use without torch: model.onnx, model.safetensors, model.json, CARD.md. Interrupted, the same command goes on from its
last checkpoint. Half an hour on two cores gives a usable model. Losses go to TensorBoard logs beside checkpoints."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder made by `biosynth dataset`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model folder, such as models/my-cells")
    parser.add_argument("--name", metavar="NAME", help="default: the folder's name")
    parser.add_argument("--version", metavar="TEXT", help="default: 1; with --looks-only a new one is needed")
    parser.add_argument("--description", default="", metavar="TEXT", help="one sentence for `biosynth models`")
    parser.add_argument("--remarks", type=Path, metavar="FILE", help="text for the card: how the images look")
    parser.add_argument("--work", type=Path, metavar="DIR", help="checkpoints and logs; default: OUT.training")
    parser.add_argument("--steps", type=COUNT, default=5000, metavar="N", help="default 5000")
    parser.add_argument(
        "--looks-only", action="store_true", help="keep --out's weights, measure its training images' looks anew"
    )
    parser.add_argument("--seed", type=SEED, default=0, metavar="N", help="default 0")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    if arguments.looks_only:
        model = renew_looks(arguments.out, arguments.dataset, arguments.version or "")
        console.say(f"wrote {len(model.records)} looks to {arguments.out}, now {model.name} {model.version}")
        console.answer({"model": model.name, "version": model.version, "looks": len(model.records)})
        return
    try:
        from services.training.generator.job import Job, train_generator
        from services.training.generator.publish import Naming
        from services.training.generator.trainer import TrainConfig
    except ImportError as error:
        raise ConfigError(
            f"training needs torch ({error}); install the `training` extra, or run `make test-training`"
        ) from error
    out: Path = arguments.out
    job = Job(
        dataset=arguments.dataset,
        config=TrainConfig(steps=arguments.steps, seed=arguments.seed),
        work=arguments.work or out.with_name(out.name + ".training"),
        out=out,
        naming=Naming(arguments.name or out.name, arguments.version or "1", arguments.description),
        remarks=_remarks(arguments.remarks),  # read now, so that a wrong path shows before the long training
    )
    console.answer(train_generator(job, console))


def _remarks(path: Path | None) -> str:
    if path is None:
        return "Not described."
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected a text file for --remarks at {path}; {error}") from error
