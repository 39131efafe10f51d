"""Shards: the images of a list, in one tar file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from biosynth.contract import SCHEMA_KEYWORD
from biosynth.v1 import generation_pb2
from google.protobuf import json_format

from services.common.errors import InvalidArgument, at
from services.common.imaging.formats.png_text import with_text
from services.common.imaging.images import encode_png
from services.common.serving.content import SMALL_BYTES, fetch_object
from services.common.serving.memory import COSTS
from services.common.serving.runtime import Runtime
from services.common.storage.results import Json
from services.generation.image_order import ImageOrder, image_order
from services.generation.loaded import LoadedModel
from services.generation.look_source import summary_of

MOST_IMAGES, MOST_PIXELS = 1024, 2**27
# Of all pixels of a shard: its files, and once more where the file grows.
_BYTES_A_PIXEL = 2
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Shard:
    """Images in their order. names: of their files, one each. path: of their list in the request."""

    names: tuple[str, ...]
    orders: tuple[ImageOrder, ...]
    path: str

    @property
    def identity(self) -> list[Json]:
        """What its bytes depend on."""
        return [[name, order.identity] for name, order in zip(self.names, self.orders, strict=True)]

    @property
    def pixels(self) -> int:
        """Of all references."""
        return sum(order.reference.pixels for order in self.orders)

    @property
    def largest(self) -> int:
        """Pixels of what is in memory at a time, besides files."""
        return max(order.pixels for order in self.orders)

    @property
    def at_least(self) -> int:
        """Bytes that making it takes."""
        return COSTS["generate-shard"].of(self.largest) + _BYTES_A_PIXEL * self.pixels

    def check(self) -> None:
        """Read every reference, blocking: what is wrong is told before any image is made. Raises as `levels`."""
        for number, order in enumerate(self.orders):
            with at(f"{self.path}[{number}]"):
                order.levels()

    def files(self) -> Iterator[list[tuple[str, bytes]]]:
        """The files of one image after the other, blocking: image, reference and what is to be known of them."""
        for number, (name, order) in enumerate(zip(self.names, self.orders, strict=True)):
            with at(f"{self.path}[{number}]"):
                yield _files(name, order)


def read_shard(request: generation_pb2.GenerateShardRequest, model: LoadedModel, runtime: Runtime) -> Shard:
    """The shard that a request orders; blocking.

    Raises InvalidArgument for what is no manifest, for entries that are none, too many or together too large, and for
    names that are no file's or of several; and as image_order does.
    """
    path, entries = _entries(request, runtime)
    names = _names(path, [entry.name for entry in entries])
    orders = []
    for number, entry in enumerate(entries):
        with at(f"{path}[{number}]"):
            orders.append(image_order(_ordered(entry, request.seed), model, runtime))
    shard = Shard(names, tuple(orders), path)
    if shard.pixels > MOST_PIXELS:
        raise InvalidArgument(
            f"expected images of at most {MOST_PIXELS} pixels together, got {shard.pixels}; make several shards",
            field=path,
            got=shard.pixels,
            limit=MOST_PIXELS,
        )
    return shard


def _entries(
    request: generation_pb2.GenerateShardRequest, runtime: Runtime
) -> tuple[str, Sequence[generation_pb2.ShardEntry]]:
    """The list, and its path in the request."""
    if not request.HasField("manifest"):
        return "entries", request.entries
    if request.entries:
        raise InvalidArgument("expected entries or a manifest of them; got both", field="manifest")
    with at("manifest"):
        data = fetch_object(request.manifest, runtime.store, replace(runtime.limits, max_bytes=SMALL_BYTES)).data or b""
    try:
        return "manifest.entries", json_format.Parse(data, generation_pb2.ShardManifest()).entries
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise InvalidArgument(
            f"expected a ShardManifest in proto3's JSON form at {request.manifest.key}; {str(error)[:200]}",
            field="manifest",
        ) from error


def _names(path: str, names: Sequence[str]) -> tuple[str, ...]:
    if not 1 <= len(names) <= MOST_IMAGES:
        raise InvalidArgument(
            f"expected 1 to {MOST_IMAGES} images in a shard; got {len(names)}", field=path, limit=MOST_IMAGES
        )
    known = set[str]()
    for number, name in enumerate(names):
        if not _NAME.fullmatch(name) or name in known:
            raise InvalidArgument(
                "expected a name of its own for every image, of 1 to 64 letters, digits, _ and -; got "
                f"{name[:80]!a}{' again' if name in known else ''}",
                field=f"{path}[{number}].name",
            )
        known.add(name)
    return tuple(names)


def _ordered(entry: generation_pb2.ShardEntry, seed: int) -> generation_pb2.GenerateRequest:
    """An entry as the request for one image."""
    own = entry.seed if entry.HasField("seed") else seed_of(seed, entry.name)
    request = generation_pb2.GenerateRequest(reference=entry.reference, seed=own, appearance=entry.appearance)
    if entry.HasField("like"):
        request.like.CopyFrom(entry.like)
    elif entry.HasField("look"):
        request.look.CopyFrom(entry.look)
    return request


def seed_of(seed: int, name: str) -> int:
    """The seed of an entry that has none: 64 bits of a SHA-256 of the shard's seed and the name.

    >>> seed_of(0, "a") == seed_of(0, "b")
    False
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big")


def _files(name: str, order: ImageOrder) -> list[tuple[str, bytes]]:
    levels = order.levels()
    made = order.made(levels)
    model = order.model.stored.description
    told = {
        **{"model": model.name, "model_version": model.version, "schema": model.schema, "seed": order.seed},
        **summary_of(made),
    }
    return [
        (f"{name}.png", encode_png(made.image)),
        (f"{name}.reference.png", with_text(encode_png(levels), SCHEMA_KEYWORD, model.schema)),
        (f"{name}.json", json.dumps(told, sort_keys=True).encode()),
    ]
