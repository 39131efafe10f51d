"""Folders of the store as folders of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli import nearby as module
from services.cli.nearby import nearby
from services.cli.places import Prefix
from services.common.errors import InvalidImage
from services.common.storage.folder import FolderStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """What s3:// names: a store of another kind, since places do not care."""
    store = FolderStore(tmp_path / "store")
    monkeypatch.setattr(module, "open_place", lambda text, _: Prefix(store, "b", text.removeprefix("s3://b/") + "/"))
    return store


def test_a_folder_of_the_store_is_copied_under_its_name_and_goes_away(store: FolderStore) -> None:
    store.put("inputs/real/a.png", b"a", "image/png")
    store.put("inputs/real/below/b.png", b"b", "image/png")
    with nearby({}) as near:
        folder = near("s3://b/inputs/real")
        assert folder.name == "real"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.png": b"a"}
        assert near("s3://b/inputs/real") != folder  # two sets may have one name
    assert not folder.exists()


def test_a_folder_of_this_machine_stays_where_it_is(tmp_path: Path) -> None:
    with nearby({}) as near:
        assert near(str(tmp_path)) == tmp_path
    assert tmp_path.is_dir()


def test_where_nothing_is_the_place_is_named(store: FolderStore) -> None:
    with nearby({}) as near, pytest.raises(InvalidImage, match="expected files at s3://b/inputs/none; found none"):
        near("s3://b/inputs/none")
