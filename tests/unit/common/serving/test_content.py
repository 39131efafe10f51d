"""Pixels on the wire: objects, files and rasters in; the same three ways out."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from biosynth.contract import INLINE_BYTES, SCHEMA_KEYWORD
from biosynth.v1 import types_pb2
from biosynth.v1.types_pb2 import Content, ObjectRef, Raster
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from services.common.errors import (
    ContentMismatch,
    ImageTooLarge,
    InvalidArgument,
    InvalidImage,
    InvalidKey,
    InvalidReference,
    InvalidSegmentation,
    KeyNotAllowed,
    ObjectNotFound,
    ObjectTooLarge,
)
from services.common.imaging.formats.png_text import with_text
from services.common.imaging.images import ImageLimits, encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.common.serving import content as content_module
from services.common.serving.content import fetch, identify, read_image, read_reference, read_segmentation
from services.common.serving.delivery import check_delivery, deliver, image_planes, segmentation_planes
from services.common.serving.raster import decode_raster, encode_raster
from services.common.serving.turns import Turns
from services.common.storage.folder import FolderStore

IMAGE = np.random.default_rng(0).integers(0, 65535, (20, 30), dtype=np.uint16)
CELLS = (IMAGE // 9).astype(np.int32)
SEGMENTATION = Segmentation(cells=CELLS, wound=CELLS > 3000)
PNG = encode_png(IMAGE)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def raster(samples: bytes, **changes: Any) -> Content:
    header: dict[str, Any] = {"height_px": 2, "width_px": 3, "sample_type": types_pb2.SAMPLE_TYPE_UINT8}
    return Content(
        raster=Raster(**{**header, "channels": ["image"], "zlib_samples": zlib.compress(samples), **changes})
    )


def test_an_image_reads_the_same_in_all_three_ways(store: FolderStore) -> None:
    stored = store.put("inputs/image.png", PNG, "image/png")
    by_object = Content(object=ObjectRef(key=stored.key, sha256=stored.sha256))
    for content in (by_object, Content(file=PNG), Content(raster=encode_raster({"image": IMAGE}))):
        image, _ = read_image(content, None, store)
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(image, IMAGE)
    assert fetch(by_object, store).sha256 == fetch(Content(file=PNG), store).sha256 == hashlib.sha256(PNG).hexdigest()


def test_a_segmentation_reads_the_same_in_all_three_ways(store: FolderStore) -> None:
    data = encode_segmentation(SEGMENTATION)
    stored = store.put("results/a/segmentation.ome.tif", data, "image/tiff")
    planes = {"cells": CELLS, "wound": SEGMENTATION.wound}
    contents = (
        Content(object=ObjectRef(key=stored.key)),
        Content(file=data),
        Content(raster=encode_raster(planes)),  # type: ignore[arg-type]
    )
    for content in contents:
        segmentation, _ = read_segmentation(content, store)
        assert segmentation.parts == ("cells", "wound")
        np.testing.assert_array_equal(segmentation.cells, CELLS)
        np.testing.assert_array_equal(segmentation.wound, SEGMENTATION.wound)


def test_a_reference_reads_from_grey_png_and_from_a_raster_alone(store: FolderStore) -> None:
    levels = (IMAGE % 5).astype(np.uint8)
    for content in (Content(file=encode_png(levels)), Content(raster=encode_raster({"image": levels}))):
        np.testing.assert_array_equal(read_reference(content, store)[0], levels)
    for content in (
        Content(file=encode_png(np.dstack([levels] * 3))),
        Content(file=PNG),
        Content(file=encode_segmentation(SEGMENTATION)),
        Content(raster=encode_raster({"image": IMAGE})),
        Content(raster=encode_raster({"a": levels, "b": levels})),
    ):
        with pytest.raises(InvalidReference, match="expected a reference as grey PNG of 8 bit"):
            read_reference(content, store)


def test_masks_that_are_sent_as_a_reference_are_refused_with_what_draws_one_of_them(store: FolderStore) -> None:
    for file in (encode_segmentation(SEGMENTATION), b"\x93NUMPY\x01\x00v\x00"):
        with pytest.raises(
            InvalidReference, match=r"begins with .*; of masks, `biosynth render --as nuclei` or `--as c"
        ):
            read_reference(Content(file=file), store)


def test_a_reference_that_says_another_schema_is_refused_where_one_is_expected(store: FolderStore) -> None:
    levels = (IMAGE % 5).astype(np.uint8)
    said = Content(file=with_text(encode_png(levels), SCHEMA_KEYWORD, "nuclei3/1"))
    other = Content(file=with_text(encode_png(levels), "Comment", "cells4/1"))
    for content, schema in ((said, "nuclei3/1"), (said, ""), (other, "nuclei3/1")):
        np.testing.assert_array_equal(read_reference(content, store, schema=schema)[0], levels)
    with pytest.raises(InvalidReference, match=r"under schema nuclei3/2.*under 'nuclei3/1'") as caught:
        read_reference(said, store, schema="nuclei3/2")
    assert caught.value.field == "file"


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from([np.uint8, np.uint16, np.uint32]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=3, max_dims=3, max_side=12))
    )
)
def test_a_raster_survives_the_wire(samples: NDArray[Any]) -> None:
    planes = {f"plane {number}": plane for number, plane in enumerate(samples)}
    raster = encode_raster(planes)
    decoded, _ = decode_raster(raster, ImageLimits())
    assert list(raster.channels) == list(planes)
    assert decoded.dtype == samples.dtype
    np.testing.assert_array_equal(decoded, samples)


def test_a_rasters_sha256_names_its_samples_not_their_compression() -> None:
    sent = encode_raster({"image": IMAGE})
    again = Raster()
    again.CopyFrom(sent)
    again.zlib_samples = zlib.compress(IMAGE.tobytes(), 0)
    renamed = Raster()
    renamed.CopyFrom(sent)
    renamed.channels[0] = "other"
    first, second, third = (decode_raster(one, ImageLimits())[1] for one in (sent, again, renamed))
    assert first == second != third


def test_a_raster_of_several_planes_needs_a_channel(store: FolderStore) -> None:
    content = Content(raster=encode_raster({"DAPI": IMAGE, "phase": IMAGE // 2}))
    np.testing.assert_array_equal(read_image(content, 1, store)[0], IMAGE // 2)
    with pytest.raises(InvalidImage, match=r"got 2 \(DAPI, phase\); choose one with --channel"):
        read_image(content, None, store)
    with pytest.raises(InvalidImage, match=r"from 0 to 1 \(DAPI, phase\), got 2"):
        read_image(content, 2, store)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (Content(), InvalidArgument, "as an object, a file or a raster, got none"),
        (Content(object=ObjectRef(key="")), InvalidKey, "empty one"),
        (Content(object=ObjectRef(key="inputs/../models/a")), InvalidKey, "name of dots"),
        (Content(object=ObjectRef(key="/inputs/a")), InvalidKey, "slash in front"),
        (Content(object=ObjectRef(key="models/a")), KeyNotAllowed, "under inputs/, results/, datasets/"),
        (Content(object=ObjectRef(key="inputs/absent")), ObjectNotFound, "inputs/absent"),
        (Content(object=ObjectRef(key="inputs/a", sha256="ABC")), InvalidArgument, "64 lower-case hex digits"),
        (Content(object=ObjectRef(key="inputs/a", sha256="0" * 64)), ContentMismatch, "to have SHA-256 0000.*, got"),
        (Content(file=b""), InvalidImage, "0 bytes"),
        (Content(file=bytes(INLINE_BYTES + 1)), ObjectTooLarge, "at most 16777216 bytes in a message, got 16777217"),
        (raster(bytes(6), sample_type=0), InvalidArgument, "uint8, uint16 or uint32, got sample type 0"),
        (raster(bytes(6), sample_type=9), InvalidArgument, "got sample type 9"),
        (raster(bytes(6), channels=[]), InvalidArgument, "different channel names"),
        (raster(bytes(6), channels=["a", "a"]), InvalidArgument, "different channel names"),
        (raster(bytes(6), height_px=0), InvalidImage, "got 0 x 3"),
        (raster(bytes(5)), InvalidArgument, "expected 6 bytes of samples.*got 5"),
        (raster(bytes(7)), InvalidArgument, "expected 6 bytes of samples.*got more than 6"),
        (raster(bytes(10**8)), InvalidArgument, "got more than 6"),
        (raster(b"", zlib_samples=b"no zlib"), InvalidArgument, "compressed by zlib"),
        (raster(b"", zlib_samples=zlib.compress(bytes(6))[:-1]), InvalidArgument, "expected 6 bytes of samples"),
        (raster(b"", height_px=10**5, width_px=10**5), ImageTooLarge, "at most 100000000 pixels"),
        (raster(b"", channels=[str(n) for n in range(65)]), ImageTooLarge, "at most 64 pages"),
        (raster(b"", zlib_samples=bytes(INLINE_BYTES + 1)), ObjectTooLarge, "raster of at most 16777216"),
        (raster(bytes(24), sample_type=types_pb2.SAMPLE_TYPE_UINT32), InvalidImage, "8 or 16 bit, got uint32"),
    ],
)
def test_bad_content_is_refused_in_plain_words(
    store: FolderStore, content: Content, error: type[Exception], message: str
) -> None:
    store.put("inputs/a", PNG, "image/png")
    with pytest.raises(error, match=message) as refused:
        read_image(content, None, store)
    assert type(refused.value) is error


def test_an_object_over_the_limit_is_refused(store: FolderStore) -> None:
    store.put("inputs/a", PNG, "image/png")
    with pytest.raises(ObjectTooLarge, match="at most 100 bytes"):
        read_image(Content(object=ObjectRef(key="inputs/a")), None, store, ImageLimits(max_bytes=100))


def test_a_raster_with_other_planes_is_no_segmentation(store: FolderStore) -> None:
    with pytest.raises(InvalidSegmentation, match="among cells, nuclei, wound, got 'image'"):
        read_segmentation(Content(raster=encode_raster({"image": IMAGE})), store)


def test_a_result_is_delivered_as_asked(store: FolderStore) -> None:
    data = encode_segmentation(SEGMENTATION)
    stored = store.put("results/a/b.ome.tif", data, "image/tiff")
    content = deliver(store, stored, types_pb2.DELIVERY_OBJECT, segmentation_planes)
    assert (content.object.key, content.object.sha256) == (stored.key, stored.sha256)
    for delivery in (types_pb2.DELIVERY_UNSPECIFIED, types_pb2.DELIVERY_FILE):
        assert deliver(store, stored, delivery, segmentation_planes).file == data
    content = deliver(store, stored, types_pb2.DELIVERY_RASTER, segmentation_planes)
    assert list(content.raster.channels) == ["cells", "wound"]
    np.testing.assert_array_equal(read_segmentation(content, store)[0].cells, CELLS)


def test_a_result_too_large_for_a_reply_is_an_object_unless_a_file_is_asked_for(store: FolderStore) -> None:
    stored = store.put("results/a/b.png", bytes(INLINE_BYTES + 1), "image/png")
    content = deliver(store, stored, types_pb2.DELIVERY_UNSPECIFIED, image_planes)
    assert content.object.key == stored.key
    with pytest.raises(ObjectTooLarge) as caught:
        deliver(store, stored, types_pb2.DELIVERY_FILE, image_planes)
    assert (caught.value.field, caught.value.metadata["got"]) == ("delivery", str(INLINE_BYTES + 1))


@pytest.mark.parametrize(
    "read", [lambda *given: identify(*given), lambda *given: read_image(given[0], None, *given[1:])]
)
def test_a_large_object_is_held_alone(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, read: Callable[..., object]
) -> None:
    """As large as what four small ones take together: else memory would hold more than is reckoned."""
    turns = Turns(4)
    monkeypatch.setattr(content_module, "SMALL_BYTES", len(PNG) - 1)
    monkeypatch.setattr(content_module, "_TURNS", turns)
    content = Content(object=ObjectRef(key=store.put("inputs/a.png", PNG, "image/png").key))
    done = threading.Event()

    def work() -> None:
        read(content, store)
        done.set()

    with turns.small():
        thread = threading.Thread(target=work)
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(5)
    thread.join()
    with turns.large():  # all places were given back
        pass


def test_an_object_over_the_limit_is_refused_whether_small_or_large(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Content(object=ObjectRef(key=store.put("inputs/a.png", PNG, "image/png").key))
    for small in (10, 10**6):
        monkeypatch.setattr(content_module, "SMALL_BYTES", small)
        with pytest.raises(ObjectTooLarge, match=f"at most 100 bytes, got 'inputs/a.png' of {len(PNG)}"):
            read_image(content, None, store, ImageLimits(max_bytes=100))
        assert identify(content, store).pixels == IMAGE.size


def test_an_unknown_delivery_is_refused(store: FolderStore) -> None:
    stored = store.put("results/a/b.png", PNG, "image/png")
    unknown = types_pb2.Delivery.ValueType(9)
    with pytest.raises(InvalidArgument, match="as object, file or raster, got 9"):
        deliver(store, stored, unknown, image_planes)
    with pytest.raises(InvalidArgument, match="as object, file or raster, got 9"):
        check_delivery(unknown)
    for known in types_pb2.Delivery.values():
        check_delivery(types_pb2.Delivery.ValueType(known))


def test_a_file_that_a_service_made_is_never_too_large_for_a_raster() -> None:
    """Our own files may be larger than those that we accept: here one padded over the limit of 256 MiB."""
    padding = bytes(ImageLimits().max_bytes)
    assert image_planes(PNG + padding)["image"].shape == IMAGE.shape
    assert list(segmentation_planes(encode_segmentation(SEGMENTATION) + padding)) == ["cells", "wound"]


def test_a_result_too_large_for_a_reply_names_the_other_way(store: FolderStore) -> None:
    stored = store.put("results/a/b.png", bytes(INLINE_BYTES + 1), "image/png")
    with pytest.raises(ObjectTooLarge, match="ask for DELIVERY_OBJECT"):
        deliver(store, stored, types_pb2.DELIVERY_FILE, image_planes)
    noise = np.random.default_rng(0).integers(0, 65535, (3000, 3000), dtype=np.uint16)
    with pytest.raises(ObjectTooLarge, match="ask for DELIVERY_OBJECT"):
        encode_raster({"image": noise})


def test_labels_below_0_are_no_raster() -> None:
    with pytest.raises(InvalidArgument, match="expected cells as whole numbers from 0; got int32 from -1"):
        encode_raster({"cells": CELLS - 1})
