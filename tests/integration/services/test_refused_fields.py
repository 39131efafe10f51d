"""Whatever is wrong in a request, the refusal names its field: every field of every request of the contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.raster import image_raster, segmentation_raster
from biosynth.v1 import evaluation_pb2, generation_pb2, pipeline_pb2, reference_pb2, segmentation_pb2
from biosynth.v1.types_pb2 import Appearance, Content, Look, ObjectRef, Raster, SampleType
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from services.common.imaging.images import encode_png
from services.common.storage.folder import FolderStore
from tests.integration.services.conftest import stack
from tests.support.pictures import nuclei_picture

PICTURE = nuclei_picture(64, 64, 3)
IMAGE = Content(file=encode_png(PICTURE))
LABELS = np.zeros((64, 64), np.int32)
LABELS[10:30, 10:30] = 1
SEGMENTED = Content(
    raster=segmentation_raster({"cells": LABELS, "nuclei": LABELS, "wound": np.zeros((64, 64), np.bool_)})
)
REFERENCE = Content(raster=image_raster((LABELS > 0).astype(np.uint8)))
LOOK = Look(
    appearance=Appearance(background=0.1, contrast=0.2, spread=0.1, noise=0.01, sharpness=0.3),
    object_means=[1.0],
    object_deviations=[0.1],
)
SHAPED_LOOK = Look(object_sizes=[0.0], object_aspects=[1.0], object_fills=[1.0])
SHAPED_LOOK.MergeFrom(LOOK)


@dataclass(frozen=True)
class Wrong:
    """A value for a field (None: cleared), and the field that the refusal names where that is another one.

    also: values of other fields that are needed to get there.
    """

    value: Any
    named: str = ""
    also: Mapping[str, Any] | None = None


def content(path: str, file: bytes = b"no image", named: str = "") -> dict[str, Wrong]:
    """What can be wrong with a Content, other than its being empty. named: what refusals call it."""
    flat: dict[str, Any] = {
        "height_px": 4,
        "width_px": 4,
        "sample_type": SampleType.SAMPLE_TYPE_UINT8,
        "channels": ["image"],
    }
    called = named or path
    return {
        f"{path}.object.key": Wrong("inputs/../x", f"{called}.object.key"),
        f"{path}.object.sha256": Wrong("zz", f"{called}.object.sha256", {f"{path}.object.key": "inputs/there.png"}),
        f"{path}.file": Wrong(file, f"{called}.file"),
        f"{path}.raster.height_px": Wrong(Raster(**{**flat, "height_px": 0}), f"{called}.raster"),
        f"{path}.raster.width_px": Wrong(Raster(**{**flat, "width_px": 0}), f"{called}.raster"),
        f"{path}.raster.sample_type": Wrong(Raster(**{**flat, "sample_type": 9}), f"{called}.raster.sample_type"),
        f"{path}.raster.channels": Wrong(
            Raster(**{**flat, "channels": [f"c{number}" for number in range(65)]}), f"{called}.raster.channels"
        ),
        f"{path}.raster.zlib_samples": Wrong(Raster(**{**flat, "zlib_samples": b"x"}), f"{called}.raster"),
    }


def appearance(path: str, also: Mapping[str, Any] | None = None) -> dict[str, Wrong]:
    return {f"{path}.{name}": Wrong(99.0, also=also) for name in Appearance.DESCRIPTOR.fields_by_name}


def image_set(path: str) -> dict[str, Wrong]:
    first = f"{path}.fields[0]"
    bare = {f"{path}.fields": None}
    return {
        f"{path}.fields": Wrong(None),
        f"{first}.name": Wrong(""),
        f"{first}.image": Wrong(None),
        **content(f"{first}.image"),
        **content(f"{first}.segmentation", b"no segmentation"),
        f"{path}.manifest.key": Wrong("inputs/absent.json", also=bare),
        f"{path}.manifest.sha256": Wrong("zz", also={f"{path}.manifest.key": "inputs/there.png", **bare}),
        f"{path}.model": Wrong("no version"),
    }


def compared(name: str) -> evaluation_pb2.ImageSet:
    return evaluation_pb2.ImageSet(name=name, fields=[evaluation_pb2.Field(name="a", image=IMAGE)])


# What both a segmentation and a run are told of an image.
SOUGHT = {
    "diameter_px": Wrong(0.0),
    "nuclei_channel": Wrong(3, also={"cells_channel": 0}),
    "cells_channel": Wrong(1, also={"nuclei_channel": 0}),
    "pixel_size_um": Wrong(1e200),
}

# What can be wrong of an image that is to be generated, in a call of its own or as an entry of a shard.
GENERATED: dict[str, Wrong] = {
    "reference": Wrong(None),
    **content("reference"),
    **appearance("appearance"),
    "like.image": Wrong(None, also={"like.channel": 0}),
    **content("like.image"),
    "like.channel": Wrong(3, also={"like.image": IMAGE}),
    **{
        path: Wrong(wrong.value, wrong.named, {"like.image": IMAGE, **(wrong.also or {})})
        for path, wrong in content("like.reference").items()
    },
    **appearance("look.appearance", {"look": LOOK}),
    "look.object_means": Wrong([1e30], also={"look": LOOK}),
    "look.object_deviations": Wrong([-1.0], also={"look": LOOK}),
    "look.object_sizes": Wrong([float("nan")], also={"look": SHAPED_LOOK}),
    "look.object_aspects": Wrong([1e30], also={"look": SHAPED_LOOK}),
    "look.object_fills": Wrong([], also={"look": SHAPED_LOOK}),
}


def within(path: str, wrongs: Mapping[str, Wrong]) -> dict[str, Wrong]:
    """The same for a message that lies at `path`."""
    return {
        f"{path}.{name}": Wrong(
            wrong.value,
            f"{path}.{wrong.named or name}",
            {f"{path}.{other}": value for other, value in (wrong.also or {}).items()},
        )
        for name, wrong in wrongs.items()
    }


# Of each call, a request that is fine and what can be wrong in it. A number in brackets is an index.
CALLS: dict[str, tuple[Message, dict[str, Wrong]]] = {
    "SegmentationService.Segment": (
        segmentation_pb2.SegmentRequest(image=IMAGE),
        {
            "image": Wrong(None),
            **content("image"),
            "channel": Wrong(3),
            "segmenter": Wrong("nope"),
            "candidates": Wrong(["nope"], "candidates[0]"),
            "delivery": Wrong(9),
            **SOUGHT,
            "first_frame": Wrong(IMAGE),
            **{
                path: replace(one, also={**(one.also or {}), "segmenter": "wound"})
                for path, one in content("first_frame").items()
            },
        },
    ),
    "ReferenceService.Render": (
        reference_pb2.RenderRequest(segmentation=SEGMENTED, image=IMAGE, schema_name="levels7"),
        {
            "segmentation": Wrong(None),
            **content("segmentation"),
            "image": Wrong(None),
            **content("image"),
            "channel": Wrong(3),
            "schema": Wrong(None, also={"schema_name": None}),
            "schema_name": Wrong(""),
            "schema_yaml": Wrong("no schema"),
            "boundary_thickness_px": Wrong(65),
            "height_px": Wrong(70_000, also={"width_px": 70_000}),
            "width_px": Wrong(0, also={"height_px": 8}),
            "tier_limits": Wrong([300.0]),
            "delivery": Wrong(9),
            "absent_parts": Wrong(["wound"]),
        },
    ),
    "GenerationService.Generate": (
        generation_pb2.GenerateRequest(reference=REFERENCE, model="fluo-nuclei"),
        {
            **GENERATED,
            "model": Wrong(""),
            "model_version": Wrong("99"),
            "tiling": Wrong(9),
            "delivery": Wrong(9),
        },
    ),
    "GenerationService.GenerateShard": (
        generation_pb2.GenerateShardRequest(
            entries=[generation_pb2.ShardEntry(name="a", reference=REFERENCE)], model="fluo-nuclei"
        ),
        {
            "entries": Wrong(None),
            "entries[0].name": Wrong("a/b"),
            **within("entries[0]", GENERATED),
            "manifest.key": Wrong("inputs/absent.json", also={"entries": None}),
            "manifest.sha256": Wrong("zz", also={"manifest.key": "inputs/there.png", "entries": None}),
            "model": Wrong(""),
            "model_version": Wrong("99"),
        },
    ),
    "GenerationService.LoadModel": (
        generation_pb2.LoadModelRequest(name="fluo-nuclei"),
        {"name": Wrong(""), "version": Wrong("99")},
    ),
    "GenerationService.UnloadModel": (
        generation_pb2.UnloadModelRequest(name="fluo-nuclei"),
        {"name": Wrong(""), "version": Wrong("99")},
    ),
    "GenerationService.GetModel": (
        generation_pb2.GetModelRequest(name="fluo-nuclei"),
        {"name": Wrong(""), "version": Wrong("99")},
    ),
    "EvaluationService.ComparePair": (
        evaluation_pb2.ComparePairRequest(real=IMAGE, generated=IMAGE),
        {
            "real": Wrong(None),
            **content("real"),
            "generated": Wrong(None),
            **content("generated"),
            "channel": Wrong(3),
        },
    ),
    "EvaluationService.CompareSets": (
        evaluation_pb2.CompareSetsRequest(real=compared("real"), candidates=[compared("made")]),
        {
            **image_set("real"),
            "candidates": Wrong(None),
            "candidates[0].name": Wrong(""),
            **image_set("candidates[0]"),
            **image_set("train"),
            "judge": Wrong("nope"),
            "delivery": Wrong(9),
        },
    ),
    "PipelineService.Run": (
        pipeline_pb2.RunRequest(image=IMAGE),
        {
            "source": Wrong(None, also={"image": None}),
            "image": Wrong(Content()),
            **content("image"),
            "reference": Wrong(Content(), also={"model": "fluo-nuclei"}),
            **{
                path: Wrong(wrong.value, wrong.named, {"model": "fluo-nuclei", **(wrong.also or {})})
                for path, wrong in content("reference").items()
            },
            "channel": Wrong(3),
            "segmenter": Wrong("nope"),
            "schema": Wrong("nope"),
            "model": Wrong("nope"),
            "model_version": Wrong("99", also={"model": "fluo-nuclei"}),
            **appearance("appearance"),
            "boundary_thickness_px": Wrong(65),
            "delivery": Wrong(9),
            "look_source": Wrong(9),
            **SOUGHT,
            "last_stage": Wrong(1),
            "tier_limits": Wrong([300.0]),
        },
    ),
    "PipelineService.CreateUpload": (
        pipeline_pb2.CreateUploadRequest(sha256="0" * 64, size_bytes=1, extension="png"),
        {"sha256": Wrong(""), "size_bytes": Wrong(0), "extension": Wrong("")},
    ),
    "PipelineService.CreateDownload": (
        pipeline_pb2.CreateDownloadRequest(object=ObjectRef(key="inputs/there.png")),
        {"object.key": Wrong(""), "object.sha256": Wrong("0" * 64)},
    ),
}
# With progress they are the same calls.
CALLS["SegmentationService.SegmentWithProgress"] = CALLS["SegmentationService.Segment"]
CALLS["GenerationService.GenerateWithProgress"] = CALLS["GenerationService.Generate"]
# Calls that this version lacks.
LACKING = {"ReferenceService.Simulate"}
# Fields in which no value is wrong, and the source that this version lacks.
FREE = re.compile(
    r".*\.url|(entries\.)?seed|tile_px|pixel_classifier|stop_if_unsuitable|(real|train)\.name|scenario\..*"
)
SERVICES = {
    service.name: service
    for module in (segmentation_pb2, reference_pb2, generation_pb2, evaluation_pb2, pipeline_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
}


def methods() -> Iterator[tuple[str, MethodDescriptor]]:
    for service in SERVICES.values():
        for method in service.methods:
            yield f"{service.name}.{method.name}", method


def leaves(message: Descriptor, path: str = "") -> Iterator[str]:
    """Paths of all fields in which a value can stand."""
    for field in message.fields:
        if field.message_type is None:
            yield f"{path}{field.name}"
        else:
            yield from leaves(field.message_type, f"{path}{field.name}.")


def put(message: Any, path: str, value: Any) -> None:
    """Set a field of a message, at any depth; None: clear it."""
    *around, last = path.split(".")
    for name in around:
        found = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", name)
        assert found is not None
        message = getattr(message, found[1])
        if found[2] is not None:
            while len(message) <= int(found[2]):
                message.add(name="a", image=IMAGE)
            message = message[int(found[2])]
    if value is None:
        message.ClearField(last)
    elif isinstance(value, list):
        del getattr(message, last)[:]
        getattr(message, last).extend(value)
    elif isinstance(value, Message):
        getattr(message, last).CopyFrom(value)
    else:
        setattr(message, last, value)


def spoilt(call: str, path: str) -> Message:
    fine, wrongs = CALLS[call]
    request, wrong = type(fine)(), wrongs[path]
    request.CopyFrom(fine)
    for name, value in (wrong.also or {}).items():
        put(request, name, value)
    if isinstance(wrong.value, Raster):
        path = path.rpartition(".")[0]  # of the raster around the field
    if path in fine.DESCRIPTOR.fields_by_name or "." in path:  # else a oneof, cleared by `also`
        put(request, path, wrong.value)
    return request


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    store = FolderStore(tmp_path_factory.mktemp("store"))
    store.put("inputs/there.png", IMAGE.file, "image/png")
    with stack(store, tmp_path_factory.mktemp("s")) as client:
        yield client


def refusal(client: Client, call: str, request: Message) -> BiosynthCallError:
    service, _, method = call.partition(".")
    stub = getattr(getattr(client, service.removesuffix("Service").lower()), method)
    streams = SERVICES[service].methods_by_name[method].server_streaming
    send: Callable[[Message], Any] = (lambda sent: list(stub(sent))) if streams else stub
    with pytest.raises(BiosynthCallError) as caught:
        send(request)
    return caught.value


@pytest.mark.parametrize(("call", "path"), [(call, path) for call, (_, wrongs) in CALLS.items() for path in wrongs])
def test_a_refusal_names_the_field_that_is_wrong(asked: Client, call: str, path: str) -> None:
    error = refusal(asked, call, spoilt(call, path))
    assert error.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), error
    [(field, description)] = error.fields.items()
    assert field == (CALLS[call][1][path].named or path), error
    assert description == error.message


def test_every_field_of_every_request_has_been_tried() -> None:
    for call, method in methods():
        tried = {re.sub(r"\[\d+\]", "", path) for path in CALLS.get(call, (None, {}))[1]}
        open_ = [leaf for leaf in leaves(method.input_type) if leaf not in tried and not FREE.fullmatch(leaf)]
        assert not open_ or call in LACKING, (call, open_)


def test_versions_are_text_in_every_message() -> None:
    files = {*(service.file for service in SERVICES.values()), Raster.DESCRIPTOR.file}
    fields = [field for file in files for message in file.message_types_by_name.values() for field in message.fields]
    versions = [field for field in fields if field.name.endswith("version")]
    assert len(versions) > 5
    assert {field.type for field in versions} == {FieldDescriptor.TYPE_STRING}


def test_calls_that_this_version_lacks_say_so(asked: Client) -> None:
    for call, method in methods():
        if call in LACKING:
            error = refusal(asked, call, message_factory.GetMessageClass(method.input_type)())
            assert error.code is grpc.StatusCode.UNIMPLEMENTED, (call, error)


def test_a_run_calls_the_image_that_cannot_be_imitated_by_its_own_name(asked: Client) -> None:
    flat = Content(file=encode_png(np.full((64, 64), 7, np.uint8)))
    error = refusal(asked, "PipelineService.Run", pipeline_pb2.RunRequest(image=flat, segmenter="nuclei-threshold"))
    assert list(error.fields) == ["image"], error


def test_a_refusal_of_the_caller_is_no_refusal_of_a_field(asked: Client) -> None:
    request = segmentation_pb2.SegmentRequest(image=Content(object=ObjectRef(key="models/x.png")))
    error = refusal(asked, "SegmentationService.Segment", request)
    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert list(error.fields) == ["image.object.key"]
    assert error.metadata == {"asked": "models/x.png", "allowed": "inputs/, results/, datasets/"}


def test_bytes_that_are_no_message_are_refused_as_a_whole(asked: Client) -> None:
    with (
        grpc.insecure_channel(next(iter(asked._endpoints.values()))) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.unary_unary("/biosynth.v1.SegmentationService/Segment", bytes, bytes)(b"\xff\xff", timeout=10)
    details: Any = caught.value
    assert b"google.rpc.BadRequest" in dict(details.trailing_metadata())["grpc-status-details-bin"]


def test_an_unknown_version_is_answered_with_those_there_are(asked: Client) -> None:
    request = generation_pb2.GenerateRequest(reference=REFERENCE, model="fluo-nuclei", model_version="99")
    error = refusal(asked, "GenerationService.Generate", request)
    [model] = [model for model in asked.list_models() if model.name == "fluo-nuclei"]
    assert error.code is grpc.StatusCode.NOT_FOUND
    assert error.metadata == {"asked": "99", "known": model.version}
    assert asked.generate(LABELS.astype(np.uint8), model="fluo-nuclei", model_version=model.version).model == model


def test_a_too_large_image_is_answered_with_its_size_and_the_limit(asked: Client, tmp_path: Path) -> None:
    raster = Raster(height_px=20_000, width_px=20_000, sample_type=SampleType.SAMPLE_TYPE_UINT8, channels=["image"])
    error = refusal(asked, "SegmentationService.Segment", segmentation_pb2.SegmentRequest(image=Content(raster=raster)))
    assert (error.reason, error.metadata) == ("IMAGE_TOO_LARGE", {"got": "400000000", "limit": "100000000"})
    assert list(error.fields) == ["image.raster"]
