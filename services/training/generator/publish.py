"""From a finished training to a model folder: weights, description, looks to draw from, card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.generation.model import CARD, PICTURE, ModelDescription, write_description
from services.generation.patches import PATCH_PX
from services.training.card import licence_fact, write_card
from services.training.datasets.dataset import DatasetManifest
from services.training.generator.architectures import Network
from services.training.generator.crops import Field
from services.training.generator.export import export
from services.training.generator.looks import light_of, records_of
from services.training.generator.picture import CAPTION


@dataclass(frozen=True)
class Naming:
    """A model's name, version, description and licence; an empty description is filled in, an empty licence not."""

    name: str
    version: str
    description: str
    licence: str = ""


def publish(
    network: Network,
    naming: Naming,
    manifest: DatasetManifest,
    fields: Sequence[Field],
    training: Mapping[str, Any],
    folder: Path,
) -> ModelDescription:
    """Write model.onnx, model.safetensors and model.json of the averaged network; returns the description.

    fields: the training fields, whose looks inference will draw from. training: the record for the card, JSON.
    """
    sha256, safetensors_sha256 = export(network, folder)
    description = ModelDescription(
        name=naming.name,
        version=naming.version,
        description=naming.description or f"Generator trained on {manifest.name}.",
        schema_name=manifest.schema_name,
        schema_version=manifest.schema_version,
        roles=manifest.roles,
        halo_px=network.config.halo_px,
        stride_px=network.config.stride_px,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        sha256=sha256,
        safetensors_sha256=safetensors_sha256,
        training=training,
        records=records_of(fields),
        licence=naming.licence,
        light=light_of(manifest.schema_name),
    )
    write_description(folder, description)
    return description


def describe(
    folder: Path, model: ModelDescription, provenance: Sequence[str], metrics: Sequence[tuple[str, str]], remarks: str
) -> None:
    """Write CARD.md: what the model is, what it was trained on, what was measured, how it looks.

    It shows the picture that `write_picture` writes.
    """
    facts = (
        f"Input: references under `{model.schema_name}` v{model.schema_version}; output: one 8-bit grey channel.",
        _network(model),
        f"Weights: `model.onnx`, sha256 `{model.sha256}`; the same for torch in `model.safetensors`.",
        licence_fact(model.licence),
    )
    rows = (
        "| what | value (95 % interval over fields) |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in metrics),
    )
    looks = f"![{model.name}]({PICTURE})\n\n{CAPTION}\n\n{remarks}"
    title, last = f"{model.name} {model.version}", ("How it looks", looks)
    write_card(folder / CARD, title, model.description, facts, model.training, provenance, rows, last)


def _network(model: ModelDescription) -> str:
    if model.halo_px is None:
        return (
            f"Network: {model.parameters:,} parameters, for patches of {PATCH_PX} px, so that tilings `blend` and "
            "`concat` alone can run it: a baseline."
        )
    return f"Network: fully convolutional, {model.parameters:,} parameters, halo {model.halo_px} px, no normalisation."
