"""The evaluation service over real gRPC."""

from __future__ import annotations

import json
from collections.abc import Sequence

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.raster import segmentation_raster
from biosynth.v1.evaluation_pb2 import (
    CompareSetsRequest,
    CompareSetsResponse,
    Direction,
    EvaluationResult,
    Field,
    ImageSet,
)
from biosynth.v1.types_pb2 import Content, Delivery, ObjectRef
from google.protobuf import json_format
from numpy.typing import NDArray

from services.cli import composition
from services.common.imaging.images import encode_png
from services.common.storage.folder import FolderStore
from services.evaluation.sets.classifier import NEEDS_TORCH
from services.segmentation.builtin import builtin_segmenters
from tests.support.pictures import nuclei_picture


def image_set(
    name: str,
    seeds: Sequence[int],
    blur: int = 1,
    labelled: bool = True,
    prefix: str = "",
    size: tuple[int, int] = (128, 160),
) -> ImageSet:
    """Pictures of nuclei by seed, with what the classical segmenter finds in them; blur: in px, to the right."""
    fields = []
    for seed in seeds:
        image = nuclei_picture(*size, 8, seed)
        nuclei = builtin_segmenters()["nuclei-threshold"].segment(image).nuclei
        shown = np.asarray(np.mean([np.roll(image, step, 1) for step in range(blur)], 0), np.uint8)
        field = Field(name=f"{prefix}{seed}", image=Content(file=encode_png(shown)))
        if labelled and nuclei is not None:
            field.segmentation.raster.CopyFrom(segmentation_raster({"nuclei": nuclei}))
        fields.append(field)
    return ImageSet(name=name, fields=fields)


REQUEST = CompareSetsRequest(
    real=image_set("real", range(6)),
    candidates=[
        image_set("same", range(6)),
        image_set("smeared", range(6), blur=7),
        image_set("others", range(10, 16), prefix="o"),
    ],
    judge="nuclei",
    delivery=Delivery.DELIVERY_FILE,
)


def _asked(client: Client, request: CompareSetsRequest) -> tuple[list[CompareSetsResponse], EvaluationResult]:
    responses = list(client.evaluation.CompareSets(request))
    return responses, responses[-1].result


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return nuclei_picture(96, 96, 5)


def test_a_pair_has_every_metric_and_the_reason_where_one_has_none(client: Client, image: NDArray[np.uint8]) -> None:
    metrics = {metric.name: metric for metric in client.compare(image, np.roll(image, 3, 1))}
    assert len(metrics) == 11
    assert 0 < metrics["ssim"].value < 1
    assert metrics["ssim"].direction == Direction.DIRECTION_HIGHER
    assert not metrics["lpips"].HasField("value") and "not mounted" in metrics["lpips"].unavailable


def test_asking_for_a_pair_again_computes_nothing(client: Client, image: NDArray[np.uint8]) -> None:
    from biosynth.v1.evaluation_pb2 import ComparePairRequest

    request = ComparePairRequest(
        real=Content(file=encode_png(image)), generated=Content(file=encode_png(np.roll(image, 3, 1)))
    )
    first, again = (client.evaluation.ComparePair(request) for _ in range(2))
    assert (first.cached, again.cached) == (False, True)
    assert list(first.metrics) == list(again.metrics)


@pytest.mark.parametrize(
    "other",
    [np.zeros((96, 95), np.uint8), np.zeros((96, 96), np.uint16)],
    ids=["another size", "another depth"],
)
def test_two_images_that_cannot_be_compared_are_refused(
    client: Client, image: NDArray[np.uint8], other: NDArray[np.uint8]
) -> None:
    with pytest.raises(BiosynthCallError, match="expected") as caught:
        client.compare(image, other)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_sets_are_compared_with_progress_and_a_report_at_the_end(client: Client) -> None:
    responses, result = _asked(client, REQUEST)
    assert len(responses) > 5 and all(response.HasField("progress") for response in responses[:-1])
    assert [verdict.name for verdict in result.verdicts] == ["same", "smeared", "others"]
    metrics = json.loads(result.metrics_json.file)
    same, smeared, others = metrics["candidates"]
    rows = [{row["name"]: row["value"] for row in one["sets"]} for one in (same, smeared)]
    spectrum = [row["spectrum_distance"] for row in rows]
    assert spectrum[0] < 0.01 < spectrum[1]
    assert same["paired"]["pairs"] == 6 and others["paired"] is None
    page = result.report_html.file.decode()
    assert page.startswith("<!doctype html>") and "smeared" in page
    lines = result.metrics_csv.file.decode().splitlines()
    assert len(lines) == 1 + 12 and lines[0].startswith("candidate,name,mse,")
    _, again = _asked(client, REQUEST)
    assert again.cached and again.metrics_json == result.metrics_json


def test_a_set_can_be_a_manifest_of_objects(client: Client, store: FolderStore) -> None:
    real = ImageSet(name="real", fields=[])
    for field in REQUEST.real.fields:
        key = f"datasets/{field.name}.png"
        store.put(key, field.image.file, "image/png")
        real.fields.add(name=field.name, image=Content(object=ObjectRef(key=key)))
    store.put("datasets/real.json", json_format.MessageToJson(real).encode(), "application/json")
    named = ImageSet(name="real", manifest=ObjectRef(key="datasets/real.json"))
    request = CompareSetsRequest(real=named, candidates=[real], delivery=Delivery.DELIVERY_FILE)
    request.candidates[0].name = "itself"
    _, result = _asked(client, request)
    assert json.loads(result.metrics_json.file)["real"]["fields"] == 6


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composition, "find_spec", lambda _: None)


def test_a_classifier_of_pixels_is_asked_for_and_needs_torch(without_torch: None, client: Client) -> None:
    reasons = []
    for asked in (False, True):
        request = CompareSetsRequest(
            real=image_set("real", range(2)),
            candidates=[image_set("made", range(2))],
            delivery=Delivery.DELIVERY_FILE,
            pixel_classifier=asked,
        )
        _, result = _asked(client, request)
        assert not result.cached
        [candidate] = json.loads(result.metrics_json.file)["candidates"]
        [row] = [row for row in candidate["sets"] if row["name"] == "discriminability_cnn"]
        assert row["value"] is None
        reasons.append(row["unavailable"])
    assert reasons == ["was not asked for, since it takes minutes: `biosynth evaluate --cnn`", NEEDS_TORCH]


def _request(**changes: object) -> CompareSetsRequest:
    fields = {"real": image_set("real", range(2)), "candidates": [image_set("made", range(2))], **changes}
    return CompareSetsRequest(**fields)  # type: ignore[arg-type]


BAD = {
    "no candidates": (_request(candidates=[]), "at least one set of generated images"),
    "an empty set": (_request(real=ImageSet(name="real")), "expected a set with images, got none in 'real'"),
    "names twice": (_request(real=image_set("real", [1, 1])), "more than once: '1'"),
    "unpaired names": (_request(candidates=[image_set("made", [1, 2])]), r"without one: '0', '2'"),
    "an unknown judge": (
        _request(judge="nobody"),
        "expected a judge of cells or nuclei among cells, cells-texture, nuclei",
    ),
    "a judge of wounds": (_request(judge="wound"), "scratch-zone, or none; got 'wound'"),
    "a raster of a report": (_request(delivery=Delivery.DELIVERY_RASTER), "a report is no array"),
    "two candidates of one name": (
        _request(candidates=[image_set("a", [0, 1]), image_set("a", [0, 1])]),
        "name of its own",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_sets_that_cannot_be_compared_are_refused(client: Client, store: FolderStore, case: str) -> None:
    request, message = BAD[case]
    with pytest.raises(BiosynthCallError, match=message):
        list(client.evaluation.CompareSets(request))
    assert list(store.list("results/")) == []
