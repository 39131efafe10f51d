"""--like: the image, or the look, that a generated image is to imitate."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from biosynth.v1.generation_pb2 import GenerateRequest
from biosynth.v1.reference_pb2 import RenderRequest, RenderResponse
from biosynth.v1.segmentation_pb2 import SegmentRequest, SegmentResponse
from biosynth.v1.types_pb2 import Content

from services.cli.files import read_input
from services.cli.images.reading import read_image
from services.cli.images.wish import Wish as ImageWish
from services.cli.images.wish import add_wish, wish_of
from services.cli.looks import read_look
from services.cli.session import Session
from services.common.errors import InvalidArgument
from services.common.imaging.ometiff import decode_segmentation
from services.pipeline.catalogue import catalogue_of
from services.pipeline.plan import OPTIONAL_PARTS, Catalogue, Wish, make_plan, wished_models


def add_likeness(parser: argparse.ArgumentParser) -> None:
    """Declare --like and what belongs to it."""
    parser.add_argument(
        "--like",
        type=Path,
        metavar="FILE",
        help="imitate this image, or the look.json of a run; default: draw one",
    )
    parser.add_argument(
        "--like-segmentation", type=Path, metavar="FILE", help="what that image shows (.ome.tif); default: segment it"
    )
    add_wish(parser.add_argument_group("which plane of --like"), of="like")


def set_likeness(request: GenerateRequest, arguments: argparse.Namespace, session: Session) -> str:
    """Put into the request what --like asks for; returns what was taken for the image's content, in words, or "".

    Raises InvalidArgument for options that do not go together.
    """
    like: Path | None = arguments.like
    wish = wish_of(arguments, of="like")
    if (like is None or _is_look(like)) and (arguments.like_segmentation or wish != ImageWish()):
        raise no_image(like)
    return "" if like is None else imitate(request, like, arguments.like_segmentation, wish, session)


def no_image(like: Path | None) -> InvalidArgument:
    """For options that describe an image to imitate, where --like names none."""
    return InvalidArgument(
        f"expected an image as --like, since there are options for it (--like-...); got {like or 'none'}; name the "
        "image, or leave these options out"
    )


def imitate(request: GenerateRequest, like: Path, given: Path | None, wish: ImageWish, session: Session) -> str:
    """Put into the request the look of this image, or the look in a look.json; returns as `set_likeness`.

    given: a file that says what the image shows; None: a segmenter does.
    """
    if _is_look(like):
        request.look.CopyFrom(read_look(like))
        return ""
    image = read_image(like, wish, of="like")
    request.like.image.CopyFrom(_content(image.data, session))
    if image.shown is not None:
        request.like.channel = image.shown
    segmentation, absent, told = _given(request, given, session) if given else _found(request, session)
    request.like.reference.CopyFrom(_drawn(request, segmentation, absent, session))
    return "; ".join([told, *image.notes])


def _is_look(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _found(request: GenerateRequest, session: Session) -> tuple[Content, Sequence[str], str]:
    """What a segmenter that fits the model finds in the image, and the parts that it does not look for."""
    plan = make_plan(_catalogue(session), Wish(model=request.model, model_version=request.model_version))
    [segmenter] = plan.models
    asked = SegmentRequest(image=request.like.image, segmenter=segmenter)
    if request.like.HasField("channel"):
        asked.channel = request.like.channel
    answer: SegmentResponse = session.ask(session.client.segmentation.Segment, asked)
    parts = {"cells": answer.summary.cells, "nuclei": answer.summary.nuclei}
    found = ", ".join(f"{parts[part]} {part}" for part in answer.summary.parts if part in parts)
    content, told = _content(answer.segmentation.file, session), f"segmenter {segmenter} finds it: {found}"
    return content, plan.absent[segmenter], "; ".join([told, *answer.warnings])


def _given(request: GenerateRequest, path: Path, session: Session) -> tuple[Content, Sequence[str], str]:
    """The segmentation in a file, and the parts that it has not and an image need not show."""
    data, catalogue = read_input(path), _catalogue(session)
    [model] = wished_models(catalogue, Wish(model=request.model, model_version=request.model_version))
    has = decode_segmentation(data).parts
    absent = [part for part in catalogue.schemas[model.schema] if part not in has and part in OPTIONAL_PARTS]
    return _content(data, session), absent, f"{path} says"


def _drawn(request: GenerateRequest, segmentation: Content, absent: Sequence[str], session: Session) -> Content:
    """What the image shows, drawn under the model's schema."""
    [model] = wished_models(_catalogue(session), Wish(model=request.model, model_version=request.model_version))
    drawn = RenderRequest(
        segmentation=segmentation, image=request.like.image, schema_name=model.schema, absent_parts=absent
    )
    if request.like.HasField("channel"):
        drawn.channel = request.like.channel
    response: RenderResponse = session.ask(session.client.reference.Render, drawn)
    return _content(response.reference.file, session)


def _catalogue(session: Session) -> Catalogue:
    client = session.client
    return catalogue_of(client.list_segmenters(), client.list_schemas(), client.list_models())


def _content(data: bytes, session: Session) -> Content:
    """By way of our own store where there is one: a request has more than one such part, and is limited."""
    return session.stored(data) if session.store is not None else session.content(data)
