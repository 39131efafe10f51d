"""Distances of spectra, texture, intensity and morphology: each answers to its own defect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from skimage.measure import regionprops_table

from services.common.imaging.labels import Segmentation
from services.evaluation.sets.field import Field
from services.evaluation.sets.floors import measure_ceiling
from services.evaluation.sets.intensity import INTENSITY_DISTANCE, measure_intensity
from services.evaluation.sets.metric import Features, Measured, SetMetric, Unavailable
from services.evaluation.sets.morphology import MORPHOLOGY_DISTANCE, measure_morphology
from services.evaluation.sets.nearest_spectrum import NEAREST_SPECTRUM_DISTANCE
from services.evaluation.sets.paired_spectrum import PAIRED_SPECTRUM_DISTANCE
from services.evaluation.sets.radial_spectrum import SPECTRUM_DISTANCE
from services.evaluation.sets.shapes import shapes
from services.evaluation.sets.texture import TEXTURE_DISTANCE
from services.evaluation.sets.wasserstein import scaled_wasserstein
from tests.unit.evaluation.synthetic_fields import (
    blur,
    changed,
    figure,
    make_fields,
    measured,
    paint_lattice,
    renamed,
)

REAL, ALIKE = make_fields(16), make_fields(16, seed=1)
METRICS = (SPECTRUM_DISTANCE, TEXTURE_DISTANCE, INTENSITY_DISTANCE, MORPHOLOGY_DISTANCE)
CHANGED = {
    "blur": changed(REAL, blur),
    "lattice": changed(REAL, paint_lattice),
    "brighter": changed(REAL, lambda image: 1.3 * image),
    "flatter": make_fields(16, seed=1, bright=0.25),
    "larger": make_fields(16, seed=1, radius=12.0, objects=6),
}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_distance_is_0_to_oneself_and_the_same_whatever_order_and_names(metric: SetMetric) -> None:
    assert figure(metric, REAL, REAL) == pytest.approx(0.0, abs=1e-12)
    same = figure(metric, renamed(REAL), renamed(ALIKE))
    assert figure(metric, REAL, ALIKE) == pytest.approx(same, rel=1e-9)


@pytest.mark.parametrize(
    ("metric", "defect", "times"),
    [
        (SPECTRUM_DISTANCE, "blur", 20),
        (SPECTRUM_DISTANCE, "lattice", 1.5),
        (TEXTURE_DISTANCE, "blur", 10),
        (TEXTURE_DISTANCE, "lattice", 1.5),
        (INTENSITY_DISTANCE, "brighter", 3),
        (INTENSITY_DISTANCE, "flatter", 3),
        (MORPHOLOGY_DISTANCE, "larger", 3),
        (MORPHOLOGY_DISTANCE, "brighter", 3),
    ],
)
def test_a_defect_is_farther_than_another_draw_of_the_same(metric: SetMetric, defect: str, times: float) -> None:
    assert figure(metric, REAL, CHANGED[defect]) > times * figure(metric, REAL, ALIKE)


def test_exposure_is_no_texture() -> None:
    assert figure(TEXTURE_DISTANCE, REAL, CHANGED["brighter"]) < figure(TEXTURE_DISTANCE, REAL, ALIKE)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_small_fields_without_labels_have_no_distance_but_a_reason(metric: SetMetric) -> None:
    bare = [replace(field, labels=None) for field in make_fields(3, side=4)]
    with pytest.raises(Unavailable, match=r"needs at least \d fields? with .*; the (real|other) set has 0"):
        figure(metric, bare, bare)
    if metric.least_fields > 1:
        with pytest.raises(Unavailable, match="needs at least 2 fields"):
            figure(metric, REAL[:1], ALIKE)


def test_the_distance_is_the_mean_of_wasserstein_in_units_of_the_real_deviation() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(40, 2)), generator.normal(1, 2, size=(30, 2))
    expected = np.mean([wasserstein_distance(a, b) / a.std() for a, b in zip(first.T, second.T, strict=True)])
    assert _distance(first, second) == pytest.approx(expected, rel=1e-9)


def test_thousands_of_values_lie_on_a_grid_and_hardly_move_the_distance() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.lognormal(size=(9000, 1)), generator.lognormal(0.2, 1, size=(9000, 1))
    expected = wasserstein_distance(first[:, 0], second[:, 0]) / first.std()
    assert _distance(first, second) == pytest.approx(expected, rel=0.02)


def test_values_that_are_not_there_are_left_out_and_no_deviation_has_a_least_unit() -> None:
    nothing = np.array([[np.nan, 1.0], [np.nan, 1.0]])
    assert _distance(nothing, np.array([[5.0, 3.0]]), least=0.5) == pytest.approx(4.0)
    with pytest.raises(Unavailable, match="no values"):
        _distance(nothing[:, :1], nothing[:, :1])


def test_exposure_is_not_known_of_images_stretched_each_by_its_own_greys() -> None:
    stretched = [replace(field, stretched=True) for field in make_fields(4)]
    with pytest.raises(Unavailable, match="8 bit"):
        figure(INTENSITY_DISTANCE, stretched, stretched)


def test_intensity_is_background_contrast_and_spread() -> None:
    image = np.full((8, 8), 0.2, np.float32)
    image[:2, :4], image[4:6, :4] = 0.4, 0.6
    labels = np.zeros((8, 8), np.int32)
    labels[:2, :4], labels[4:6, :4] = 3, 9
    found = measure_intensity(Field("a", image, Segmentation(nuclei=labels)))
    # Objects differ by 0.2 and 0.4 from the ground: a third to each side of their mean, 0.3.
    assert found[0] == pytest.approx([0.2, 0.3, 1 / 3])


def test_an_empty_field_has_a_background_but_no_objects() -> None:
    empty = Field("a", np.full((8, 8), 0.2, np.float32), Segmentation(cells=np.zeros((8, 8), np.int32)))
    assert measure_intensity(empty)[0] == pytest.approx([0.2, np.nan, np.nan], nan_ok=True)
    assert measure_morphology(empty).shape == (0, 6)


def test_shapes_are_those_of_skimage() -> None:
    labels = _ellipses()
    found = shapes(labels)
    names = ("area", "eccentricity", "solidity", "centroid")
    expected = regionprops_table(labels.astype(np.int32), properties=names)
    assert np.array_equal(found[:, 0], expected["area"])
    assert found[:, 1] == pytest.approx(expected["eccentricity"], abs=0.02)
    assert found[:, 2] == pytest.approx(expected["solidity"], abs=0.05)
    places = np.stack([expected["centroid-0"], expected["centroid-1"]], 1)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.where(np.eye(len(places)), np.inf, 0)
    assert found[:, 3] == pytest.approx(apart.min(1))


def test_a_square_is_solid_a_cross_is_not_and_a_lone_object_has_no_neighbour() -> None:
    square, cross = np.zeros((2, 9, 9), np.intp)
    square[2:7, 2:7] = cross[4, 1:8] = cross[1:8, 4] = 1
    assert shapes(square)[0] == pytest.approx([25, 0, 1, np.nan], nan_ok=True)
    # A cross of arms 3 px long: 13 px in the octagon of 31 that its squares span.
    assert shapes(cross)[0, 2] == pytest.approx(13 / 31)
    assert shapes(np.zeros((9, 9), np.intp)).shape == (0, 4)


def test_a_field_of_4000_objects_is_measured() -> None:
    labels = np.zeros((640, 640), np.int32)
    tops, lefts = np.divmod(np.arange(4000), 64)
    for number, (top, left) in enumerate(zip(10 * tops, 10 * lefts, strict=True), start=1):
        labels[top : top + 6, left : left + 6] = number
    found = measure_morphology(Field("a", np.full((640, 640), 0.5, np.float32), Segmentation(nuclei=labels)))
    assert found.shape == (4000, 6)
    assert found[:, :4] == pytest.approx(np.tile([36, 0, 1, 10.0], (4000, 1)))


def test_the_distance_of_chosen_fields_is_that_of_sets_of_them() -> None:
    real, alike = measured(TEXTURE_DISTANCE, REAL), measured(TEXTURE_DISTANCE, ALIKE)
    chosen = np.array([0, 3, 3, 5])
    one = TEXTURE_DISTANCE.prepare(real, alike)(np.arange(16), chosen)
    assert one == pytest.approx(TEXTURE_DISTANCE.compare(real, [alike[index] for index in chosen]), rel=1e-9)


def _distance(first: Features, second: Features, least: float = 1e-9) -> float:
    sets = [Measured("a", first[:7]), Measured("b", first[7:])], [Measured("c", second)]
    statistic = scaled_wasserstein((least,) * first.shape[1])(*sets)
    return statistic(np.array([0, 1]), np.array([0]))


def _ellipses() -> NDArray[np.intp]:
    y, x = np.mgrid[:120, :120]
    labels = np.zeros((120, 120), np.intp)
    for number, (row, column, a, b, tilt) in enumerate(
        [(25, 25, 18, 9, 0.4), (30, 85, 14, 14, 0.0), (85, 30, 20, 6, 2.0), (85, 88, 11, 15, 1.0)], start=1
    ):
        along = (y - row) * np.sin(tilt) + (x - column) * np.cos(tilt)
        across = (y - row) * np.cos(tilt) - (x - column) * np.sin(tilt)
        labels[(along / a) ** 2 + (across / b) ** 2 <= 1] = number
    return labels


def test_pairs_of_unlike_microscopes_show_a_blur_that_the_sets_mean_spectrum_hides() -> None:
    # Half of the real images are sharp and half are blurred; the generated ones are blurred where theirs is sharp.
    sharp, soft = make_fields(16, side=256), changed(make_fields(16, side=256), blur)
    real = [one if number % 2 else two for number, (one, two) in enumerate(zip(sharp, soft, strict=True))]
    swapped = [two if number % 2 else one for number, (one, two) in enumerate(zip(sharp, soft, strict=True))]
    assert figure(SPECTRUM_DISTANCE, real, swapped) < 0.1
    assert figure(PAIRED_SPECTRUM_DISTANCE, real, swapped) > 0.3
    ceiling = measure_ceiling(PAIRED_SPECTRUM_DISTANCE, measured(PAIRED_SPECTRUM_DISTANCE, real), seed=0)
    assert ceiling is not None
    assert ceiling[1] <= ceiling[0] <= ceiling[2] < 0.2  # the nearest other field is of the same microscope


def test_an_image_like_another_real_field_is_near_one_and_a_blurred_set_is_near_none() -> None:
    sharp, soft = make_fields(16, side=256), changed(make_fields(16, side=256), blur)
    real = [one if number % 2 else two for number, (one, two) in enumerate(zip(sharp, soft, strict=True))]
    swapped = [two if number % 2 else one for number, (one, two) in enumerate(zip(sharp, soft, strict=True))]
    ceiling = measure_ceiling(NEAREST_SPECTRUM_DISTANCE, measured(NEAREST_SPECTRUM_DISTANCE, real), seed=0)
    assert ceiling is not None
    assert figure(NEAREST_SPECTRUM_DISTANCE, real, renamed(swapped)) < ceiling[2]
    assert figure(NEAREST_SPECTRUM_DISTANCE, sharp, soft) > 2 * ceiling[2]


def test_spectra_of_sets_that_are_no_pairs_have_no_partners() -> None:
    with pytest.raises(Unavailable, match="the sets are no pairs"):
        figure(PAIRED_SPECTRUM_DISTANCE, REAL, renamed(REAL))


def test_one_field_has_no_other_real_one_to_be_near() -> None:
    one = measured(PAIRED_SPECTRUM_DISTANCE, REAL[:1])
    assert measure_ceiling(PAIRED_SPECTRUM_DISTANCE, one, seed=0) is None
