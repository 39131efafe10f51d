"""`biosynth dataset`: pairs of references and images to train on."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from services.cli.console import Console
from services.training.datasets.build import build, plan
from services.training.datasets.recipe import find_recipe, shipped_recipes

HELP = "build a dataset of (reference, image) pairs"
DESCRIPTION = f"""\
Builds the dataset of a recipe: a YAML file that says where images and labels are below --data, under which schema
references are drawn, and how parents are split (a group of tiles of one field never crosses the split).
Shipped recipes: {", ".join(shipped_recipes())}."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recipe", metavar="NAME|FILE", help="a shipped recipe, or a YAML file")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="what the recipe's paths are relative to"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the dataset")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command."""
    recipe = find_recipe(arguments.recipe)
    splits: Counter[str] = Counter()
    with console.progress(total=len(plan(recipe, arguments.data)), unit="pair") as bar:
        for job in build(recipe, arguments.data, arguments.out):
            splits[job.split] += 1
            bar.update(1)
    counts = ", ".join(f"{count} {split}" for split, count in sorted(splits.items()))
    console.say(f"wrote {sum(splits.values())} pairs under {recipe.schema} to {arguments.out}: {counts}")
    console.answer({"name": recipe.name, "schema": recipe.schema, "splits": dict(splits), "folder": str(arguments.out)})
