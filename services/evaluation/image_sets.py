"""Sets of images as they travel (biosynth.v1.ImageSet), read an image at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

from biosynth.v1 import evaluation_pb2, types_pb2
from google.protobuf import json_format

from services.common.errors import InvalidArgument, at
from services.common.serving.content import (
    SMALL_BYTES,
    Identified,
    fetch_object,
    identify,
    read_image,
    read_segmentation,
)
from services.common.serving.runtime import Runtime
from services.common.storage.results import Json
from services.evaluation.pictures import Picture, PictureSet, listed


class StoredPictures(Sequence[Picture]):
    """The images of a set, each read when it is asked for, so that memory does not grow with their number."""

    def __init__(self, fields: Sequence[evaluation_pb2.Field], runtime: Runtime, path: str) -> None:
        """path: of the set in the request."""
        self._fields, self._runtime, self._at = fields, runtime, path

    def __len__(self) -> int:
        return len(self._fields)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | Sequence[Picture]:
        """Read one. Raises as read_image and read_segmentation, and InvalidArgument for labels of another size."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        field, store, limits = self._fields[index], self._runtime.store, self._runtime.limits
        with at(self._at), at(f"fields[{index}]"), at("image"):
            image, _ = read_image(field.image, None, store, limits)
        with at(self._at), at(f"fields[{index}]"), at("segmentation"):
            labels = read_segmentation(field.segmentation, store, limits)[0] if _shows(field) else None
            if labels is not None and labels.shape != image.shape:
                raise InvalidArgument(
                    f"expected labels of the image's size {image.shape} for {field.name!r:.80}; got {labels.shape}"
                )
        return Picture(field.name, image, labels)


def read_set(message: evaluation_pb2.ImageSet, runtime: Runtime, path: str) -> PictureSet:
    """A set, with its manifest read where it has one; images are not read yet. path: of the set in the request.

    Raises InvalidArgument for an empty set, for names that are empty or twice, and for what is no manifest.
    """
    with at(path):
        fields = list(_resolved(message, runtime).fields)
        names = [field.name for field in fields]
        _check_names(message.name, names)
    return PictureSet(message.name, tuple(names), StoredPictures(fields, runtime, path))


def _check_names(of: str, names: Sequence[str]) -> None:
    times = Counter(names)
    if not names:
        raise InvalidArgument(f"expected a set with images, got none in {of!r:.80}", field="fields")
    if wrong := [name for name in times if times[name] > 1 or not name]:
        raise InvalidArgument(
            f"expected a name of its own for every image of {of!r:.80}; empty or more than once: {listed(wrong)}",
            field=f"fields[{names.index(wrong[0])}].name",
        )


@dataclass(frozen=True)
class SetIdentity:
    """What a result depends on, and how many pixels each image announces.

    digests: the set's name, and each image's name and the SHA-256 of image and segmentation.
    """

    digests: list[Json]
    pixels: tuple[int, ...]


def identify_set(message: evaluation_pb2.ImageSet, runtime: Runtime, path: str) -> SetIdentity:
    """Look at each image of a set, without keeping or decoding any. path: as for `read_set`. Raises as `identify`."""

    def identified(content: types_pb2.Content, field: str) -> Identified:
        with at(field):
            return identify(content, runtime.store, runtime.limits)

    rows: list[Json] = [message.name]
    pixels = []
    with at(path):
        for number, field in enumerate(_resolved(message, runtime).fields):
            image = identified(field.image, f"fields[{number}].image")
            shown = identified(field.segmentation, f"fields[{number}].segmentation").sha256 if _shows(field) else ""
            rows.append([field.name, image.sha256, shown])
            pixels.append(image.pixels)
    return SetIdentity(rows, tuple(pixels))


def _resolved(message: evaluation_pb2.ImageSet, runtime: Runtime) -> evaluation_pb2.ImageSet:
    if not message.HasField("manifest"):
        return message
    if message.fields:
        raise InvalidArgument(
            f"expected fields or a manifest for the set {message.name!r:.80}; got both", field="manifest"
        )
    with at("manifest"):
        data = fetch_object(message.manifest, runtime.store, replace(runtime.limits, max_bytes=SMALL_BYTES)).data or b""
    try:
        return json_format.Parse(data, evaluation_pb2.ImageSet())
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise InvalidArgument(
            f"expected an ImageSet in proto3's JSON form at {message.manifest.key}; {str(error)[:200]}",
            field="manifest",
        ) from error


def _shows(field: evaluation_pb2.Field) -> bool:
    return field.segmentation.WhichOneof("source") is not None
