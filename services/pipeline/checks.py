"""What a run refuses before its first stage works: all that a later one would refuse whatever comes before it."""

from __future__ import annotations

from biosynth.v1.pipeline_pb2 import LookSource, RunRequest, Stage

from services.common.errors import InvalidArgument
from services.common.ranges import check_appearance, check_thickness, check_tier_limits
from services.common.serving.delivery import check_delivery
from services.common.sought import diameter_of, pixel_size_of, two_channels

# Where a run may end before the last stage.
_LAST = (Stage.STAGE_SEGMENT, Stage.STAGE_RENDER)
# What says how to get from an image to a reference.
_OF_IMAGES = (
    "channel",
    "segmenter",
    "boundary_thickness_px",
    "diameter_px",
    "nuclei_channel",
    "cells_channel",
    "pixel_size_um",
    "last_stage",
    "stop_if_unsuitable",
    "tier_limits",
)


def check_run(request: RunRequest) -> None:
    """Raise InvalidArgument, naming the field, for values that are never right or do not go together."""
    check_delivery(request.delivery)
    check_appearance({field.name: value for field, value in request.appearance.ListFields()})
    check_thickness(request.boundary_thickness_px)
    check_tier_limits(request.tier_limits)
    two_channels(request)
    diameter_of(request)
    pixel_size_of(request)
    _check_look(request)
    if not request.HasField("image"):
        _check_from_reference(request)
    if request.last_stage:
        _check_last_stage(request)


def _check_look(request: RunRequest) -> None:
    if request.look_source not in LookSource.values():
        raise InvalidArgument(f"expected a known look_source; got {request.look_source}", field="look_source")
    if request.look_source == LookSource.LOOK_SOURCE_MEASURED and not request.HasField("image"):
        raise InvalidArgument(
            "expected an image to measure a look on; got none; leave look_source empty", field="look_source"
        )


def _check_from_reference(request: RunRequest) -> None:
    told = {field.name for field, _ in request.ListFields()}
    if name := next((name for name in _OF_IMAGES if name in told), ""):
        raise InvalidArgument(
            f"expected no {name} with a reference, which is past segmentation; leave it empty", field=name
        )


def _check_last_stage(request: RunRequest) -> None:
    if request.last_stage not in _LAST:
        raise InvalidArgument(
            f"expected last_stage to be STAGE_SEGMENT, STAGE_RENDER or unset; got {request.last_stage}",
            field="last_stage",
        )
    for name, value in (("model", request.model), ("model_version", request.model_version)):
        if value:
            raise InvalidArgument(
                f"expected no {name} with last_stage, after which nothing is generated; got {value!r:.80}", field=name
            )
    if request.last_stage == Stage.STAGE_RENDER and not request.schema:
        raise InvalidArgument("expected a schema to draw under, since no model says one; got none", field="schema")
