from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from services.common.errors import InvalidArgument, InvalidSegmentation, MissingPart
from services.common.imaging.images import autocontrast
from services.common.imaging.labels import Segmentation
from services.reference.render import render
from services.reference.schemas import builtin_schemas, named
from tests.unit.reference import original
from tests.unit.reference.strategies import segmentations_with_images

Drawn = tuple[Segmentation, NDArray[np.uint8]]


def square_cell(size: int = 12) -> Segmentation:
    cells = np.zeros((size, size), np.int32)
    cells[2:-2, 2:-2] = 1
    nuclei = np.zeros_like(cells)
    nuclei[4:-4, 4:-4] = 1
    return Segmentation(cells, nuclei, np.zeros((size, size), np.bool_))


@settings(deadline=None)
@given(drawn=segmentations_with_images())
def test_levels4_is_the_original_drawing_pixel_for_pixel(drawn: Drawn) -> None:
    found, _ = drawn
    np.testing.assert_array_equal(render(found, named("levels4")).reference, original.draw_levels4(found))


@settings(deadline=None)
@given(drawn=segmentations_with_images())
def test_levels4_with_dilated_boundaries_is_the_original_option_pixel_for_pixel(drawn: Drawn) -> None:
    found, _ = drawn
    schema = replace(named("levels4"), name="dilated", dilate_cell_boundary=True)
    np.testing.assert_array_equal(render(found, schema).reference, original.draw_levels4(found, dilated=True))


@settings(deadline=None)
@given(drawn=segmentations_with_images())
def test_levels7_is_the_original_drawing_pixel_for_pixel(drawn: Drawn) -> None:
    found, image = drawn
    cells, nuclei, _ = original.planes(found)
    means = original.means(cells, nuclei, autocontrast(image))
    limits = original.limits7(list(means.values())) if means else []
    expected = original.draw_tiered(found, tiers_by_pixel(found, means, limits), 3)
    drawn_by_us = render(found, named("levels7"), image)
    np.testing.assert_array_equal(drawn_by_us.reference, expected)
    assert drawn_by_us.tier_limits == tuple(limits)


@settings(deadline=None)
@given(drawn=segmentations_with_images())
def test_levels9_is_the_original_drawing_pixel_for_pixel(drawn: Drawn) -> None:
    found, image = drawn
    cells, nuclei, _ = original.planes(found)
    means = original.means(cells, nuclei, autocontrast(image))
    measurable = any(55 <= mean < 95 for mean in means.values())
    limits = original.limits9(list(means.values())) if measurable else [55.0, 65.0, 80.0, 95.0]
    expected = original.draw_tiered(found, tiers_by_pixel(found, means, limits), 5)
    given_limits = None if measurable else limits
    drawn_by_us = render(found, named("levels9"), image, tier_limits=given_limits)
    np.testing.assert_array_equal(drawn_by_us.reference, expected)
    assert drawn_by_us.tier_limits == tuple(limits)


@settings(deadline=None)
@given(drawn=segmentations_with_images())
def test_nuclei3_and_cells4_follow_their_definitions_pixel_for_pixel(drawn: Drawn) -> None:
    found, _ = drawn
    np.testing.assert_array_equal(render(found, named("nuclei3")).reference, original.draw_nuclei3(found))
    np.testing.assert_array_equal(render(found, named("cells4")).reference, original.draw_cells4(found))


def tiers_by_pixel(found: Segmentation, means: dict[int, float], limits: list[float]) -> NDArray[np.uint8]:
    # A cell wholly under nuclei has no mean and no pixel to show a tier with; tier 0 is as good as any.
    cells, _, _ = original.planes(found)
    tiers = np.zeros(cells.shape, np.uint8)
    for label, mean in means.items():
        tiers[cells == label] = original.tier(mean, limits)
    return tiers


@pytest.mark.parametrize("name", builtin_schemas())
def test_grey_and_level_counts_describe_the_reference(name: str) -> None:
    found, schema = square_cell(), named(name)
    image = np.random.default_rng(0).integers(0, 255, found.shape, np.uint8)
    limits = [55, 60, 70, 95] if schema.tiers == 5 else None
    drawn = render(found, schema, image, tier_limits=limits)
    assert drawn.reference.dtype == drawn.grey.dtype == np.uint8
    assert drawn.level_pixels == tuple(int((drawn.reference == level.index).sum()) for level in schema.levels)
    for level in schema.levels:
        assert set(drawn.grey[drawn.reference == level.index]) <= {level.grey}


def test_the_last_label_is_drawn_too() -> None:
    cells = np.zeros((4, 12), np.int32)
    cells[:, 1:5], cells[:, 6:11] = 1, 2
    drawn = render(Segmentation(cells, wound=cells < 0), named("cells4")).reference
    assert drawn[1, 8] == 2
    assert drawn[1, 10] == 3


def test_a_missing_part_is_named_together_with_the_schemas_that_would_fit() -> None:
    only_nuclei = Segmentation(nuclei=np.ones((4, 4), np.int32))
    with pytest.raises(
        MissingPart, match=r"levels4; it lacks cells, wound\. Schemas that fit nuclei: nuclei3"
    ) as caught:
        render(only_nuclei, named("levels4"))
    assert caught.value.metadata == {"schema": "levels4", "missing": "cells,wound", "fitting": "nuclei3"}


def test_where_no_schema_fits_the_message_says_so() -> None:
    with pytest.raises(MissingPart, match="fit wound: none"):
        render(Segmentation(wound=np.ones((4, 4), np.bool_)), named("nuclei3"))


@pytest.mark.parametrize("limits", [None, [100.0, 150.0]])
def test_grey_tiers_need_the_image_with_limits_and_without(limits: list[float] | None) -> None:
    with pytest.raises(InvalidArgument, match=r"expected the image .* levels7 sorts cells into 3 grey tiers"):
        render(square_cell(), named("levels7"), tier_limits=limits)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"size \(12, 12\) \(height, width\); got \(12, 13\)"):
        render(square_cell(), named("levels7"), np.zeros((12, 13), np.uint8))


def test_a_boundary_may_be_drawn_thicker_than_the_schema_says() -> None:
    drawn = render(square_cell(12), named("cells4"), boundary_thickness_px=3)
    assert drawn.level_pixels == (0, 144 - 64, 4, 60)


def test_the_schemas_own_thickness_is_used_when_none_is_asked_for() -> None:
    thick = replace(named("cells4"), name="thick", boundary_thickness_px=2)
    assert render(square_cell(12), thick).level_pixels == (0, 144 - 64, 16, 48)


@pytest.mark.parametrize("thickness_px", [-1, 65, 2**32 - 1])
def test_a_thickness_out_of_range_is_refused_by_what_it_was(thickness_px: int) -> None:
    with pytest.raises(InvalidArgument, match=f"got {thickness_px}"):
        render(square_cell(), named("nuclei3"), boundary_thickness_px=thickness_px)


def test_boundaries_keep_their_thickness_when_the_reference_is_resized() -> None:
    drawn = render(square_cell(12), named("cells4"), size=(36, 24))
    assert drawn.reference.shape == drawn.grey.shape == (36, 24)
    assert drawn.reference[18].tolist() == [1] * 4 + [3] + [2] * 14 + [3] + [1] * 4
    assert drawn.reference[:, 12].tolist() == [1] * 6 + [3] + [2] * 22 + [3] + [1] * 6


def test_tiers_are_measured_before_resizing() -> None:
    cells = np.zeros((6, 9), np.int32)
    cells[:, :3], cells[:, 3:6], cells[:, 6:] = 1, 2, 3
    image = np.where(cells == 1, 10, np.where(cells == 2, 60, 200)).astype(np.uint8)
    found = Segmentation(cells, np.zeros_like(cells), np.zeros(cells.shape, np.bool_))
    small = render(found, named("levels7"), image)
    large = render(found, named("levels7"), image, size=(60, 90))
    assert small.tier_limits == large.tier_limits
    assert large.reference[30, [15, 45, 75]].tolist() == [2, 3, 4]


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (100_000, 100_000)])
def test_a_size_without_pixels_or_beyond_the_limit_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidArgument, match=f"got {size[0]}x{size[1]}"):
        render(square_cell(), named("nuclei3"), size=size)


def test_labels_below_zero_are_refused() -> None:
    with pytest.raises(InvalidSegmentation, match="got -4 in nuclei"):
        render(Segmentation(nuclei=np.full((3, 3), -4, np.int32)), named("nuclei3"))


def test_huge_label_numbers_cost_no_memory_and_change_nothing() -> None:
    found = square_cell()
    cells, nuclei, wound = original.planes(found)
    image = np.arange(144, dtype=np.uint8).reshape(12, 12)
    huge = Segmentation(cells * (2**31 - 1), nuclei * (2**31 - 1), wound)
    plain = render(found, named("levels7"), image)
    np.testing.assert_array_equal(render(huge, named("levels7"), image).reference, plain.reference)


def test_the_same_input_gives_the_same_bytes_and_is_left_as_it_was() -> None:
    found = square_cell()
    before = [plane.copy() for plane in original.planes(found)]
    first, second = render(found, named("levels4")), render(found, named("levels4"))
    assert first.reference.tobytes() == second.reference.tobytes()
    for plane, kept in zip(original.planes(found), before, strict=True):
        np.testing.assert_array_equal(plane, kept)
