"""Model folders whose files change together."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.training.replacing import replaced

LAST = "model.json"


def _write(folder: Path, text: str) -> None:
    for name in (LAST, "CARD.md", "model.onnx"):
        (folder / name).write_text(text)


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_files_take_the_places_of_those_before_and_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "mine"
    with replaced(folder, LAST) as made:
        _write(made, "old")
    (folder / "notes.txt").write_text("kept")
    with replaced(folder, LAST) as made:
        _write(made, "new")
        assert _texts(made).keys() == {LAST, "CARD.md", "model.onnx"}
        assert (folder / LAST).read_text() == "old"
    assert _texts(folder) == {LAST: "new", "CARD.md": "new", "model.onnx": "new", "notes.txt": "kept"}


def test_what_fails_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    _write(tmp_path, "old")

    def fail() -> None:
        with replaced(tmp_path, LAST) as made:
            _write(made, "new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert set(_texts(tmp_path).values()) == {"old"}


def test_what_a_kill_left_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "model.onnx").write_text("torn")
    with replaced(tmp_path, LAST) as made:
        (made / LAST).write_text("new")
    assert _texts(tmp_path) == {LAST: "new"}


def test_the_description_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    rename = Path.replace

    def noted(path: Path, to: Path) -> Path:
        order.append(to.name)
        return rename(path, to)

    monkeypatch.setattr(Path, "replace", noted)
    for last in (LAST, "CARD.md"):
        with replaced(tmp_path, last) as made:
            _write(made, "new")
        assert order[-1] == last
