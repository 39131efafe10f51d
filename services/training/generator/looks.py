"""The looks that a model file keeps of its training images, for inference to draw from. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.errors import InvalidArgument
from services.generation.looks import AppearanceRecord, describe_labels, record_of
from services.generation.model import (
    CARD,
    DESCRIPTION,
    PICTURE,
    WEIGHTS,
    ModelDescription,
    read_model,
    write_description,
)
from services.reference.schemas import named
from services.training.datasets.dataset import read_manifest
from services.training.generator.crops import Field, load_fields
from services.training.generator.picture import scratched_kinds, write_picture
from services.training.replacing import replaced

# Enough to span the looks of a training set; each is a line of model.json.
MOST_RECORDS = 400


def light_of(schema_name: str) -> str:
    """Which light uneven grounds have under a schema, a name of `LIGHTS`.

    >>> light_of("nuclei3"), light_of("cells4")
    ('threads', 'clouds')
    """
    # Threads are the bodies of cells, which a nuclear stain hardly shows. Where cells are drawn, they are objects.
    return "threads" if named(schema_name).parts == ("nuclei",) else "clouds"


def records_of(fields: Sequence[Field]) -> tuple[AppearanceRecord, ...]:
    """The looks of training fields, MOST_RECORDS at most, chosen by a fixed seed and kept in their order."""
    generator = np.random.default_rng(0)
    # Fields without objects say nothing about contrast: inference must not draw from them.
    usable = [field for field in fields if len(field.look.objects)]
    chosen = [usable[index] for index in sorted(generator.permutation(len(usable))[:MOST_RECORDS])]
    return tuple(
        record_of(field.look, describe_labels(field.objects), field.entry.source, generator) for field in chosen
    )


def renew_looks(folder: Path, dataset: Path, version: str) -> ModelDescription:
    """Measure the looks of a model's training images anew and write them, under a new version; weights stay.

    Raises InvalidArgument where the dataset is not one of the model's schema, or the version is the one it has.
    """
    description, manifest = read_model(folder).description, read_manifest(dataset)
    if (manifest.schema_name, manifest.schema_version) != (description.schema_name, description.schema_version):
        raise InvalidArgument(
            f"expected a dataset under {description.schema_name} v{description.schema_version}, as model "
            f"{description.name} was trained on; got one under {manifest.schema_name} v{manifest.schema_version}"
        )
    if manifest.name != description.training.get("dataset", manifest.name):
        raise InvalidArgument(
            f"expected the dataset that model {description.name} was trained on, {description.training['dataset']}; "
            f"got {manifest.name}"
        )
    if version in ("", description.version):
        raise InvalidArgument(
            f"expected a new version with --version; the model is version {description.version}, and what a version "
            "holds never changes"
        )
    fields = load_fields(dataset, manifest.chosen("train"), manifest.roles)
    records = records_of(fields)
    if not records:
        raise InvalidArgument("expected training images that show objects; got none")
    renewed = replace(description, version=version, records=records)
    with replaced(folder, DESCRIPTION) as made:
        write_description(made, renewed)
        if (card := folder / CARD).is_file():
            _, _, rest = card.read_text(encoding="utf-8").partition("\n")
            (made / CARD).write_text(f"# {renewed.name} {version}\n{rest}", encoding="utf-8")
        if (folder / PICTURE).is_file():
            scratched = scratched_kinds(named(manifest.schema_name), fields)
            write_picture(made, renewed, OnnxCpuEngine(folder / WEIGHTS), scratched)
    return renewed
