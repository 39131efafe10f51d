"""ND2 by a stand-in with the reader's signature, for nothing here writes such files: how planes are found."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
import pytest

from services.cli.images import opening
from services.cli.images.reading import read_image
from services.cli.images.wish import Wish
from services.common.errors import InvalidImage
from tests.support.lab_images import NAMES, ND2, PIXEL_UM, SIZE, STACK


class Nd2File:
    """Two positions of STACK, the second one brighter by 1000; frames have all channels, as the reader gives them."""

    sizes: ClassVar = {"P": 2, "T": 3, "Z": 4, "C": 2, "Y": SIZE[0], "X": SIZE[1]}
    dtype = np.dtype(np.uint16)
    loop_indices = tuple(
        {"P": position, "T": time, "Z": depth} for position in range(2) for time in range(3) for depth in range(4)
    )
    metadata = SimpleNamespace(channels=[SimpleNamespace(channel=SimpleNamespace(name=name)) for name in NAMES])

    def __init__(self, path: Path) -> None:
        if len(path.read_bytes()) < len(ND2):
            raise ValueError("no chunk map")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def voxel_size(self) -> Any:
        return SimpleNamespace(x=PIXEL_UM, y=PIXEL_UM, z=1.0)

    def read_frame(self, number: int) -> Any:
        place = self.loop_indices[number]
        return STACK[place["T"], place["Z"]] + np.uint16(1000 * place["P"])


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nd2", SimpleNamespace(ND2File=Nd2File))
    monkeypatch.setattr(opening, "find_spec", lambda package: package)


def test_a_plane_is_found_by_position_time_depth_and_channel(tmp_path: Path) -> None:
    (tmp_path / "a.nd2").write_bytes(ND2)
    image = read_image(tmp_path / "a.nd2", Wish(channel="phase", scene="1", z="2", time="1"))
    np.testing.assert_array_equal(image.pixels(), STACK[1, 2, 1] + 1000)
    assert image.pixel_size_um == (PIXEL_UM, PIXEL_UM)


def test_a_file_of_several_positions_asks_which(tmp_path: Path) -> None:
    (tmp_path / "a.nd2").write_bytes(ND2)
    with pytest.raises(InvalidImage, match=r"--scene 0 to 1.*2 channels \(C: DAPI, phase\)"):
        read_image(tmp_path / "a.nd2", Wish())


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.nd2").write_bytes(ND2[:20])
    with pytest.raises(InvalidImage, match=r"a\.nd2: expected an ND2 that is whole.*no chunk map"):
        read_image(tmp_path / "a.nd2", Wish())
