"""A generator's description in the words of BioImage.IO's model format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.common.engines.onnx_cpu import OPSET
from services.generation.conditions import plane_meanings
from services.generation.model import DESCRIPTION, PICTURE, WEIGHTS, ModelDescription, StoredModel
from services.generation.patches import PATCH_PX
from services.reference.schema import Schema

FORMAT_VERSION = "0.5.12"
INPUT, OUTPUT, README = "test_input.npy", "test_output.npy", "README.md"
_MOST_LETTERS = 1024  # of the description; the documentation has all of it
_DOI = re.compile(r"doi (10\.\d{4,9}/[^\s,;)]+)")
_BATCH = {"type": "batch", "size": 1}  # as training exports networks
_FLOAT = {"type": "float32"}


def description_of(
    stored: StoredModel, schema: Schema, authors: Sequence[str], sha256: Mapping[str, str]
) -> dict[str, Any]:
    """What bioimageio.yaml says, ready for YAML. sha256: of every file of the package, by name."""
    model = stored.description
    return {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": f"{model.name} (biosynth generator)",
        "version": model.version,
        "description": model.description[:_MOST_LETTERS],
        "authors": [{"name": name} for name in authors],
        **({"license": model.licence} if model.licence else {}),
        "cite": cited(stored.card()),
        "tags": ["2d", "generation", "synthetic-data", "pytorch", *schema.parts],
        "documentation": _file(README, sha256),
        "covers": [_file(PICTURE, sha256)] if PICTURE in sha256 else [],
        "attachments": [_file(DESCRIPTION, sha256)],
        "inputs": [_input(model, schema, sha256)],
        "outputs": [_output(model, sha256)],
        "weights": {"onnx": {**_file(WEIGHTS, sha256), "opset_version": OPSET}},
        "config": {"bioimageio": {"model_parameter_count": model.parameters}, "biosynth": _own(stored)},
    }


def cited(card: str) -> list[dict[str, str]]:
    """The sources of a card's data that have a DOI.

    >>> cited("## Data\\n\\n- cells: A et al., doi 10.1234/x.5, halved\\n- own images\\n")
    [{'text': 'cells: A et al., doi 10.1234/x.5, halved', 'doi': '10.1234/x.5'}]
    """
    lines = card.partition("## Data\n")[2].partition("\n## ")[0].splitlines()
    return [{"text": line[2:], "doi": found[1]} for line in lines if (found := _DOI.search(line))]


def _input(model: ModelDescription, schema: Schema, sha256: Mapping[str, str]) -> dict[str, Any]:
    names = list(plane_meanings([level.name for level in schema.levels]))
    size: Any = PATCH_PX
    if model.halo_px is not None:
        # The smallest input of which something is left once the halo is cut off.
        size = {"min": 2 * model.halo_px + model.stride_px, "step": model.stride_px}
    one_hot = [{**_FLOAT, "range": [0, 1]}] * len(schema.levels)
    return {
        "id": "planes",
        "description": f"a reference under {schema.name} and its look, as {README} states",
        "axes": [
            _BATCH,
            {"type": "channel", "channel_names": names},
            *({"type": "space", "id": axis, "size": size} for axis in "yx"),
        ],
        "data": [*one_hot, *([_FLOAT] * (len(names) - len(one_hot)))],
        "test_tensor": _file(INPUT, sha256),
    }


def _output(model: ModelDescription, sha256: Mapping[str, str]) -> dict[str, Any]:
    halo = {} if model.halo_px is None else {"halo": model.halo_px}
    return {
        "id": "image",
        "description": "brightness above the background, in units of the contrast",
        "axes": [
            _BATCH,
            {"type": "channel", "channel_names": ["brightness"]},
            *({"type": "space", "id": axis, "size": {"tensor_id": "planes", "axis_id": axis}, **halo} for axis in "yx"),
        ],
        "data": _FLOAT,
        "test_tensor": _file(OUTPUT, sha256),
    }


def _own(stored: StoredModel) -> dict[str, Any]:
    model = stored.description
    return {"model": f"{model.name}/{model.version}", "schema": model.schema, "fingerprint": stored.fingerprint}


def _file(name: str, sha256: Mapping[str, str]) -> dict[str, str]:
    return {"source": name, "sha256": sha256[name]}
