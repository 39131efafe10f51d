"""`biosynth combine` and `biosynth render --as`: masks of any program on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from biosynth.contract import SCHEMA_KEYWORD

from services.cli.images.reading import read_image
from services.cli.images.wish import Wish
from services.common.imaging.formats.png_text import with_text
from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.ometiff import decode_segmentation
from tests.support.commands import Run, runner
from tests.support.lab_images import PIXEL_UM, ome
from tests.support.mask_files import BAD, GOOD, separate, tiff


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; returns the exit code, stdout and stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "image.png").write_bytes(encode_png(separate().astype(np.uint8)))

    return runner(capsys)


@pytest.mark.parametrize("kind", GOOD)
def test_combine_takes_masks_of_every_program(run: Run, tmp_path: Path, kind: str) -> None:
    file, out = GOOD[kind], tmp_path / "out.ome.tif"
    masks = tmp_path / f"masks{file.ending}"
    masks.write_bytes(file.make(separate()))
    time = () if file.frame is None else ("--time", file.frame)
    image = () if file.has_size else ("--image", tmp_path / "image.png")
    code, answer, said = run("combine", "--nuclei", masks, *time, *image, "--out", out, "--json")
    assert code == 0, said
    assert json.loads(answer)["objects"] == {"nuclei": 3}
    np.testing.assert_array_equal(decode_segmentation(out.read_bytes()).nuclei, separate())


@pytest.mark.parametrize("kind", BAD)
def test_combine_refuses_what_holds_no_masks_and_names_the_file(run: Run, tmp_path: Path, kind: str) -> None:
    masks = tmp_path / f"masks{BAD[kind].ending}"
    masks.write_bytes(BAD[kind].make(separate()))
    code, _, said = run(
        "combine", "--cells", masks, "--image", tmp_path / "image.png", "--out", tmp_path / "out.ome.tif"
    )
    assert code == 3 and f"biosynth combine: {masks}: expected" in said
    assert not (tmp_path / "out.ome.tif").exists()


def test_combine_takes_the_pixel_size_of_the_image(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(separate()))
    ome(np.stack([separate()] * 2).astype(np.uint16), "CYX")(tmp_path / "two.ome.tif")
    code, _, said = run(
        "combine", "--nuclei", tmp_path / "a.tif", "--image", tmp_path / "two.ome.tif", "--out", tmp_path / "o.ome.tif"
    )
    assert code == 0, said
    assert read_image(tmp_path / "o.ome.tif", Wish()).pixel_size_um == (PIXEL_UM, PIXEL_UM)


def test_combine_tells_of_a_mask_without_numbers(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(separate() > 0))
    code, _, said = run("combine", "--cells", tmp_path / "a.tif", "--out", tmp_path / "out.ome.tif")
    assert code == 0 and "'a.tif': a mask without numbers: each connected piece" in said and "with 3 cells" in said


def test_render_draws_masks_of_another_program_as_what_they_are_said_to_show(run: Run, tmp_path: Path) -> None:
    masks = tmp_path / "masks.tif"
    masks.write_bytes(tiff(separate()))
    code, _, said = run("render", masks, "--schema", "nuclei3", "--out", tmp_path / "drawn")
    assert code == 3 and "masks.tif: expected a segmentation" in said
    assert "--as nuclei or --as cells" in said and "biosynth combine" in said
    code, _, said = run("render", masks, "--as", "nuclei", "--schema", "nuclei3", "--out", tmp_path / "drawn")
    assert code == 0, said
    reference = decode_image((tmp_path / "drawn" / "masks.reference.png").read_bytes())
    np.testing.assert_array_equal(reference > 0, separate() > 0)


def test_render_takes_outlines_with_their_image(run: Run, tmp_path: Path) -> None:
    rois = tmp_path / "rois.zip"
    rois.write_bytes(GOOD["ROI zip of ImageJ"].make(separate()))
    command = ("render", rois, "--as", "nuclei", "--schema", "nuclei3", "--out", tmp_path / "drawn")
    code, _, said = run(*command)
    assert code == 3 and "rois.zip: expected the size of the image" in said
    code, _, said = run(*command, "--image", tmp_path / "image.png")
    assert code == 0, said


@pytest.mark.parametrize(
    "command",
    [
        ("combine", "--nuclei", "masks/a.png", "--out", "o.ome.tif"),
        ("render", "masks/a.png", "--as", "nuclei", "--schema", "nuclei3", "--out", "o"),
        ("synthesize", "--masks", "masks", "--model", "fluo-nuclei", "--out", "o"),
        ("evaluate", "images", "images", "--labels", "masks", "--out", "o"),
    ],
    ids=lambda command: command[0],
)
def test_a_reference_in_place_of_masks_is_refused_by_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    levels = (separate() > 0).astype(np.uint8)
    for folder, data in (
        ("images", encode_png(levels)),
        ("masks", with_text(encode_png(levels), SCHEMA_KEYWORD, "s/1")),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(data)
    code, _, said = run(*command)
    assert code == 3 and "masks/a.png: expected masks" in said and "got a reference drawn under 's/1'" in said


def test_combine_and_render_warn_of_masks_without_objects(run: Run, tmp_path: Path) -> None:
    empty, out = tmp_path / "empty.tif", tmp_path / "out.ome.tif"
    empty.write_bytes(tiff(np.zeros((40, 50), np.uint16)))
    warning = "'empty.tif': no object is in it: every pixel is 0, the background"
    code, _, said = run("combine", "--nuclei", empty, "--out", out, "--quiet")
    assert code == 0 and said.strip() == warning
    code, _, said = run("render", empty, "--as", "nuclei", "--schema", "nuclei3", "--out", tmp_path / "o", "--quiet")
    assert code == 0 and said.strip() == warning


def test_a_wound_that_is_nowhere_is_none_to_warn_of(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cells.tif").write_bytes(tiff(separate()))
    (tmp_path / "wound.tif").write_bytes(tiff(np.zeros_like(separate())))
    given = ("--cells", tmp_path / "cells.tif", "--wound", tmp_path / "wound.tif", "--out", tmp_path / "out.ome.tif")
    code, _, said = run("combine", *given, "--quiet")
    assert code == 0 and said == ""
