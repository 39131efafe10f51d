"""--like: the image, or the look, that a generated image is to imitate."""

from __future__ import annotations

import argparse
from pathlib import Path

from biosynth.v1.generation_pb2 import GenerateRequest
from biosynth.v1.reference_pb2 import RenderRequest, RenderResponse
from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse
from biosynth.v1.types_pb2 import Content

from services.cli.files import read_input
from services.cli.looks import read_look
from services.cli.numbers import COUNT
from services.cli.session import Session
from services.common.errors import InvalidArgument
from services.common.imaging.ometiff import decode_segmentation
from services.pipeline.catalogue import catalogue_of
from services.pipeline.plan import OPTIONAL_PARTS, Wish, make_plan


def add_likeness(parser: argparse.ArgumentParser) -> None:
    """Declare --like and what belongs to it."""
    parser.add_argument(
        "--like",
        type=Path,
        metavar="FILE",
        help="imitate this image, or the look.json of a run; default: draw a look",
    )
    parser.add_argument(
        "--like-segmentation", type=Path, metavar="FILE", help="what that image shows (.ome.tif); default: segment it"
    )
    parser.add_argument("--like-channel", type=COUNT, metavar="N", help="channel of a multi-channel image, from 0")


def set_likeness(request: GenerateRequest, arguments: argparse.Namespace, session: Session) -> None:
    """Put into the request what --like asks for. Raises InvalidArgument for options that do not go together."""
    like: Path | None = arguments.like
    needs_image = arguments.like_segmentation is not None or arguments.like_channel is not None
    if needs_image and (like is None or like.suffix == ".json"):
        raise InvalidArgument("expected an image as --like, with --like-segmentation or --like-channel; got none")
    if like is None:
        return
    if like.suffix == ".json":
        request.look.CopyFrom(read_look(like))
        return
    request.like.image.CopyFrom(session.content(read_input(like)))
    if arguments.like_channel is not None:
        request.like.channel = arguments.like_channel
    request.like.reference.CopyFrom(_reference(request, arguments.like_segmentation, session))


def _reference(request: GenerateRequest, given: Path | None, session: Session) -> Content:
    """What the image to imitate shows, drawn under the model's schema."""
    client = session.client
    catalogue = catalogue_of(client.list_segmenters(), client.list_schemas(), client.list_models())
    plan = make_plan(catalogue, Wish(model=request.model))
    [(segmenter, model)] = plan.models.items()
    if given is not None:
        data = read_input(given)
        found = decode_segmentation(data).parts
        segmentation = session.content(data)
        absent = [part for part in catalogue.schemas[model.schema] if part not in found and part in OPTIONAL_PARTS]
    else:
        asked = SegmentRequest(image=request.like.image, segmenter=segmenter)
        if request.like.HasField("channel"):
            asked.channel = request.like.channel
        answer: SegmentResponse = session.ask(client.segmentation.Segment, asked)
        segmentation, absent = answer.segmentation, list(plan.absent[segmenter])
    drawn = RenderRequest(
        segmentation=segmentation, image=request.like.image, schema_name=model.schema, absent_parts=absent
    )
    if request.like.HasField("channel"):
        drawn.channel = request.like.channel
    response: RenderResponse = session.ask(client.reference.Render, drawn)
    return response.reference
