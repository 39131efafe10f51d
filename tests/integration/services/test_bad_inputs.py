"""Bad inputs over real gRPC: the right status, a message that helps, and nothing left behind."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tifffile
from biosynth import BiosynthCallError, Client
from biosynth.v1 import evaluation_pb2, generation_pb2, pipeline_pb2, reference_pb2, segmentation_pb2
from biosynth.v1.types_pb2 import Appearance, Content, Look, ObjectRef

from services.common.imaging.formats.limits import ImageLimits
from services.common.imaging.images import encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.common.storage.folder import FolderStore
from tests.integration.services.conftest import stack
from tests.support.pictures import announced, nuclei_picture


def png_bomb(side: int = 30_000) -> bytes:
    """A small valid PNG of 900 megapixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, photometric="minisblack")
    return buffer.getvalue()


GOOD = encode_png(nuclei_picture(64, 64, 3))
NAN = np.full((8, 8), np.nan, np.float32)

FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "not an image": (lambda: b"hello, world, this is text", "expected a PNG, TIFF or JPEG"),
    "no bytes": (lambda: b"", "0 bytes"),
    "truncated": (lambda: GOOD[: len(GOOD) // 2], "expected"),
    "a bomb of 900 megapixels": (png_bomb, "pixels"),
    "not a number": (lambda: tiff(NAN), "expected samples of 8 or 16 bit|8 or 16 bit"),
    "three channels without a choice": (lambda: tiff(np.zeros((3, 8, 8), np.uint8)), "--channel"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused_with_what_was_expected(client: Client, store: FolderStore, case: str) -> None:
    data, message = FILES[case]
    with pytest.raises(BiosynthCallError, match=message) as caught:
        client.segment(data())
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in caught.value.message
    assert list(store.list("results/")) == []


def test_a_channel_beyond_the_last_is_refused(client: Client) -> None:
    with pytest.raises(BiosynthCallError, match=r"INVALID_ARGUMENT.*channel"):
        client.segment(tiff(np.zeros((3, 8, 8), np.uint8)), channel=3)


@pytest.mark.parametrize("field", ["segmenter", "schema", "model"])
def test_an_unknown_name_is_answered_with_those_there_are(client: Client, store: FolderStore, field: str) -> None:
    request = pipeline_pb2.RunRequest(image=Content(file=GOOD))
    setattr(request, field, "nope")
    with pytest.raises(BiosynthCallError, match="among") as caught:
        list(client.pipeline.Run(request))
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
    assert list(store.list("")) == []  # refused before any work


def test_a_schema_whose_parts_are_missing_names_the_part_and_what_would_fit(client: Client) -> None:
    segmentation = {"nuclei": np.zeros((16, 16), np.int32)}
    with pytest.raises(BiosynthCallError, match=r"wound.*nuclei3|nuclei3.*wound") as caught:
        client.render(segmentation, schema="levels4")
    assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.reason == "MISSING_PART"


def test_a_run_whose_segmenter_cannot_serve_its_model_is_refused_before_work(
    client: Client, store: FolderStore
) -> None:
    request = pipeline_pb2.RunRequest(image=Content(file=GOOD), segmenter="nuclei", model="phase-scratch")
    with pytest.raises(BiosynthCallError, match="nuclei finds nuclei") as caught:
        list(client.pipeline.Run(request))
    assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert list(store.list("")) == []


def test_a_schema_that_no_model_draws_from_is_refused_before_work(client: Client, store: FolderStore) -> None:
    with pytest.raises(BiosynthCallError, match="levels9") as caught:
        list(client.pipeline.Run(pipeline_pb2.RunRequest(image=Content(file=GOOD), schema="levels9")))
    assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert list(store.list("")) == []


VAST, SMALL = Content(file=announced(20_000)), Content(file=GOOD)
SHOWN = Content(file=encode_segmentation(Segmentation(cells=np.ones((64, 64), np.int32))))
DOORS: dict[str, Callable[[Client], object]] = {
    "Segment": lambda asked: asked.segmentation.Segment(segmentation_pb2.SegmentRequest(image=VAST)),
    "Render": lambda asked: asked.reference.Render(
        reference_pb2.RenderRequest(segmentation=SHOWN, image=VAST, schema_name="levels7")
    ),
    "Generate": lambda asked: asked.generation.Generate(
        generation_pb2.GenerateRequest(reference=VAST, model="fluo-nuclei")
    ),
    "ComparePair": lambda asked: asked.evaluation.ComparePair(
        evaluation_pb2.ComparePairRequest(real=SMALL, generated=VAST)
    ),
    "CompareSets": lambda asked: list(asked.evaluation.CompareSets(_sets(SMALL, VAST))),
    "Run of an image": lambda asked: list(asked.pipeline.Run(pipeline_pb2.RunRequest(image=VAST))),
    "Run of a reference": lambda asked: list(
        asked.pipeline.Run(pipeline_pb2.RunRequest(reference=VAST, model="fluo-nuclei"))
    ),
}


def _sets(real: Content, made: Content) -> evaluation_pb2.CompareSetsRequest:
    sets = [
        evaluation_pb2.ImageSet(name=name, fields=[evaluation_pb2.Field(name=str(n), image=image) for n in range(2)])
        for name, image in (("real", real), ("made", made))
    ]
    return evaluation_pb2.CompareSetsRequest(real=sets[0], candidates=sets[1:])


@pytest.mark.parametrize("door", DOORS)
def test_an_image_of_20000_px_a_side_is_refused_at_every_door_by_its_header(
    client: Client, store: FolderStore, door: str
) -> None:
    with pytest.raises(BiosynthCallError) as caught:
        DOORS[door](client)
    error = caught.value
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_TOO_LARGE"), error
    assert error.metadata == {"got": "400000000", "limit": "100000000"}
    assert list(store.list("results/")) == []


KEYS = {
    "../etc/passwd": grpc.StatusCode.INVALID_ARGUMENT,
    "inputs/../models/x": grpc.StatusCode.INVALID_ARGUMENT,
    "/inputs/x.png": grpc.StatusCode.INVALID_ARGUMENT,
    "": grpc.StatusCode.INVALID_ARGUMENT,
    "models/fluo-nuclei/model.onnx": grpc.StatusCode.PERMISSION_DENIED,
    "inputs/absent.png": grpc.StatusCode.NOT_FOUND,
}


@pytest.mark.parametrize("key", KEYS)
def test_a_bad_key_is_refused_by_every_service_that_takes_one(client: Client, key: str) -> None:
    content = Content(object=ObjectRef(key=key))
    calls: list[Callable[[], object]] = [
        lambda: client.segmentation.Segment(segmentation_pb2.SegmentRequest(image=content)),
        lambda: client.reference.Render(reference_pb2.RenderRequest(segmentation=content, schema_name="nuclei3")),
        lambda: client.generation.Generate(generation_pb2.GenerateRequest(reference=content, model="fluo-nuclei")),
        lambda: list(client.pipeline.Run(pipeline_pb2.RunRequest(image=content))),
        lambda: client.pipeline.CreateDownload(pipeline_pb2.CreateDownloadRequest(object=ObjectRef(key=key))),
    ]
    for call in calls:
        with pytest.raises(BiosynthCallError) as caught:
            call()
        assert caught.value.code is KEYS[key], caught.value


def test_an_object_that_is_not_what_the_caller_named_is_refused(client: Client, store: FolderStore) -> None:
    store.put("inputs/a.png", GOOD, "image/png")
    ref = ObjectRef(key="inputs/a.png", sha256="0" * 64)
    with pytest.raises(BiosynthCallError, match="SHA-256") as caught:
        client.segment(ref)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.reason == "SHA256_MISMATCH"


def test_an_object_over_the_limit_is_refused_unread(client: Client, store: FolderStore) -> None:
    store.put("inputs/large.png", b"\x89PNG\r\n\x1a\n" + bytes(ImageLimits().max_bytes), "image/png")
    with pytest.raises(BiosynthCallError, match="bytes") as caught:
        client.segment(ObjectRef(key="inputs/large.png"))
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.reason == "OBJECT_TOO_LARGE"


def test_a_grey_rendering_sent_as_reference_is_recognised(client: Client) -> None:
    with pytest.raises(BiosynthCallError, match=r"expected levels 0 to 2.*reference_grey") as caught:
        client.generate(np.full((16, 16), 200, np.uint8), model="fluo-nuclei")
    assert caught.value.reason == "INVALID_REFERENCE"


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_an_appearance_that_no_image_can_have_is_refused(client: Client, value: float) -> None:
    with pytest.raises(BiosynthCallError, match=r"appearance\.noise from 0 to 1"):
        client.generate(np.zeros((8, 8), np.uint8), model="fluo-nuclei", appearance=Appearance(noise=value))


SHOWS = np.zeros((64, 64), np.uint8)
SHOWS[10:30, 10:30] = 1
LIKE = nuclei_picture(64, 64, 3)


def _look(means: list[float]) -> Look:
    appearance = Appearance(background=0.1, contrast=0.2, spread=0.1, noise=0.01, sharpness=0.3)
    return Look(appearance=appearance, object_means=means, object_deviations=[0.2])


LIKENESSES: dict[str, tuple[dict[str, Any], str, str]] = {
    "of another size": ({"like": LIKE[:40]}, "INVALID_ARGUMENT", r"of its reference.s size.*got \(40, 64\)"),
    "of a single grey value": ({"like": np.full((64, 64), 7, np.uint8)}, "INVALID_IMAGE", "single grey value"),
    "with nothing on it": (
        {"like": LIKE, "like_reference": np.zeros((64, 64), np.uint8)}, "INVALID_ARGUMENT", "at least one object"
    ),
    "under another schema": (
        {"like": LIKE, "like_reference": np.full((64, 64), 3, np.uint8)}, "INVALID_REFERENCE", "expected levels 0 to 2"
    ),
    "no image": ({"like": b"hello"}, "INVALID_IMAGE", "expected a PNG, TIFF or JPEG"),
    "a look beyond all images": ({"like": _look([1e30])}, "INVALID_ARGUMENT", "means from -1000 to 1000"),
    "a look without a deviation": ({"like": _look([1.0, 2.0])}, "INVALID_ARGUMENT", "got 2 means and 1 dev"),
    "a look without objects": ({"like": _look([])}, "INVALID_ARGUMENT", "1 deviations|at least one object"),
    "a look with gaps": ({"like": Look(appearance=Appearance(noise=0.1))}, "INVALID_ARGUMENT", "lacks background"),
}  # fmt: skip


@pytest.mark.parametrize("case", LIKENESSES)
def test_an_image_that_cannot_be_imitated_is_refused(client: Client, store: FolderStore, case: str) -> None:
    arguments, reason, message = LIKENESSES[case]
    with pytest.raises(BiosynthCallError, match=message) as caught:
        client.generate(SHOWS, model="fluo-nuclei", **arguments)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert list(store.list("results/")) == []


def test_an_image_unlike_the_models_is_imitated_and_said_to_be_unlike(client: Client) -> None:
    made = client.generate(SHOWS, model="fluo-nuclei", like=255 - LIKE)
    assert any("darker than the background" in warning for warning in made.warnings)


def test_a_reference_without_objects_has_a_look_as_well(client: Client) -> None:
    empty = np.zeros((64, 64), np.uint8)
    assert client.generate(empty, model="fluo-nuclei").look_origin == "drawn"
    assert client.generate(empty, model="fluo-nuclei", like=LIKE).look_origin == "measured"


def test_a_part_that_is_there_cannot_be_absent(client: Client) -> None:
    with pytest.raises(BiosynthCallError, match=r"absent parts among.*got 'wound'") as caught:
        client.render({"cells": np.ones((8, 8), np.int32), "wound": np.zeros((8, 8), bool)}, schema="cells4",
                      absent_parts=["wound"])  # fmt: skip
    assert caught.value.reason == "INVALID_SEGMENTATION"


def test_a_run_from_a_reference_has_no_image_to_measure_a_look_on(client: Client) -> None:
    with pytest.raises(BiosynthCallError, match="expected an image to measure a look on"):
        client.run(reference=SHOWS, model="fluo-nuclei", look="measured")


def test_links_are_refused_plainly_where_the_store_is_a_folder(client: Client) -> None:
    with pytest.raises(BiosynthCallError, match="FAILED_PRECONDITION"):
        client.upload(GOOD)


def test_an_unknown_tiling_or_delivery_is_refused(client: Client) -> None:
    reference = Content(file=encode_png(np.zeros((8, 8), np.uint8)))
    requests = (
        generation_pb2.GenerateRequest(reference=reference, model="fluo-nuclei", tiling=99),  # type: ignore[arg-type]
        generation_pb2.GenerateRequest(reference=reference, model="fluo-nuclei", delivery=99),  # type: ignore[arg-type]
    )
    for request in requests:
        with pytest.raises(BiosynthCallError, match="INVALID_ARGUMENT"):
            client.generation.Generate(request)


def test_a_store_that_is_down_is_said_to_be_unavailable(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from services.common.storage.config import StoreConfig
    from services.common.storage.s3 import S3Store
    from tests.support.ports import free_ports

    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    config = StoreConfig(address, address, "bucket", "us-east-1", "key", "secret-key", connect_seconds=0.3)
    with stack(S3Store(config), tmp_path_factory.mktemp("s")) as client, pytest.raises(BiosynthCallError) as caught:
        client.segment(GOOD)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert caught.value.reason == "STORE_UNAVAILABLE"
