from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.errors import InvalidArgument
from services.common.imaging.labels import Segmentation
from services.reference.render import render
from services.reference.schemas import named
from services.reference.tiers import assign_tiers, cell_means, measure_limits
from tests.unit.reference import original


def row_of_cells(*greys: int) -> tuple[Segmentation, NDArray[np.uint8]]:
    """Cells of 3x3 pixels side by side, each of one grey; a last column of 0 and 255 fixes the contrast."""
    columns = [grey for grey in greys for _ in range(3)]
    image = np.array([[*columns, 0], [*columns, 255], [*columns, 0]], np.uint8)
    cells = np.tile([*(i // 3 + 1 for i in range(len(columns))), 0], (3, 1)).astype(np.int32)
    return Segmentation(cells, np.zeros_like(cells), np.zeros(cells.shape, np.bool_)), image


def test_means_are_taken_over_cytoplasm_without_nuclei() -> None:
    cells = np.array([[1, 1, 2, 2, 4]], np.int32)
    nuclei = np.array([[0, 5, 5, 0, 6]], np.int32)
    means = cell_means(cells, nuclei, np.array([[10, 200, 200, 30, 9]], np.uint8))
    np.testing.assert_array_equal(means, [np.nan, 10, 30, np.nan, np.nan])


def test_seven_level_limits_cut_the_sorted_means_at_thirds() -> None:
    found, image = row_of_cells(70, 10, 60, 20, 50, 30, 40)
    drawn = render(found, named("levels7"), image)
    assert drawn.tier_limits == (30.0, 50.0)
    assert drawn.reference[1, 1::3].tolist() == [4, 2, 4, 2, 4, 3, 3]


def test_nine_level_limits_keep_55_and_95_and_cut_what_lies_between() -> None:
    found, image = row_of_cells(54, 55, 60, 70, 80, 94, 95, 200)
    drawn = render(found, named("levels9"), image)
    assert drawn.tier_limits == (55.0, 60.0, 80.0, 95.0)
    assert drawn.reference[1, 1:-1:3].tolist() == [2, 3, 4, 4, 5, 5, 6, 6]


def test_limits_measured_on_the_first_image_serve_the_whole_set() -> None:
    found, image = row_of_cells(10, 20, 30, 40, 50, 60)
    first = render(found, named("levels7"), image)
    assert first.tier_limits == (30.0, 50.0)
    other = row_of_cells(45, 46, 47)
    fixed = render(other[0], named("levels7"), other[1], tier_limits=first.tier_limits)
    assert fixed.tier_limits == first.tier_limits
    assert fixed.reference[1, 1:-1:3].tolist() == [3, 3, 3]
    assert render(other[0], named("levels7"), other[1]).reference[1, 1:-1:3].tolist() == [2, 3, 4]


def test_a_schema_may_fix_its_limits_and_the_caller_may_overrule_them() -> None:
    schema = replace(named("levels7"), name="fixed", tier_limits=(100.0, 200.0))
    found, image = row_of_cells(99, 100, 200)
    assert render(found, schema, image).reference[1, 1:-1:3].tolist() == [2, 3, 4]
    assert render(found, schema, image, tier_limits=[10, 20]).reference[1, 1:-1:3].tolist() == [4, 4, 4]


def test_brightness_is_measured_after_autocontrast_so_16_bit_and_dim_images_give_the_same() -> None:
    found, image = row_of_cells(10, 20, 30, 40)
    bright = (image.astype(np.uint16) * 200) + 1000
    np.testing.assert_array_equal(
        render(found, named("levels7"), image).reference, render(found, named("levels7"), bright).reference
    )


def test_an_image_without_cells_has_no_limits_to_measure() -> None:
    empty = Segmentation(*(np.zeros((4, 4), np.int32),) * 2, np.zeros((4, 4), np.bool_))
    drawn = render(empty, named("levels9"), np.zeros((4, 4), np.uint8))
    assert drawn.tier_limits == ()
    assert drawn.level_pixels[1] == 16


def test_cells_that_all_lie_outside_the_range_are_refused_rather_than_guessed_at() -> None:
    found, image = row_of_cells(10, 200)
    with pytest.raises(InvalidArgument, match=r"\[55, 95\).* got 2 cells from 10\.0 to 200\.0: give tier limits"):
        render(found, named("levels9"), image)


@pytest.mark.parametrize(
    ("name", "limits", "said"),
    [
        ("levels7", [1.0], "expected 2 limits between 3 grey tiers for schema levels7; got 1"),
        ("levels7", [50.0, 40.0], "none below the one before"),
        ("levels7", [1.0, 256.0], "from 0 to 255"),
        ("levels7", [float("nan"), 20.0], "from 0 to 255"),
        ("levels4", [1.0], "expected no tier limits for schema levels4; got 1"),
    ],
)
def test_wrong_limits_are_refused(name: str, limits: list[float], said: str) -> None:
    found, image = row_of_cells(10, 20, 30)
    with pytest.raises(InvalidArgument, match=said) as caught:
        render(found, named(name), image, tier_limits=limits)
    assert caught.value.reason == "INVALID_ARGUMENT"


@pytest.mark.parametrize("count", range(1, 12))
def test_measured_limits_are_the_original_ones_for_any_number_of_cells(count: int) -> None:
    values = np.random.default_rng(count).uniform(50, 100, count)
    assert list(measure_limits(values, 3)) == original.limits7(values.tolist())
    if ((values >= 55) & (values < 95)).any():
        assert list(measure_limits(values, 5, (55.0, 95.0))) == original.limits9(values.tolist())


def test_a_mean_on_a_limit_belongs_to_the_brighter_tier() -> None:
    assert assign_tiers(np.array([9.9, 10.0, 19.9, 20.0, np.nan]), (10.0, 20.0)).tolist() == [0, 1, 1, 2, 0]
