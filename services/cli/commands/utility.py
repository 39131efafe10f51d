"""`biosynth utility`: whether generated images can train a segmenter."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.console import Console
from services.cli.files import check_folder
from services.cli.numbers import POSITIVE, SEED
from services.common.errors import ConfigError, InvalidArgument
from services.common.whole_files import write_file
from services.generation.config import GenerationConfig
from services.generation.device import choose_engine
from services.generation.model import ModelShelf
from services.training.datasets.dataset import DatasetManifest, fingerprint, read_manifest
from services.training.stopping import TrainingInterrupted

if TYPE_CHECKING:
    from services.training.utility.experiment import Experiment, Outcome

FORMAT = "biosynth.utility/1"
PARTS = ("cells", "nuclei")
HELP = "train segmenters on real, on generated and on both kinds of images; test them on real ones (needs torch)"
DESCRIPTION = """\
The question that decides: can generated images stand in for real ones? Trains equal small segmenters for equal steps on
the training fields of a dataset, on generated images of the same labels, and on both; tests each on the dataset's real
val fields. Prints a table, intervals over seeds, and writes it with every outcome to OUT/utility.json.

Interrupted, the same command goes on where it was. The default, three seeds of 1200 steps, takes half an hour on two
cores; --full trains what `biosynth train segmenter` trains, for hours."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder made by `biosynth dataset`")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", metavar="NAME", help="generator that makes the images, looks drawn by seed")
    source.add_argument("--generated", type=Path, metavar="DIR", help="images made elsewhere, named as the pairs")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the result")
    parser.add_argument("--work", type=Path, metavar="DIR", help="images and checkpoints; default: OUT.work")
    parser.add_argument("--part", default="", choices=PARTS, help="what to find; default: what has labels")
    parser.add_argument("--seeds", type=POSITIVE, default=3, metavar="N", help="segmenters for each arm (default 3)")
    parser.add_argument("--steps", type=POSITIVE, metavar="N", help="of each training; default 1200, with --full 6000")
    parser.add_argument("--full", action="store_true", help="segmenters of full size")
    parser.add_argument("--seed", type=SEED, default=0, metavar="N", help="the first seed (default 0)")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    try:
        from services.training.utility.table import as_text, lines_of
    except ImportError as error:
        raise ConfigError(f"the experiment needs torch ({error}); install the `training` extra") from error
    if arguments.seed + arguments.seeds > 2**64:
        raise InvalidArgument(
            f"expected seeds below 2^64; got {arguments.seeds} from {arguments.seed} on; choose a smaller --seed"
        )
    out = check_folder(arguments.out)
    work = arguments.work or arguments.out.with_name(arguments.out.name + ".work")
    manifest = read_manifest(arguments.dataset)
    generated = arguments.generated or _generated(arguments, manifest, work / "images", console)
    experiment = _experiment(arguments, manifest, generated, work)
    try:
        outcomes = _outcomes(experiment, console)
    except TrainingInterrupted as interrupted:
        console.say(f"{interrupted}, which is saved; to go on, type\n  biosynth {shlex.join(arguments.typed)}")
        sys.exit(128 + interrupted.signal)
    lines = lines_of(outcomes)
    record = {
        "format": FORMAT,
        "dataset": manifest.name,
        "generated_by": arguments.model or generated.resolve().name,
        "fields": {"train": experiment.trained_on, "test": experiment.tested_on},
        "training": asdict(experiment.config),
        "seeds": list(experiment.seeds),
        "arms": [asdict(line) for line in lines],
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    write_file(out / "utility.json", (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    over = f"means over {arguments.seeds} seeds (95 % interval)" if arguments.seeds > 1 else "one seed: no intervals"
    console.say(f"{as_text(lines)}\n{over}; wrote utility.json to {out}")
    console.answer(record)


def _generated(arguments: argparse.Namespace, manifest: DatasetManifest, folder: Path, console: Console) -> Path:
    """Let the model make the images that are not there yet."""
    from services.training.utility.images import generate_missing, images_of

    config = GenerationConfig.from_env(os.environ)
    model = ModelShelf(*config.model_folders).get(arguments.model)
    engine = choose_engine(config.device, config.precision, config.cpu_engine)(model)
    # Of the dataset too: one that was made again keeps its pairs' names, but not their references.
    place = folder / "-".join(
        (arguments.model, model.fingerprint[:12], fingerprint(arguments.dataset)[:12], str(arguments.seed))
    )
    with console.progress(total=images_of(manifest), unit="image") as bar:
        for _ in generate_missing(arguments.dataset, manifest, model.description, engine, arguments.seed, place):
            bar.update(1)
    return place


def _experiment(arguments: argparse.Namespace, manifest: DatasetManifest, generated: Path, work: Path) -> Experiment:
    from services.training.segmenter.fields import choose_part
    from services.training.segmenter.trainer import TrainConfig
    from services.training.utility.arms import arms_of, held_out
    from services.training.utility.experiment import CONFIG, Experiment

    config = TrainConfig() if arguments.full else CONFIG
    part = choose_part(manifest, arguments.part)
    return Experiment(
        arms_of(arguments.dataset, manifest, part, generated),
        held_out(arguments.dataset, manifest, part),
        replace(config, steps=arguments.steps or config.steps),
        range(arguments.seed, arguments.seed + arguments.seeds),
        part,
        _digest(arguments.dataset, generated),
        work,
    )


def _outcomes(experiment: Experiment, console: Console) -> list[Outcome]:
    """Train and test all segmenters. Raises TrainingInterrupted after SIGINT or SIGTERM."""
    outcomes = []
    with console.progress(total=experiment.steps, unit="step") as bar:

        def tell(segmenter: str, steps: int) -> None:
            bar.set_description(segmenter)
            bar.update(steps)

        for outcome in experiment.run(tell):
            outcomes.append(outcome)
            console.say(f"{outcome.arm}, seed {outcome.seed}: mean AP {outcome.mean_ap:.3f}, AP50 {outcome.ap50:.3f}")
    return outcomes


def _digest(dataset: Path, generated: Path) -> str:
    """Of the dataset's manifest and of every generated image."""
    digest = hashlib.sha256(fingerprint(dataset).encode())
    for path in sorted(generated.glob("*.png")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
