"""What a run did, as run.json and --json tell it."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from biosynth.objects import ObjectTable
from biosynth.results import tiling_word, word
from biosynth.v1.generation_pb2 import GenerateResponse, LookOrigin
from biosynth.v1.pipeline_pb2 import RunResult
from biosynth.v1.reference_pb2 import RenderResponse
from biosynth.v1.segmentation_pb2 import SegmentResponse

from services.cli.appearance import SAMPLED, values_of
from services.cli.images.lab_image import LabImage
from services.cli.object_means import object_means
from services.cli.versions import versions


def run_record(
    arguments: argparse.Namespace,
    image: LabImage,
    diameter_px: float | None,
    result: RunResult,
    stages: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what was done, ready for JSON; stages that were not done are absent.

    image: what was sent. diameter_px: as it was asked for. stages: in the order of their ends.
    """
    record = {
        "format": "biosynth.run/1",
        "input": image.record,
        "parameters": _parameters(arguments, image, diameter_px),
        "segmentation": segmentation_record(result.segmentation),
        "stages": list(stages),
        "versions": versions(),
    }
    if result.HasField("reference"):
        record["reference"] = _reference_record(result.reference, arguments.boundary_thickness)
    if result.HasField("generation"):
        record["generation"] = generation_record(result.generation, arguments.seed)
    return record


def segmentation_record(found: SegmentResponse) -> dict[str, Any]:
    """What was found, by which segmenter, and how sure that is. found: its table as a file."""
    names = ("height_px", "width_px", "cells", "nuclei", "wound_fraction", "at_border")
    return {
        **{name: getattr(found.summary, name) for name in names},
        "diameter_px": found.summary.diameter_px if found.summary.HasField("diameter_px") else None,
        "parts": list(found.summary.parts),
        "segmenter": found.segmenter.name,
        "segmenter_version": found.segmenter.version,
        "choice_confidence": found.choice_confidence if found.HasField("choice_confidence") else None,
        "warnings": list(found.warnings),
        "unsuitable": list(found.unsuitable),
        "pixel_size_um": found.summary.pixel_size_um if found.summary.HasField("pixel_size_um") else None,
        "means": object_means(ObjectTable.of(found.objects.file)),
    }


def doubts(found: Mapping[str, Any], told: Collection[str] = ()) -> list[str]:
    """All that is doubtful in a segmentation_record, each sentence once and without those that were told."""
    return [one for one in dict.fromkeys([*found["unsuitable"], *found["warnings"]]) if one not in told]


def _reference_record(drawn: RenderResponse, boundary_thickness_px: int) -> dict[str, Any]:
    return {
        "schema": drawn.schema.name,
        "schema_version": drawn.schema.version,
        "boundary_thickness_px": boundary_thickness_px,
        "tier_limits": list(drawn.tier_limits),
        "levels": list(level_pixels(drawn)),
    }


def _parameters(arguments: argparse.Namespace, image: LabImage, diameter_px: float | None) -> dict[str, Any]:
    """What was asked for; empty: left to be chosen, estimated or drawn."""
    names = ("segmenter", "schema", "pixel_size", "until", "force")
    return {
        # As numbers, however they were named: those of the file that was sent.
        **{name: image.channels.get(name) for name in ("channel", "nuclei_channel", "cells_channel")},
        **{name: getattr(arguments, name) for name in (*names, "boundary_thickness", "seed")},
        "model": str(arguments.model),
        "diameter_px": diameter_px,
        "appearance": values_of(arguments),
        "look": "drawn" if SAMPLED in arguments.appearance else "measured",
    }


def generation_record(made: GenerateResponse, seed: int) -> dict[str, Any]:
    """A generated image: by which model, on what, and with which look."""
    return {
        "model": made.model.name,
        "model_version": made.model.version,
        "model_sha256": made.model.sha256,
        "engine": made.engine,
        "precision": made.precision,
        "seed": seed,
        "tiling": tiling_word(made.tiling),
        "appearance": {field.name: value for field, value in made.appearance.ListFields()},
        "look": {"origin": word(LookOrigin, made.look_origin), "drawn_from": made.drawn_from},
        "warnings": list(made.warnings),
    }


def level_pixels(drawn: RenderResponse) -> Iterator[dict[str, Any]]:
    """The levels of a reference and how many pixels each has."""
    for level, pixels in zip(drawn.schema.levels, drawn.level_pixels, strict=True):
        yield {"index": level.index, "name": level.name, "grey": level.grey, "pixels": pixels}
