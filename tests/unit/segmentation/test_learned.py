"""Segmentation by a trained network: normalisation, objects from its output, tiling, model folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.common.errors import ConfigError
from services.evaluation.average_precision import average_precision
from services.segmentation.learned.model import SHIPPED, read_segmenter, read_weights, write_segmenter
from services.segmentation.learned.normalisation import normalised
from services.segmentation.learned.outputs import DOWN, FOREGROUND, PLANES, RIGHT, confidence_of, objects_of
from services.segmentation.learned.segment import find_objects
from services.segmentation.learned.segmenter import LearnedSegmenter, shipped
from services.training.segmenter.targets import targets_of
from tests.unit.segmentation.synthetic import discs, fluorescence


def _perfect(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """The output of a network that makes no mistake."""
    planes = targets_of(labels)
    planes[FOREGROUND] = 20 * planes[FOREGROUND] - 10
    return planes


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(6, 14))
def test_objects_come_back_from_a_perfect_output_also_where_they_touch(seed: int, radius: int) -> None:
    draw = np.random.default_rng(seed)
    labels = np.zeros((90, 110), np.int32)
    rows, columns = np.indices(labels.shape)
    for number in range(1, 13):
        row, column = draw.integers(radius, 90 - radius), draw.integers(radius, 110 - radius)
        disk = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        if not (labels[disk] > 0).mean() > 0.3:
            labels[disk & (labels == 0)] = number
    assert average_precision(labels, objects_of(_perfect(labels)), (0.5,))[0] >= 0.8


def test_two_halves_of_a_bar_are_two_objects() -> None:
    labels = np.zeros((30, 64), np.int32)
    labels[8:22, 4:32], labels[8:22, 32:60] = 1, 2
    assert np.array_equal(objects_of(_perfect(labels)), labels)


def test_a_network_is_as_sure_of_an_object_as_its_pixels_agree() -> None:
    labels = np.zeros((30, 64), np.int32)
    labels[8:22, 4:32], labels[8:22, 34:62] = 1, 2
    planes = _perfect(labels)
    planes[DOWN:, :, 48:] = 0.0  # some pixels of the second say that each is a centre of its own
    planes[RIGHT, :, 56:] = 20.0  # and some point out of it
    sure = confidence_of(labels, planes)
    assert sure[0] == pytest.approx(1, abs=1e-3)
    assert sure[1] == pytest.approx(22 / 28, abs=0.01)


def test_an_output_without_foreground_has_no_objects() -> None:
    planes = np.zeros((PLANES, 20, 30), np.float32)
    planes[FOREGROUND] = -5
    assert not objects_of(planes).any()


def test_a_centre_lies_inside_also_of_a_bent_object() -> None:
    bent = np.zeros((40, 40), np.int32)
    bent[5:35, 5:12] = bent[28:35, 5:35] = 3
    planes = targets_of(bent)
    rows, columns = np.nonzero(bent)
    down, right = (np.rint(16 * planes[plane][bent > 0]).astype(int) for plane in (2, 3))
    centres = {(int(row), int(column)) for row, column in zip(rows + down, columns + right, strict=True)}
    assert len(centres) == 1
    assert bent[centres.pop()] == 3


@pytest.mark.parametrize("change", [lambda image: image // 2 + 20, lambda image: image.astype(np.uint16) * 200])
def test_gain_offset_and_depth_hardly_change_what_the_network_sees(change: object) -> None:
    image = fluorescence(discs([(20, 20), (60, 25), (80, 90)], 9), [120.0, 90.0, 60.0])
    assert callable(change)
    assert np.abs(normalised(change(image)) - normalised(image)).max() < 0.03


def test_noise_of_less_than_a_grey_level_is_not_blown_up() -> None:
    flat = np.full((32, 32), 100, np.uint8)
    flat[::7] = 101
    assert np.abs(normalised(flat)).max() <= 1.0


def test_the_shipped_network_finds_bright_discs() -> None:
    labels = discs([(20, 20), (60, 25), (80, 90), (30, 95)], 9)
    found = shipped("nuclei").find(fluorescence(labels, [120.0, 90.0, 60.0, 100.0])).labels
    assert average_precision(labels, found, (0.75,))[0] == 1.0


@pytest.mark.parametrize("scale", [0.4, 0.5, 1.0, 2.0, 3.0])
def test_the_size_of_objects_is_estimated_and_nuclei_are_found_at_any_magnification(scale: float) -> None:
    labels = discs([(20, 20), (60, 25), (80, 85), (30, 95)], 13)
    size = (round(scale * labels.shape[1]), round(scale * labels.shape[0]))
    image = cv2.resize(fluorescence(labels, [120.0, 90.0, 60.0, 100.0]), size, interpolation=cv2.INTER_AREA)
    true = cv2.resize(labels.astype(np.float64), size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.int32)
    found = shipped("nuclei").find(image.astype(np.uint8))
    assert found.diameter_px == pytest.approx(26 * scale, rel=0.3)
    assert average_precision(true, found.labels, (0.5,))[0] == 1.0
    assert found.confidence.shape == (labels.max(),)
    assert found.confidence.min() > 0.5


def test_a_given_diameter_takes_the_place_of_the_estimate() -> None:
    image = fluorescence(discs([(30, 30), (90, 38)], 13), [120.0, 90.0])
    learned = shipped("nuclei")
    assert learned.find(image, 26.0).diameter_px == 26.0
    seen = list[tuple[int, ...]]()

    class Watched:
        """The network, which keeps the sizes of what it is shown."""

        name = precision = "watched"
        batch_px = 0

        def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
            seen.append(planes.shape)
            return learned._engine("output").run(planes)

        def rest(self) -> None: ...

    find_objects(image, learned.description, Watched(), 2 * learned.description.diameter_px)
    assert len(seen) == 1  # nothing is estimated
    assert seen[0][2] == -(-image.shape[0] // 16) * 8  # half the size, on the network's grid


@pytest.mark.parametrize("size", [(1, 1), (150, 170), (203, 301)])
def test_tiles_give_the_objects_of_the_whole(size: tuple[int, int]) -> None:
    learned = shipped("nuclei")
    image = np.random.default_rng(0).integers(0, 255, (19, 26)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    image = image[: size[0], : size[1]]
    engine = learned._engine("output")
    tiled, whole = (find_objects(image, learned.description, engine, tile_px=side).labels for side in (64, 1024))
    assert tiled.shape == size
    assert np.mean(tiled != whole) < 1e-3  # float rounding may tip a pixel


def test_a_network_describes_windows() -> None:
    learned = shipped("nuclei")
    windows = np.random.default_rng(0).random((3, 64, 64), np.float32)
    found = learned.describe(windows)
    assert found.shape == (3, learned.description.features)
    assert np.isfinite(found).all()
    assert np.array_equal(found[1:2], learned.describe(windows[1:2]))


def test_every_shipped_network_is_small_and_has_a_card() -> None:
    folders = [path.parent for path in SHIPPED.glob("*/model.json")]
    assert folders
    for folder in folders:
        description = read_segmenter(folder)
        assert len(read_weights(folder, description)) < 4_000_000
        assert description.name == folder.name
        assert description.sha256 in (folder / "CARD.md").read_text(encoding="utf-8")


def test_a_folder_that_is_no_segmenter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a segmenter's description"):
        LearnedSegmenter(tmp_path)
    (tmp_path / "model.json").write_text('{"format": "biosynth.generator/2"}')
    with pytest.raises(ConfigError, match=r"expected format biosynth\.segmenter/2"):
        LearnedSegmenter(tmp_path)


def test_weights_that_are_absent_or_others_are_refused(tmp_path: Path) -> None:
    description = replace(read_segmenter(SHIPPED / "nuclei"), training={})
    write_segmenter(tmp_path, description)
    image = np.zeros((8, 8), np.uint8)
    with pytest.raises(ConfigError, match="it is absent"):
        LearnedSegmenter(tmp_path).find(image)
    (tmp_path / "model.onnx").write_bytes(b"other")
    with pytest.raises(
        ConfigError, match=rf"expected model\.onnx of segmenter nuclei with sha256 {description.sha256}"
    ):
        LearnedSegmenter(tmp_path).find(image)
