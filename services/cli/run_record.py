"""What a run did, as run.json and --json tell it."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from biosynth.results import word
from biosynth.v1.generation_pb2 import GenerateResponse, LookOrigin
from biosynth.v1.pipeline_pb2 import RunResult
from biosynth.v1.reference_pb2 import RenderResponse

from services.cli.appearance import SAMPLED, values_of
from services.cli.versions import versions


def run_record(
    arguments: argparse.Namespace, source: bytes, result: RunResult, stages: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what was done, ready for JSON. source: the image file's bytes. stages: in the order of their ends."""
    found, drawn, made = result.segmentation, result.reference, result.generation
    return {
        "format": "biosynth.run/1",
        "input": {"name": arguments.image.name, "sha256": hashlib.sha256(source).hexdigest()},
        "parameters": _parameters(arguments),
        "segmentation": {
            **{
                name: getattr(found.summary, name)
                for name in ("height_px", "width_px", "cells", "nuclei", "wound_fraction")
            },
            "parts": list(found.summary.parts),
            "segmenter": found.segmenter.name,
            "segmenter_version": found.segmenter.version,
        },
        "reference": {
            "schema": drawn.schema.name,
            "schema_version": drawn.schema.version,
            "boundary_thickness_px": arguments.boundary_thickness,
            "tier_limits": list(drawn.tier_limits),
            "levels": list(level_pixels(drawn)),
        },
        "generation": generation_record(made, arguments.seed),
        "stages": list(stages),
        "versions": versions(),
    }


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was asked for; empty: left to be chosen or drawn."""
    names = ("segmenter", "schema", "model", "channel", "boundary_thickness", "seed")
    look = "drawn" if SAMPLED in arguments.appearance else "measured"
    return {**{name: getattr(arguments, name) for name in names}, "appearance": values_of(arguments), "look": look}


def generation_record(made: GenerateResponse, seed: int) -> dict[str, Any]:
    """A generated image: by which model, on what, and with which look."""
    return {
        "model": made.model.name,
        "model_version": made.model.version,
        "model_sha256": made.model.sha256,
        "engine": made.engine,
        "precision": made.precision,
        "seed": seed,
        "appearance": {field.name: value for field, value in made.appearance.ListFields()},
        "look": {"origin": word(LookOrigin, made.look_origin), "drawn_from": made.drawn_from},
        "warnings": list(made.warnings),
    }


def level_pixels(drawn: RenderResponse) -> Iterator[dict[str, Any]]:
    """The levels of a reference and how many pixels each has."""
    for level, pixels in zip(drawn.schema.levels, drawn.level_pixels, strict=True):
        yield {"index": level.index, "name": level.name, "grey": level.grey, "pixels": pixels}
