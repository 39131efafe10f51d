"""Masks of every program become one segmentation, and what is none is refused with what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from biosynth.contract import SCHEMA_KEYWORD
from numpy.typing import NDArray

from services.common.errors import BiosynthError, InvalidSegmentation
from services.common.imaging.formats.png_text import with_text
from services.common.imaging.images import encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.masks.reading import read_masks
from services.common.imaging.ometiff import encode_segmentation
from tests.support.mask_files import BAD, GOOD, feature, geojson, line, roi_of, roi_zip, separate, tiff

LABELS = separate()
SHAPE = (60, 80)


@pytest.mark.parametrize("kind", GOOD)
def test_masks_of_every_program_become_the_same_labels(kind: str) -> None:
    file = GOOD[kind]
    masks = read_masks(file.make(LABELS), "nuclei", SHAPE, file.frame)
    np.testing.assert_array_equal(masks.labels("nuclei"), LABELS)
    assert masks.segmentation.parts == ("nuclei",)


@pytest.mark.parametrize("kind", BAD)
def test_what_holds_no_masks_is_refused_with_what_came_and_what_to_do(kind: str) -> None:
    with pytest.raises(BiosynthError, match=BAD[kind].says):
        read_masks(BAD[kind].make(LABELS), "nuclei", SHAPE)


@pytest.mark.parametrize("part", ["nuclei", "cells", "wound"])
def test_a_reference_is_no_masks_though_it_is_a_png_of_whole_numbers(part: str) -> None:
    levels = encode_png((LABELS > 0).astype(np.uint8) * np.uint8(2))
    says = (
        r"expected masks, .* number of its own; got a reference drawn under 'nuclei3/1', whose values are levels; give "
        r"the segmentation or the masks that it was drawn of"
    )
    with pytest.raises(InvalidSegmentation, match=says):
        read_masks(with_text(levels, SCHEMA_KEYWORD, "nuclei3/1"), part)
    commented = read_masks(with_text(levels, "Comment", "nuclei3/1"), part)
    np.testing.assert_array_equal(commented.labels(part) > 0, LABELS > 0)


@pytest.mark.parametrize("kind", [kind for kind, file in GOOD.items() if not file.has_size])
def test_outlines_need_the_size_of_the_image(kind: str) -> None:
    with pytest.raises(InvalidSegmentation, match=r"the size of the image, which outlines do not tell.*--image"):
        read_masks(GOOD[kind].make(LABELS), "nuclei")


@pytest.mark.parametrize("true", [1, 255, 65535])
def test_a_mask_without_numbers_is_separated_and_that_is_said(true: int) -> None:
    masks = read_masks(tiff((LABELS > 0).astype(np.uint16) * np.uint16(true)), "cells")
    np.testing.assert_array_equal(masks.labels("cells"), LABELS)
    [note] = masks.notes
    assert note.startswith("a mask without numbers: each connected piece was taken as an object")


def test_a_label_in_pieces_stays_one_object_and_that_is_said() -> None:
    masks = read_masks(tiff((LABELS > 0).astype(np.uint16) * np.uint16(7)), "cells")
    assert np.unique(masks.labels("cells")).tolist() == [0, 7]
    assert masks.notes == ("one label in several pieces, which is one object; give each object a number of its own",)


def test_one_object_and_a_wound_are_no_masks_without_numbers() -> None:
    assert read_masks(tiff((LABELS == 2).astype(np.uint8)), "cells").notes == ()
    masks = read_masks(tiff((LABELS > 0).astype(np.uint8)), "wound")
    np.testing.assert_array_equal(masks.segmentation.wound, LABELS > 0)
    assert masks.notes == ()


def test_a_frame_that_is_not_there_and_one_of_a_single_image_are_refused() -> None:
    with pytest.raises(BiosynthError, match="expected --time from 0 to 1, for the file holds 2 planes; got 2"):
        read_masks(tiff(np.stack([LABELS, LABELS]), photometric="minisblack"), "nuclei", frame=2)
    with pytest.raises(BiosynthError, match="expected --time from 0 to 0"):
        read_masks(GOOD["8-bit PNG"].make(LABELS), "nuclei", frame=1)
    with pytest.raises(BiosynthError, match="got a segmentation of one image"):
        read_masks(encode_segmentation(Segmentation(cells=LABELS)), "cells", frame=0)


def test_a_segmentation_keeps_all_its_parts_and_says_which_it_lacks() -> None:
    data = encode_segmentation(Segmentation(cells=LABELS, wound=LABELS == 0))
    masks = read_masks(data, "cells")
    assert masks.segmentation.parts == ("cells", "wound")
    with pytest.raises(InvalidSegmentation, match="expected nuclei; the segmentation has cells, wound"):
        masks.labels("nuclei")


def test_where_masks_of_both_parts_are_needed_those_without_names_are_refused() -> None:
    with pytest.raises(InvalidSegmentation, match="whether they are cells or nuclei; make one of both"):
        read_masks(tiff(LABELS), "")


def test_rois_of_a_series_are_taken_by_frame() -> None:
    data = roi_zip(LABELS, frame_of={1: 1, 2: 2, 3: 2})
    with pytest.raises(InvalidSegmentation, match="ROIs of one frame; got some of frames 0 to 1"):
        read_masks(data, "cells", SHAPE)
    np.testing.assert_array_equal(read_masks(data, "cells", SHAPE, frame=1).labels("cells"), np.maximum(LABELS - 1, 0))
    with pytest.raises(InvalidSegmentation, match="ROIs of frame 5; got none"):
        read_masks(data, "cells", SHAPE, frame=5)


def test_rois_and_shapes_without_area_are_left_out_and_that_is_said() -> None:
    masks = read_masks(roi_zip(LABELS, line=line()), "cells", SHAPE)
    np.testing.assert_array_equal(masks.labels("cells"), LABELS)
    assert masks.notes == ("ROIs without an area (points, lines): left out",)
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": None}
    assert read_masks(geojson(LABELS, point), "cells", SHAPE).notes == ("shapes without an area (Point): left out",)


def test_of_qupath_cells_nuclei_take_the_nucleus_and_annotations_around_are_no_objects() -> None:
    outer, nucleus = np.zeros_like(LABELS), np.zeros_like(LABELS)
    outer[10:30, 10:30], nucleus[15:20, 15:20] = 1, 1
    cell = feature(outer, 1, "cell", nucleusGeometry=feature(nucleus, 1)["geometry"])
    around = feature(np.ones_like(LABELS), 1, "annotation")
    data = geojson(np.zeros_like(LABELS), around, cell)
    for part, expected in (("nuclei", nucleus), ("cells", outer)):
        masks = read_masks(data, part, SHAPE)
        np.testing.assert_array_equal(masks.labels(part), expected)
        assert masks.notes == ("annotations around detections: left out",)


def test_of_qupath_classes_those_of_the_part_are_taken_in_singular_and_with_what_is_derived_of_them() -> None:
    classes = ("Nucleus", "nuclei: Positive", "Tumor")
    features = [
        feature(LABELS, number, "annotation", properties={"classification": {"name": name}})
        for number, name in enumerate(classes, 1)
    ]
    data = geojson(np.zeros_like(LABELS), *features)
    masks = read_masks(data, "nuclei", SHAPE)
    np.testing.assert_array_equal(masks.labels("nuclei"), np.where(LABELS < 3, LABELS, 0))
    assert masks.notes == ("of other classes (Tumor): left out",)
    with pytest.raises(InvalidSegmentation, match="expected cells in GeoJSON; its classes are Nucleus, Tumor, nuclei"):
        read_masks(data, "cells", SHAPE)
    cell = feature(LABELS, 1, "cell", nucleusGeometry=feature(LABELS, 2)["geometry"])
    cell["properties"]["classification"] = {"name": "Cell"}
    data = geojson(np.zeros_like(LABELS), cell)
    np.testing.assert_array_equal(read_masks(data, "nuclei", SHAPE).labels("nuclei"), LABELS == 2)
    np.testing.assert_array_equal(read_masks(data, "cells", SHAPE).labels("cells"), LABELS == 1)


def _own(part: str, labels: NDArray[np.int32], kind: str = "detection") -> list[dict[str, Any]]:
    """Features as biosynth writes them: the class is the part, the name the label."""
    numbers = [int(number) for number in np.unique(labels[labels > 0])]
    features = [feature(labels, number, kind) for number in numbers]
    for one, number in zip(features, numbers, strict=True):
        one["properties"] |= {"name": str(number), "classification": {"name": part}}
    return features


def test_geojson_of_biosynth_gives_the_part_asked_for_with_its_labels() -> None:
    nuclei, wound = LABELS * 10, np.zeros_like(LABELS)
    wound[:, :3] = 1
    features = [*_own("cells", LABELS), *_own("nuclei", nuclei), *_own("wound", wound, "annotation")]
    data = geojson(np.zeros_like(LABELS), *features)
    np.testing.assert_array_equal(read_masks(data, "nuclei", SHAPE).labels("nuclei"), nuclei)
    np.testing.assert_array_equal(read_masks(data, "cells", SHAPE).labels("cells"), LABELS)
    np.testing.assert_array_equal(read_masks(data, "wound", SHAPE).segmentation.wound, wound > 0)
    with pytest.raises(InvalidSegmentation, match="expected nuclei in GeoJSON; its classes are cells"):
        read_masks(geojson(np.zeros_like(LABELS), *_own("cells", LABELS)), "nuclei", SHAPE)


def test_rois_of_biosynth_give_the_part_asked_for_with_its_labels_and_pieces() -> None:
    left, right = np.where(np.arange(80) < 15, LABELS, 0), np.where(np.arange(80) >= 15, LABELS, 0)
    pieces = [
        ("nuclei-00001-1", left, 1),
        ("nuclei-00001-2", right, 1),
        ("nuclei-00007", LABELS, 3),
        ("cells-00001", LABELS, 2),
    ]
    data = roi_zip(LABELS * 0, **{name: roi_of(labels, number) for name, labels, number in pieces})
    expected = np.where(LABELS == 1, 1, 0) + np.where(LABELS == 3, 7, 0)
    np.testing.assert_array_equal(read_masks(data, "nuclei", SHAPE).labels("nuclei"), expected)
    np.testing.assert_array_equal(read_masks(data, "cells", SHAPE).labels("cells"), LABELS == 2)
    only = roi_zip(LABELS * 0, **{"cells-00001": roi_of(LABELS, 1)})
    with pytest.raises(InvalidSegmentation, match="expected nuclei among the ROIs; they are of cells"):
        read_masks(only, "nuclei", SHAPE)
