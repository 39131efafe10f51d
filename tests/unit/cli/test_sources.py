"""Which images a command takes, and how their results are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.sources import are_many, find_images, result_names
from services.common.errors import InvalidImage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("x/a.png", "x/a.tif", "x/b.ome.tif", "x/.hidden.png", "x/notes.txt", "y/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["x"], ["a.png", "a.tif", "b.ome.tif"]),
        (["*/a.png"], ["a.png", "a.png"]),
        (["**/*.tif"], ["a.tif", "b.ome.tif"]),
        (["x/*"], ["a.png", "a.tif", "b.ome.tif"]),
        (["x/notes.txt"], ["notes.txt"]),  # named by itself, it is tried
        (["x", "x/a.png", "y/a.png"], ["a.png", "a.tif", "b.ome.tif", "a.png"]),  # each once
    ],
)
def test_folders_patterns_and_files_are_found(folder: Path, given: list[str], names: list[str]) -> None:
    assert [path.name for path in find_images([folder / one for one in given])] == names


def test_a_pattern_or_a_folder_without_images_is_refused_and_named(folder: Path) -> None:
    with pytest.raises(InvalidImage, match=r"that match .*nothing\*"):
        find_images([folder / "nothing*"])
    with pytest.raises(InvalidImage, match="found none"):
        find_images([folder])


def test_a_file_alone_is_not_many_even_where_its_name_looks_like_a_pattern(folder: Path) -> None:
    odd = folder / "frame[1].png"
    odd.touch()
    assert not are_many([odd]) and find_images([odd]) == [odd]
    assert are_many([folder]) and are_many([folder / "*.png"]) and are_many([odd, odd])


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.png", "b.png"], ["a", "b"]),
        (["a.png", "a.tif", "A.JPG"], ["a_png", "a_tif", "A_JPG"]),
        (["a.png", "a.tif", "a_png.png"], ["a_png_", "a_tif", "a_png"]),
        (["a.ome.tif", "a.tif"], ["a_ome_tif", "a_tif"]),
        (["x/a.png", "y/a.png", "y/a.tif"], ["x/a", "y/a_png", "y/a_tif"]),
        (["x/../y/a.png", "z.png"], ["y/a", "z"]),
    ],
)
def test_no_two_images_have_results_of_one_name(paths: list[str], names: list[str]) -> None:
    assert result_names([Path(path) for path in paths]) == names
    assert len({name.lower() for name in names}) == len(names)
