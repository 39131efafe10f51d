"""`biosynth dataset`: pairs of references and images to train on."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from services.cli.console import Console
from services.cli.numbers import SEED
from services.cli.own_dataset import add_folders, make_dataset
from services.common.errors import ConfigError
from services.reference.schemas import named
from services.training.datasets.build import build, plan
from services.training.datasets.recipe import EXAMPLE, find_recipe, shipped_recipes

HELP = "build a dataset of (reference, image) pairs"
DESCRIPTION = f"""\
Of two folders, the masks of a.tif being a.png, a.tif, a_cp_masks.tif, a_seg.npy, a.geojson, ... (docs/masks.md):

  biosynth dataset --images DIR --labels DIR --schema nuclei3 --out my-data
  biosynth dataset --images DIR --labels DIR --schema cells4 --split 0.9 --group '(well[A-H][0-9]+)_' --out my-data

Images that are blurred, empty, saturated or there twice are left out, and told; `biosynth quality` shows them first,
and quality.csv in OUT what was measured. Under a schema of cells and nuclei, masks are .ome.tif of both (combine).

Or of a recipe, where images come from several places, a split is given or parts come from a segmenter: a YAML file
that says where images and labels are below --data, under which schema references are drawn, and how images are split (a
group of tiles of one field never crosses the split). Shipped recipes: {", ".join(shipped_recipes())}.
One of your own:

{"".join(f"  {line}" for line in EXAMPLE.splitlines(keepends=True))}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recipe", nargs="?", metavar="NAME|FILE", help="a shipped recipe, or a YAML file")
    parser.add_argument("--data", type=Path, metavar="DIR", help="what the recipe's paths are relative to")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the dataset")
    folders = parser.add_argument_group("of folders instead of a recipe")
    folders.add_argument("--schema", metavar="NAME", help="the schema that references are drawn under")
    add_folders(folders)
    folders.add_argument("--seed", type=SEED, default=0, metavar="N", help="of the split; default 0")


def execute(arguments: argparse.Namespace, console: Console) -> None:
    """Run the command. Raises ConfigError unless either a recipe or folders are given, with what they need."""
    of_folders = (arguments.images, arguments.labels, arguments.schema)
    if arguments.recipe and arguments.data and not any(of_folders):
        name, schema, splits = _of_recipe(arguments, console)
    elif all(of_folders) and not arguments.recipe and not arguments.data:
        manifest = make_dataset(arguments, named(arguments.schema), arguments.out, console)
        name, schema = manifest.name, manifest.schema_name
        splits = Counter(entry.split for entry in manifest.entries)
    else:
        raise ConfigError(
            "expected a recipe and --data DIR, or --images DIR, --labels DIR and --schema NAME; `biosynth dataset "
            "--help` shows both"
        )
    console.answer({"name": name, "schema": schema, "splits": dict(splits), "folder": str(arguments.out)})


def _of_recipe(arguments: argparse.Namespace, console: Console) -> tuple[str, str, Counter[str]]:
    recipe = find_recipe(arguments.recipe)
    splits: Counter[str] = Counter()
    with console.progress(total=len(plan(recipe, arguments.data)), unit="pair") as bar:
        for job in build(recipe, arguments.data, arguments.out):
            splits[job.split] += 1
            bar.update(1)
    counts = ", ".join(f"{count} {split}" for split, count in sorted(splits.items()))
    console.say(f"wrote {sum(splits.values())} pairs under {recipe.schema} to {arguments.out}: {counts}")
    return recipe.name, recipe.schema, splits
