"""Which files `biosynth generate` takes as references, and what it says of those that it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.cli.commands import generate
from services.cli.references import find_references
from services.common.errors import InvalidReference
from tests.support.commands import runner

DRAWN = r"of masks, `biosynth render --as nuclei` or `--as cells` draws references"


def folder_of(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("there", "references", "left_out"),
    [
        (("a.png", "b.tif", "c.npy", "notes.txt", ".d.tif"), ["a.png"], ["b.tif", "c.npy"]),
        (("a.reference.png", "a.reference_grey.png", "b.png", "c.ome.tif"), ["a.reference.png"], ["c.ome.tif"]),
        (("a.png", "b.png"), ["a.png", "b.png"], []),
        (("a.reference.png", "a.tif", "b.tif"), ["a.reference.png"], ["b.tif"]),  # a.tif is what it was drawn of
    ],
)
def test_references_are_png_files_and_other_images_and_masks_are_left_out(
    tmp_path: Path, there: tuple[str, ...], references: list[str], left_out: list[str]
) -> None:
    folder = folder_of(tmp_path / "in", *there)
    for given in ([folder], [folder / "*"], sorted(folder.iterdir())):
        found, others = find_references(given)
        assert [path.name for path in found] == references
        assert [path.name for path in others if path.name[0] != "."] == left_out


@pytest.mark.parametrize("there", [("a.npy", "b.npy", "c.npy"), ("a.tif", "b.npy", "c.tif")])
def test_where_nothing_is_a_reference_the_error_says_what_is_there_and_what_draws_them(
    tmp_path: Path, there: tuple[str, ...]
) -> None:
    folder = folder_of(tmp_path / "in", *there)
    said = rf"\(\*reference.png\) in .*; found none; left out 3 files that are no PNG: '{there[0]}', .*; {DRAWN}"
    for given in ([folder], [folder / "*"], [folder, folder / there[0]]):
        with pytest.raises(InvalidReference, match=said):
            find_references(given)
    with pytest.raises(InvalidReference, match=r"found none$"):
        find_references([folder_of(tmp_path / "empty")])


def test_a_file_alone_is_taken_as_it_is(tmp_path: Path) -> None:
    alone = [tmp_path / "a.tif"]
    assert find_references(alone) == (alone, [])


def test_generate_warns_of_what_it_leaves_out_even_when_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def no_session(*_: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(generate, "open_session", no_session)
    monkeypatch.setattr(generate, "_asked", lambda *_: (None, ""))
    monkeypatch.setattr(generate, "_one", lambda path, *_: {"file": str(path)})
    folder = folder_of(tmp_path / "in", "a.png", "b.tif")
    given = ("generate", folder, "--model", "fluo-nuclei", "--out", tmp_path / "out", "--quiet")
    code, _, said = runner(capsys)(*given)
    assert code == 0
    assert said.strip() == (
        "left out 1 file that is no PNG: 'b.tif'; of masks, `biosynth render --as nuclei` or `--as cells` draws "
        "references"
    )


def test_the_help_of_generate_says_where_references_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    _, said, _ = runner(capsys)("generate", "--help")
    words = " ".join(said.split())
    assert "biosynth render` draws of a segmentation" in words and "`--as cells`, of masks" in words
