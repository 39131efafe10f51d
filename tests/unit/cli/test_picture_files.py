"""Generated images under the name that the caller chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from services.cli.files import check_folder
from services.cli.picture_files import check_picture_name, write_picture
from services.common.errors import ConfigError, InvalidArgument
from services.common.imaging.images import encode_png

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("name", ["x.tif", "x.TIFF"])
def test_a_tiff_is_written_where_the_name_says_so(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / name, encode_png(IMAGE))
    assert np.array_equal(tifffile.imread(tmp_path / name), IMAGE)


def test_a_png_stays_as_it_is(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.png", encode_png(IMAGE))
    assert (tmp_path / "x.png").read_bytes() == encode_png(IMAGE)


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.ome.tif", "x.png.gz"])
def test_other_kinds_are_refused_before_work(name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"\.png, \.tif or \.tiff; got x"):
        check_picture_name(Path(name))


def test_no_folder_is_made_under_the_name_of_a_picture(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the name of a picture"):
        check_folder(tmp_path / "x.tif")
    assert not list(tmp_path.iterdir())
    (tmp_path / "y.tif").mkdir()
    assert check_folder(tmp_path / "y.tif").is_dir()
