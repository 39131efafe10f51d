"""`biosynth dataset`: pairs of references and images to train on."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from services.cli.console import Console
from services.common.errors import UnknownName
from services.pipeline.datasets.build import build, plan
from services.pipeline.datasets.recipe import Recipe, read_recipe

HELP = "build a dataset of (reference, image) pairs"
SHIPPED = Path(__file__).parents[2] / "pipeline" / "datasets" / "recipes"
DESCRIPTION = f"""\
Builds the dataset of a recipe: a YAML file that says where images and labels are below --data, under which schema
references are drawn, and how parents are split (a group of tiles of one field never crosses the split).
Shipped recipes: {", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))}."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recipe", metavar="NAME|FILE", help="a shipped recipe, or a YAML file")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="what the recipe's paths are relative to"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the dataset")


def execute(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run the command; returns what --json prints."""
    recipe = find_recipe(arguments.recipe)
    splits: Counter[str] = Counter()
    with console.progress(total=len(plan(recipe, arguments.data)), unit="pair") as bar:
        for job in build(recipe, arguments.data, arguments.out):
            splits[job.split] += 1
            bar.update(1)
    counts = ", ".join(f"{count} {split}" for split, count in sorted(splits.items()))
    console.say(f"wrote {sum(splits.values())} pairs under {recipe.schema} to {arguments.out}: {counts}")
    return {"name": recipe.name, "schema": recipe.schema, "splits": dict(splits), "folder": str(arguments.out)}


def find_recipe(text: str) -> Recipe:
    """Read a recipe by file or by the name of a shipped one. Raises UnknownName."""
    if text.endswith((".yaml", ".yml")):
        return read_recipe(Path(text))
    path = SHIPPED / f"{Path(text).name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
        raise UnknownName(f"expected a recipe among {names}, or a .yaml file; got {text!r}")
    return read_recipe(path)
