"""The whole path over real gRPC."""

from __future__ import annotations

import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.results import Progress
from biosynth.v1.pipeline_pb2 import RunRequest
from biosynth.v1.types_pb2 import Appearance, Content, Delivery

from services.common.imaging.images import encode_png
from services.common.storage.folder import FolderStore
from tests.support.pictures import nuclei_picture, scratch_picture


def test_a_fluorescence_image_goes_the_whole_way(client: Client) -> None:
    seen: list[Progress] = []
    outcome = client.run(image=nuclei_picture(), on_progress=seen.append)
    assert outcome.segmentation is not None and outcome.segmentation.nuclei is not None
    assert outcome.segmentation.segmenter.name == "nuclei"
    assert outcome.segmentation.nuclei.max() >= 10
    assert outcome.reference is not None and outcome.reference.schema.name == "nuclei3"
    assert outcome.generation is not None and outcome.generation.model.name == "fluo-nuclei"
    assert outcome.generation.image.shape == (192, 256)
    assert [p.stage for p in seen if p.done] == ["plan", "segment", "render", "generate"]


def test_a_scratch_assay_goes_the_whole_way(client: Client) -> None:
    outcome = client.run(image=scratch_picture())
    assert outcome.segmentation is not None and outcome.segmentation.wound is not None
    assert outcome.segmentation.segmenter.name == "scratch"
    assert 0.1 < outcome.segmentation.wound.mean() < 0.4
    assert outcome.generation is not None and outcome.generation.model.name == "phase-scratch"


def test_generated_nuclei_are_bright_where_the_reference_has_them(client: Client) -> None:
    outcome = client.run(image=nuclei_picture())
    assert outcome.reference is not None and outcome.generation is not None
    inside = outcome.generation.image[outcome.reference.reference == 1].mean()
    outside = outcome.generation.image[outcome.reference.reference == 0].mean()
    assert inside > outside + 20


def test_asking_again_computes_nothing_and_gives_the_same_pixels(client: Client) -> None:
    first, second = (client.run(image=nuclei_picture(), seed=3) for _ in range(2))
    for stage in ("segmentation", "reference", "generation"):
        assert not getattr(first, stage).cached
        assert getattr(second, stage).cached
    assert first.generation is not None and second.generation is not None
    assert np.array_equal(first.generation.image, second.generation.image)


def test_another_seed_gives_another_image_of_the_same_reference(client: Client) -> None:
    first, second = (client.run(image=nuclei_picture(), seed=seed) for seed in (1, 2))
    assert first.generation is not None and second.generation is not None
    assert second.reference is not None and second.reference.cached
    assert not np.array_equal(first.generation.image, second.generation.image)


def test_results_are_objects_of_the_store_when_asked_so(client: Client, store: FolderStore) -> None:
    request = RunRequest(image=Content(file=encode_png(nuclei_picture())), delivery=Delivery.DELIVERY_OBJECT)
    [result] = [response.result for response in client.pipeline.Run(request) if response.HasField("result")]
    for ref in (result.segmentation.segmentation.object, result.reference.grey.object, result.generation.image.object):
        assert ref.key.startswith("results/")
        stored = store.head(ref.key)
        assert stored is not None and stored.sha256 == ref.sha256


def test_a_run_may_start_at_a_reference(client: Client) -> None:
    reference = np.zeros((64, 80), np.uint8)
    reference[20:40, 20:40] = 2
    reference[22:38, 22:38] = 1
    outcome = client.run(reference=reference, model="fluo-nuclei")
    assert outcome.segmentation is None
    assert outcome.generation is not None and outcome.generation.image.shape == (64, 80)


def test_a_reference_needs_a_model_or_a_schema(client: Client) -> None:
    with pytest.raises(BiosynthCallError, match=r"FAILED_PRECONDITION.*expected a model or a schema"):
        client.run(reference=np.zeros((8, 8), np.uint8))


def test_ordered_appearance_is_obeyed(client: Client) -> None:
    reference = np.zeros((64, 64), np.uint8)
    appearance = Appearance(background=0.5, noise=0.0)
    made = client.generate(reference, model="fluo-nuclei", appearance=appearance)
    assert made.appearance.background == 0.5
    assert abs(float(np.median(made.image)) - 127.5) < 16


def test_calls_without_depth_say_so_and_make_nothing_up(client: Client) -> None:
    from biosynth.v1 import evaluation_pb2, generation_pb2, pipeline_pb2, reference_pb2

    calls = (
        lambda: client.evaluation.ComparePair(evaluation_pb2.ComparePairRequest()),
        lambda: list(client.evaluation.CompareSets(evaluation_pb2.CompareSetsRequest())),
        lambda: list(client.reference.Simulate(reference_pb2.SimulateRequest())),
        lambda: list(client.generation.GenerateShard(generation_pb2.GenerateShardRequest())),
        lambda: client.generation.LoadModel(generation_pb2.LoadModelRequest(name="x")),
        lambda: client.generation.UnloadModel(generation_pb2.UnloadModelRequest(name="x")),
        lambda: list(client.pipeline.Run(pipeline_pb2.RunRequest(scenario=reference_pb2.Scenario()))),
    )
    for call in calls:
        with pytest.raises(BiosynthCallError, match="UNIMPLEMENTED") as caught:
            call()
        assert caught.value.reason == "NOT_IMPLEMENTED_YET"
        assert caught.value.metadata["missing"]
