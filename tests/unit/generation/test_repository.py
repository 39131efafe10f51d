"""Models pushed to a store and pulled from it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from services.common.errors import ConfigError, StoreUnavailable
from services.common.storage.folder import FolderStore
from services.common.storage.store import StoredObject
from services.generation.model import FORMAT, ModelShelf, StoredModel, read_model, write_description
from services.generation.repository import pull_models, push_model
from tests.unit.generation.fakes import description


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def model(folder: Path, name: str = "disks", version: str = "1", weights: bytes = b"weights") -> StoredModel:
    """A model's folder, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256(weights).hexdigest()
    made = replace(description(name=name, version=version, sha256=sha256), safetensors_sha256=sha256)
    for file in ("model.onnx", "model.safetensors"):
        (folder / file).write_bytes(weights)
    (folder / "CARD.md").write_text(f"# {name} {version}\n")
    write_description(folder, made)
    return read_model(folder)


def test_what_was_pushed_is_pulled_byte_for_byte(store: FolderStore, tmp_path: Path) -> None:
    pushed = model(tmp_path / "made")
    (pushed.folder / "samples.png").write_bytes(b"picture")
    push_model(store, pushed)
    pulled = ModelShelf(pull_models(store, tmp_path / "copies")).get("disks")
    assert pulled.fingerprint == pushed.fingerprint
    assert (pulled.folder / "samples.png").read_bytes() == b"picture"
    assert (pulled.weights(), pulled.torch_weights(), pulled.card()) == (b"weights", b"weights", "# disks 1\n")


def test_of_several_versions_the_three_newest_by_number_are_pulled(store: FolderStore, tmp_path: Path) -> None:
    for version in ("2", "10", "1", "9.5"):
        push_model(store, model(tmp_path / version, version=version))
    push_model(store, model(tmp_path / "other", name="other"))
    shelf = ModelShelf(pull_models(store, tmp_path / "copies"))
    assert [(found.description.name, found.description.version) for found in shelf.list()] == [
        ("disks", "10"),
        ("disks", "9.5"),
        ("disks", "2"),
        ("other", "1"),
    ]


def test_versions_in_a_format_of_another_release_are_left_out_and_told(
    store: FolderStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    push_model(store, model(tmp_path / "1", version="1"))
    newer = (tmp_path / "1" / "model.json").read_bytes().replace(FORMAT.encode(), b"biosynth.generator/99")
    store.put("models/disks/2/model.json", newer, "application/json")
    shelf = ModelShelf(pull_models(store, tmp_path / "copies"))
    assert [found.description.version for found in shelf.list()] == ["1"]
    assert "leaving out models/disks/2/, of format biosynth.generator/99" in caplog.text


def test_pushing_the_same_again_does_nothing_and_another_file_under_that_version_is_refused(
    store: FolderStore, tmp_path: Path
) -> None:
    push_model(store, model(tmp_path / "made"))
    push_model(store, model(tmp_path / "made"))
    with pytest.raises(ConfigError, match="give the model a new version"):
        push_model(store, model(tmp_path / "other", weights=b"others"))
    pulled = ModelShelf(pull_models(store, tmp_path / "copies")).get("disks")
    assert pulled.weights() == b"weights"


def test_a_reworded_card_or_another_picture_alone_is_no_other_model(store: FolderStore, tmp_path: Path) -> None:
    first = model(tmp_path / "made")
    (first.folder / "samples.png").write_bytes(b"picture")
    push_model(store, first)
    reworded = model(tmp_path / "made")
    (first.folder / "samples.png").write_bytes(b"another")
    (tmp_path / "made" / "CARD.md").write_text("# In better words\n")
    push_model(store, reworded)
    assert ModelShelf(pull_models(store, tmp_path / "copies")).get("disks").card() == "# disks 1\n"


def test_models_that_are_required_are_waited_for_though_others_are_there(store: FolderStore, tmp_path: Path) -> None:
    push_model(store, model(tmp_path / "disks"))
    with pytest.raises(ConfigError, match="expected models disks, squares under models/ in the store, found disks"):
        pull_models(store, tmp_path / "copies", ("disks", "squares"))
    push_model(store, model(tmp_path / "squares", name="squares"))
    pull_models(store, tmp_path / "copies", ("disks", "squares"))
    assert len(ModelShelf(tmp_path / "copies").list()) == 2


def test_a_push_that_broke_off_is_no_model_yet_and_can_be_pushed_again(store: FolderStore, tmp_path: Path) -> None:
    class Breaking(FolderStore):
        def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
            if key.endswith("model.json"):
                raise StoreUnavailable("gone")
            return super().put(key, data, content_type)

    whole = model(tmp_path / "made")
    with pytest.raises(StoreUnavailable):
        push_model(Breaking(tmp_path / "store"), whole)
    with pytest.raises(ConfigError, match="biosynth push"):
        pull_models(store, tmp_path / "copies")
    push_model(store, whole)
    assert ModelShelf(pull_models(store, tmp_path / "copies")).get("disks").weights() == b"weights"


def test_a_folder_whose_weights_are_not_the_described_ones_is_not_pushed(store: FolderStore, tmp_path: Path) -> None:
    made = model(tmp_path / "made")
    (tmp_path / "made" / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ConfigError, match=r"model\.safetensors"):
        push_model(store, made)
    assert list(store.list("models/")) == []


def test_a_description_under_another_models_key_is_refused(store: FolderStore, tmp_path: Path) -> None:
    made = model(tmp_path / "made")
    for file in ("model.onnx", "model.safetensors", "model.json"):
        store.put(f"models/another/7/{file}", (made.folder / file).read_bytes(), "x/y")
    with pytest.raises(ConfigError, match="expected model another 7 under models/another/7/"):
        pull_models(store, tmp_path / "copies")


@pytest.mark.parametrize(("name", "version"), [("../up", "1"), ("Disks", "1"), ("disks", "one"), ("disks", "1/2")])
def test_names_and_versions_that_cannot_be_keys_are_refused(
    store: FolderStore, tmp_path: Path, name: str, version: str
) -> None:
    with pytest.raises(ConfigError, match="expected a model's name"):
        push_model(store, model(tmp_path / "made", name, version))
