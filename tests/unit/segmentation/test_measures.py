"""What is measured of objects, held to scikit-image's own figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from biosynth.objects import COLUMNS, ObjectTable
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label, regionprops_table

from services.common.imaging.labels import Labels, Segmentation
from services.segmentation.measures import measure
from services.segmentation.objects import objects_of, table_of
from services.segmentation.segmenter import Found
from tests.support.label_maps import discs

NAMES = (
    "area",
    "centroid",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
    "solidity",
    "perimeter",
    "intensity_mean",
    "intensity_min",
    "intensity_max",
    "intensity_std",
)


def _blobs(seed: int, threshold: float) -> Labels:
    rough = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(90, 120)), 2)
    return np.asarray(label(rough > threshold, connectivity=1), np.int32)


def _gapless(labels: NDArray[np.int32]) -> Labels:
    return np.asarray(np.unique(labels, return_inverse=True)[1].reshape(labels.shape), np.int32)


LABELS: dict[str, Callable[[], Labels]] = {
    "discs that touch": lambda: _gapless(discs()),
    "blobs with holes and long arms": lambda: _blobs(0, 0.0),
    "specks": lambda: np.asarray(label(np.random.default_rng(1).random((60, 60)) > 0.6, connectivity=1), np.int32),
    "labels in many pieces": lambda: np.random.default_rng(2).integers(0, 9, (40, 50)).astype(np.int32),
    "one pixel": lambda: np.array([[0, 0], [0, 1]], np.int32),
    "a row and a column": lambda: np.array([[1, 1, 1, 1], [0, 2, 0, 0], [0, 2, 0, 0]], np.int32),
    "a diagonal": lambda: np.eye(9, dtype=np.int32),
    "all of the image": lambda: np.ones((7, 5), np.int32),
    "higher than what is summed at a time": lambda: np.ones((700, 3), np.int32),
}


def _shown(labels: Labels, dtype: type = np.uint16) -> NDArray[np.uint16]:
    high = int(np.iinfo(dtype).max)
    return np.random.default_rng(3).integers(high // 2, high + 1, labels.shape).astype(dtype)


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_figures_are_those_of_scikit_image_under_its_names(case: str, dtype: type) -> None:
    labels = LABELS[case]()
    image = _shown(labels, dtype)
    theirs, ours = regionprops_table(labels, image, properties=NAMES), measure(labels, image)
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        assert ours[name] == pytest.approx(values, abs=1e-6, rel=1e-9), name


def test_an_image_without_objects_has_columns_without_rows() -> None:
    measured = measure(np.zeros((5, 6), np.int32), np.zeros((5, 6), np.uint8))
    assert len(measured) == len(NAMES) + 1 and all(values.shape == (0,) for values in measured.values())


def test_the_table_is_read_again_with_every_measure() -> None:
    cells, nuclei = LABELS["discs that touch"](), LABELS["blobs with holes and long arms"]()
    nuclei = nuclei[: cells.shape[0]]
    cells = cells[: nuclei.shape[0], : nuclei.shape[1]]
    found = Found(Segmentation(_gapless(cells), _gapless(nuclei)))
    shown = {"cells": _shown(cells), "nuclei": _shown(nuclei)[::-1].copy()}
    table = ObjectTable.of(table_of(objects_of(found, shown, pixel_um=0.5)))
    assert set(table.part) == {"cells", "nuclei"} and "area" not in COLUMNS
    for part in ("cells", "nuclei"):
        mine, expected = table.of_part(part), measure(getattr(found.segmentation, part), shown[part])
        assert len(mine) == len(expected["area"])
        for name, values in expected.items():
            assert mine.measures[name] == pytest.approx(values, abs=5.1e-5), name
        assert np.array_equal(mine.area_px, mine.measures["area"])
        assert mine.measures["area_um2"] == pytest.approx(expected["area"] / 4)
        assert mine.measures["perimeter_um"] == pytest.approx(expected["perimeter"] / 2, abs=5.1e-5)


def test_without_a_pixel_size_nothing_is_told_in_micrometres() -> None:
    labels = LABELS["discs that touch"]()
    table = ObjectTable.of(table_of(objects_of(Found(Segmentation(labels)), {"cells": _shown(labels)})))
    assert not [name for name in table.measures if "um" in name]
