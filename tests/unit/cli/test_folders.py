"""What images show, read from label maps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from services.cli.folders import read_labels
from services.common.errors import InvalidImage


def test_colours_are_no_labels_and_grey_stored_as_colour_is(tmp_path: Path) -> None:
    grey = np.array([[0, 1], [2, 2]], np.uint8)
    coloured = np.dstack([grey, grey, 3 * grey])
    for path in (tmp_path / "a.png", tmp_path / "a.tif"):
        cv2.imwrite(str(path), np.dstack([grey, grey, grey]))
        assert np.array_equal(read_labels(path, "nuclei"), grey)
        cv2.imwrite(str(path), coloured)
        with pytest.raises(InvalidImage, match=rf"{path}: expected a label map .*; got colours"):
            read_labels(path, "nuclei")
