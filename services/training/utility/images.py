"""The generated images of a utility experiment, where a model is to make them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from services.common.engines.engine import Engine
from services.common.errors import InvalidArgument
from services.common.imaging.images import encode_png
from services.common.whole_files import write_file
from services.generation.generate import generate
from services.generation.model import ModelDescription
from services.generation.tilings import usual_tiling
from services.training.datasets.dataset import DatasetManifest, read_pair
from services.training.segmenter.fields import entries_by_source
from services.training.utility.arms import generated_path


def images_of(manifest: DatasetManifest) -> int:
    """How many images the experiment needs: one for every training pair that people labelled."""
    return sum(len(entries) for entries in entries_by_source(manifest, "train").values())


def generate_missing(
    folder: Path, manifest: DatasetManifest, model: ModelDescription, engine: Engine, seed: int, out: Path
) -> Iterator[int]:
    """Write the generated image of every training pair that has none; yields how many are there, after each.

    Looks are drawn by seed, as `biosynth generate` draws them; each pair's seed follows from `seed` and its name.
    Raises InvalidArgument for a model of another schema than the dataset's.
    """
    if model.schema_name != manifest.schema_name:
        raise InvalidArgument(
            f"expected a model that draws from {manifest.schema_name}, as the references of {manifest.name} are; "
            f"{model.name} draws from {model.schema_name}"
        )
    out.mkdir(parents=True, exist_ok=True)
    entries = [entry for group in entries_by_source(manifest, "train").values() for entry in group]
    for done, entry in enumerate(entries, start=1):
        path = generated_path(out, entry)
        if not path.is_file():
            _, reference = read_pair(folder, entry)
            own_seed = int(np.random.default_rng([seed, *entry.id.encode()]).integers(2**32))
            made = generate(reference, model, engine, own_seed, tiling=usual_tiling(model))
            write_file(path, encode_png(made.image))
        yield done
