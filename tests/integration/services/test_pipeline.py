"""The whole path over real gRPC."""

from __future__ import annotations

import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.raster import image_raster
from biosynth.results import Progress
from biosynth.v1.pipeline_pb2 import RunRequest, RunResult
from biosynth.v1.segmentation_pb2 import SegmentRequest
from biosynth.v1.types_pb2 import Appearance, Content, Delivery, Look

from services.common.imaging.images import encode_png
from services.common.serving import delivery
from services.common.storage.folder import FolderStore
from tests.support.pictures import nuclei_picture, scratch_picture
from tests.support.two_channels import ome_tiff, two_channels
from tests.support.unsuitable import UNSUITABLE


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


def _contents(result: RunResult) -> list[Content]:
    return [
        result.segmentation.segmentation, result.reference.reference, result.reference.grey, result.generation.image
    ]  # fmt: skip


def test_a_caller_who_asks_for_nothing_gets_files(client: Client) -> None:
    request = RunRequest(image=Content(file=encode_png(nuclei_picture())))
    [result] = [response.result for response in client.pipeline.Run(request) if response.HasField("result")]
    assert all(content.file for content in _contents(result))
    segmented = client.segmentation.Segment(SegmentRequest(image=request.image))
    assert segmented.segmentation == result.segmentation.segmentation


@pytest.mark.parametrize("signs", [True, False])
def test_what_is_too_large_for_a_reply_comes_by_a_link_where_the_store_makes_some(
    client: Client, monkeypatch: pytest.MonkeyPatch, signs: bool
) -> None:
    monkeypatch.setattr(delivery, "INLINE_BYTES", 100)
    if signs:
        monkeypatch.setattr(FolderStore, "presign_get", lambda _store, key, _seconds: f"https://store/{key}?signed")
    request = RunRequest(image=Content(raster=image_raster(nuclei_picture())))
    [result] = [response.result for response in client.pipeline.Run(request) if response.HasField("result")]
    for sent in _contents(result):
        assert sent.object.key.startswith("results/")
        assert sent.object.url == (f"https://store/{sent.object.key}?signed" if signs else "")


def test_a_run_imitates_the_look_of_its_own_image(client: Client) -> None:
    image = nuclei_picture()
    dark = (image // 3 + 9).astype(np.uint8)
    for source in (image, dark):
        made = client.run(image=source).generation
        assert made is not None and made.look_origin == "measured"
        assert abs(float(np.median(made.image)) - float(np.median(source))) < 6
        assert 0.85 < made.image.std() / source.std() < 1.2


def test_a_run_may_draw_its_look_and_single_values_take_the_place_of_measured_ones(client: Client) -> None:
    drawn = client.run(image=nuclei_picture(), look="drawn").generation
    assert drawn is not None and (drawn.look_origin, drawn.drawn_from) == ("drawn", "dsb2018-fluo")
    ordered = client.run(image=nuclei_picture(), appearance=Appearance(background=0.5)).generation
    assert ordered is not None and ordered.appearance.background == 0.5
    assert ordered.look_origin == "measured"


def test_a_look_that_was_returned_gives_the_same_image_again(client: Client) -> None:
    first = client.run(image=nuclei_picture())
    assert first.reference is not None and first.generation is not None
    again = client.generate(first.reference.reference, model="fluo-nuclei", like=first.generation.look)
    assert again.look_origin == "given"
    difference = np.abs(again.image.astype(int) - first.generation.image)  # objects travel with four decimals
    assert difference.max() <= 1


def test_a_look_that_was_returned_gives_objects_that_come_in_another_order_their_own_brightness(client: Client) -> None:
    reference = np.zeros((64, 96), np.uint8)
    reference[4:24, 4:24], reference[40:44, 20:60], reference[10:60, 66:90] = 1, 1, 1
    look = client.generate(reference, model="fluo-nuclei", seed=3).look
    turned = client.generate(reference[::-1], model="fluo-nuclei", like=look).look
    assert sorted(turned.object_means) == sorted(look.object_means)
    assert list(turned.object_means) != list(look.object_means)
    assert dict(zip(turned.object_sizes, turned.object_means, strict=True)) == pytest.approx(
        dict(zip(look.object_sizes, look.object_means, strict=True))
    )


def test_two_looks_of_many_objects_that_differ_in_one_have_results_of_their_own(client: Client) -> None:
    reference = np.zeros((64, 64), np.uint8)
    reference[10:30, 10:30] = 1
    appearance = Appearance(background=0.1, contrast=0.2, spread=0.1, noise=0.01, sharpness=0.3)
    means = np.ones(3000)
    looks = []
    for changed in (1.0, 1.5):
        means[1] = changed  # a reply lists 1024 of them, without this one
        looks.append(Look(appearance=appearance, object_means=means, object_deviations=np.full(3000, 0.2)))
    assert not any(client.generate(reference, model="fluo-nuclei", like=look).cached for look in looks)


def test_a_generated_image_can_imitate_an_image_of_other_cells(client: Client) -> None:
    other = client.run(image=nuclei_picture(96, 96, 5))
    assert other.reference is not None
    reference = np.zeros((64, 64), np.uint8)
    reference[10:30, 10:30], reference[40:60, 30:50] = 1, 1
    made = client.generate(
        reference, model="fluo-nuclei", like=nuclei_picture(96, 96, 5), like_reference=other.reference.reference
    )
    assert made.image.shape == (64, 64)
    ground = nuclei_picture(96, 96, 5)[other.reference.reference == 0]
    assert abs(float(np.median(made.image[reference == 0])) - float(np.median(ground))) < 3
    assert not client.generate(reference, model="fluo-nuclei").cached  # the image to imitate is part of the identity


def test_a_look_beyond_all_training_images_is_told_and_not_clipped(client: Client) -> None:
    reference = np.zeros((64, 64), np.uint8)
    reference[10:30, 10:30] = 1
    made, again = (
        client.generate(reference, model="fluo-nuclei", appearance=Appearance(background=0.95)) for _ in range(2)
    )
    assert made.appearance.background == 0.95
    assert any(warning.startswith("background is 0.95; training images have") for warning in made.warnings)
    assert again.cached and again.warnings == made.warnings


def test_cells_without_a_wound_are_drawn_under_a_schema_with_one_when_the_caller_says_so(client: Client) -> None:
    cells = np.zeros((32, 32), np.int32)
    cells[8:20, 8:20] = 1
    drawn = client.render({"cells": cells}, schema="cells4", absent_parts=["wound"])
    assert drawn.level_pixels[0] == 0 and drawn.level_pixels[2] > 0


def test_a_segmenter_that_looks_for_no_wound_can_serve_a_model_with_one(client: Client) -> None:
    outcome = client.run(image=scratch_picture(), segmenter="cells")
    assert outcome.reference is not None and outcome.reference.schema.name == "cells4"
    assert outcome.reference.level_pixels[0] == 0


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
    from biosynth.v1 import pipeline_pb2, reference_pb2

    calls = (
        lambda: list(client.reference.Simulate(reference_pb2.SimulateRequest())),
        lambda: list(client.pipeline.Run(pipeline_pb2.RunRequest(scenario=reference_pb2.Scenario()))),
    )
    for call in calls:
        with pytest.raises(BiosynthCallError, match="UNIMPLEMENTED") as caught:
            call()
        assert caught.value.reason == "NOT_IMPLEMENTED_YET"
        assert caught.value.metadata["missing"]


@pytest.mark.parametrize("case", UNSUITABLE)
def test_a_run_that_is_to_stop_makes_nothing_of_an_unsuitable_image(client: Client, case: str) -> None:
    made = client.run(image=UNSUITABLE[case](), stop_if_unsuitable=True)
    assert made.segmentation is not None and made.segmentation.unsuitable
    assert made.reference is None and made.generation is None


def test_a_run_that_is_not_told_to_stop_goes_on_and_says_what_is_doubtful(client: Client) -> None:
    made = client.run(image=255 - nuclei_picture(), model="fluo-nuclei", look="drawn")
    assert made.generation is not None and made.segmentation is not None
    assert "unlike others of its kind" in made.segmentation.unsuitable[-1]


def test_an_ordinary_image_is_not_stopped(client: Client) -> None:
    assert client.run(image=nuclei_picture(), stop_if_unsuitable=True).generation is not None


def test_objects_are_measured_in_micrometres_as_the_request_or_the_file_says(client: Client) -> None:
    image = nuclei_picture()
    file = ome_tiff(image, image, pixel_um=0.25)
    plain, told, read = (
        client.segment(image),
        client.segment(image, pixel_size_um=0.5),
        client.segment(file, channel=0),
    )
    assert "area_um2" not in plain.objects.measures and not plain.summary.HasField("pixel_size_um")
    area = plain.objects.measures["area"]
    assert told.objects.measures["area_um2"] == pytest.approx(area / 4)
    assert (
        read.objects.measures["area_um2"] == pytest.approx(area / 16, abs=1e-4) and read.summary.pixel_size_um == 0.25
    )
    assert client.segment(file, channel=0, pixel_size_um=0.5).summary.pixel_size_um == 0.5
    ran = client.run(image=image, pixel_size_um=0.5, until="segment").segmentation
    assert ran is not None and ran.cached and ran.summary.pixel_size_um == 0.5


def test_greys_are_those_of_the_channel_in_which_an_object_was_found(client: Client) -> None:
    nuclei, phase, _ = two_channels()
    found = client.segment(ome_tiff(nuclei, phase), nuclei_channel=0, cells_channel=1)
    assert found.cells is not None and found.nuclei is not None
    for part, labels, shown in (("cells", found.cells, phase), ("nuclei", found.nuclei, nuclei)):
        measured = found.objects.of_part(part).measures["intensity_mean"]
        assert measured[0] == pytest.approx(shown[labels == 1].mean(), abs=1e-4)
