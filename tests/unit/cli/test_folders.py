"""What images show, read from masks, which are found by the names that programs give them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from services.cli.console import Console
from services.cli.folders import list_images, open_images, open_labelled, pair_up, read_labels
from services.cli.images.wish import Wish
from services.cli.notes import Notes
from services.common.errors import InvalidArgument, InvalidImage, InvalidSegmentation
from services.common.imaging.images import encode_png
from tests.support.lab_images import NAMES, ome
from tests.support.mask_files import GOOD, separate, tiff


def test_colours_are_no_labels_and_grey_stored_as_colour_is(tmp_path: Path) -> None:
    grey = np.array([[0, 1], [2, 2]], np.uint8)
    coloured = np.dstack([grey, grey, 3 * grey])
    for path in (tmp_path / "a.png", tmp_path / "a.tif"):
        cv2.imwrite(str(path), np.dstack([grey, grey, grey]))
        assert np.array_equal(read_labels(path, "nuclei", Notes()).labels("nuclei"), grey)
        cv2.imwrite(str(path), coloured)
        with pytest.raises(InvalidImage, match=rf"{path}: expected a label map .*; got colours"):
            read_labels(path, "nuclei", Notes())


def _folders(root: Path, *images: str) -> tuple[Path, Path]:
    for folder in (root / "images", root / "masks"):
        folder.mkdir()
    for name in images:
        (root / "images" / name).write_bytes(encode_png(separate().astype(np.uint8)))
    return root / "images", root / "masks"


@pytest.mark.parametrize("kind", [kind for kind, file in GOOD.items() if file.frame is None])
def test_masks_of_every_program_are_found_beside_and_apart_from_their_images(tmp_path: Path, kind: str) -> None:
    images, masks = _folders(tmp_path, "a.png")
    ending, data = GOOD[kind].ending, GOOD[kind].make(separate())
    places = [masks] + ([images] if ending.startswith("_") or ending in (".npy", ".zip", ".geojson") else [])
    for place in places:
        (place / f"a{ending}").write_bytes(data)
        [picture] = open_labelled(images, place, "nuclei", Wish(), Notes()).pictures
        assert picture.name == "a" and picture.labels is not None
        np.testing.assert_array_equal(picture.labels.nuclei, separate())


def test_masks_beside_their_image_are_no_images_and_those_alone_are(tmp_path: Path) -> None:
    images, _ = _folders(tmp_path, "a.png", "a_cp_masks.png", "b_masks.png", ".c.png")
    assert [path.name for path in list_images(images)] == ["a.png", "b_masks.png"]


def test_frames_of_the_cell_tracking_challenge_find_their_masks_and_others_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, truth = _folders(tmp_path, "t000.tif", "t001.tif", "t002.tif")
    (truth / "SEG").mkdir()
    (truth / "SEG" / "man_seg001.tif").write_bytes(tiff(separate()))
    notes = Notes()
    assert [(path.name, mask.name) for path, mask in pair_up(images, truth, notes)] == [("t001.tif", "man_seg001.tif")]
    notes.tell(Console(as_json=False, quiet=True))
    assert capsys.readouterr().err == "2 files: a frame that nobody annotated: left out: 't000', 't002'\n"
    for frame in range(3):
        (truth / f"mask00{frame}.tif").write_bytes(tiff(separate()))
    assert [mask.name for _, mask in pair_up(images, truth, notes)] == ["mask000.tif", "mask001.tif", "mask002.tif"]


def test_a_result_of_the_challenge_with_a_missing_frame_is_refused(tmp_path: Path) -> None:
    images, result = _folders(tmp_path, "t000.tif", "t001.tif")
    (result / "mask001.tif").write_bytes(tiff(separate()))
    with pytest.raises(InvalidArgument, match="there are none for 1 of 2: 't000'"):
        pair_up(images, result, Notes())
    with pytest.raises(InvalidArgument, match=r"expected a folder of masks; got .*/absent"):
        pair_up(images, tmp_path / "absent", Notes())


def test_images_of_a_folder_are_read_as_single_ones_are_and_stacks_of_masks_by_the_same_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = _folders(tmp_path)
    frames = np.stack([separate(), separate() * 0.5]).astype(np.float32)
    ome(np.stack([frames, 1 - frames], axis=1), "TCYX", Channel={"Name": NAMES})(images / "film.ome.tif")
    (masks / "film.tif").write_bytes(tiff(np.stack([separate() * 0, separate()]), photometric="minisblack"))
    notes = Notes()
    with pytest.raises(
        InvalidImage, match=r"film.ome.tif: expected one plane; got 2 times \(T\), 2 channels \(C: DAPI"
    ):
        open_labelled(images, masks, "nuclei", Wish(), notes).pictures[0]
    wish = Wish(channel="DAPI", time="1", limits=(0, 1.5))
    [picture] = open_labelled(images, masks, "nuclei", wish, notes).pictures
    np.testing.assert_array_equal(picture.image, np.rint(separate() / 3 * 65535))
    assert picture.labels is not None
    np.testing.assert_array_equal(picture.labels.nuclei, separate())
    [alone] = open_images(images, wish, notes).pictures
    np.testing.assert_array_equal(alone.image, picture.image)
    notes.tell(Console(as_json=False, quiet=True))
    assert "'film.ome.tif': float32 from 0 to 1.5 was scaled" in capsys.readouterr().err


def test_masks_of_another_size_name_the_file(tmp_path: Path) -> None:
    images, masks = _folders(tmp_path, "a.png")
    (masks / "a.tif").write_bytes(tiff(separate(61, 80)))
    with pytest.raises(
        InvalidSegmentation, match=r"masks/a\.tif: expected masks of the image's size, 60 x 80 px; got 61"
    ):
        open_labelled(images, masks, "nuclei", Wish(), Notes()).pictures[0]


def test_what_is_true_of_many_files_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    notes = Notes()
    for name in ("a", "b", "a"):
        notes.add(name, ["read anew"])
        notes.add(name, [f"int16 from -{len(name)} to 1e3 was scaled"])
    notes.add("c", ["float32 from 0 to 1 was scaled"])
    notes.tell(Console(as_json=False, quiet=True))
    notes.tell(Console(as_json=False, quiet=True))
    assert capsys.readouterr().err.splitlines() == [
        "2 files: read anew: 'a', 'b'",
        "2 files: int16 was scaled: 'a', 'b'",
        "'c': float32 from 0 to 1 was scaled",
    ]
