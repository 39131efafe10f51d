"""Models that come and go while a server runs: LoadModel and UnloadModel over a real port."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client

from services.common.storage.folder import FolderStore
from services.generation.config import GenerationConfig
from services.generation.model import SHIPPED, WEIGHTS, StoredModel, read_model, write_description
from services.generation.repository import push_model
from tests.integration.services.conftest import stack
from tests.unit.generation.fakes import disks

NAME = "fluo-nuclei"
REFERENCE = disks(64, 64)


def version(number: str, folder: Path) -> StoredModel:
    """The shipped model under another version."""
    shutil.copytree(SHIPPED / NAME, folder / number)
    write_description(folder / number, replace(read_model(folder / number).description, version=number))
    return read_model(folder / number)


@pytest.fixture
def client(store: FolderStore, tmp_path: Path) -> Iterator[Client]:
    """Of a server whose models come from the store, which has version 1 at its start."""
    push_model(store, version("1", tmp_path))
    with stack(store, tmp_path, GenerationConfig(model_folders=(), from_store=True)) as client:
        yield client


def versions(client: Client) -> list[str]:
    return [model.version for model in client.list_models()]


def refused(client: Client, name: str, version: str = "") -> BiosynthCallError:
    with pytest.raises(BiosynthCallError) as caught:
        client.load_model(name, version)
    return caught.value


def test_a_model_pushed_while_the_server_runs_is_loaded_and_is_then_the_default(
    client: Client, store: FolderStore, tmp_path: Path
) -> None:
    push_model(store, version("10", tmp_path))
    push_model(store, version("9", tmp_path))
    assert versions(client) == ["1"]
    assert client.load_model(NAME).version == "10"
    assert client.load_model(NAME, "9").version == "9"
    assert client.load_model(NAME).version == "10"  # again: nothing changes
    assert versions(client) == ["10", "9", "1"]
    made = client.generate(REFERENCE, model=NAME)
    assert made.model.version == "10"
    assert np.array_equal(made.image, client.generate(REFERENCE, model=NAME, model_version="1").image)


def test_a_dropped_model_is_loaded_again_by_who_asks_for_it(client: Client) -> None:
    first = client.generate(REFERENCE, model=NAME, seed=1)
    client.unload_model(NAME)
    client.unload_model(NAME, "1")  # again: nothing changes
    assert versions(client) == ["1"]
    again = client.generate(REFERENCE, model=NAME, seed=2)
    assert again.model == first.model and not again.cached


def test_a_broken_model_is_refused_and_the_former_one_stays_the_default_until_it_is_pushed_again(
    client: Client, store: FolderStore, tmp_path: Path
) -> None:
    sound = version("2", tmp_path)
    push_model(store, sound)
    there = tmp_path / "store" / "objects" / "models" / NAME / "2"
    (there / WEIGHTS).write_bytes(b"torn")
    error = refused(client, NAME)
    assert "sha256" in error.message.lower()
    assert versions(client) == ["1"]
    assert client.generate(REFERENCE, model=NAME).model.version == "1"
    shutil.rmtree(there)
    push_model(store, sound)
    assert client.load_model(NAME).version == "2"


def test_models_and_versions_that_the_store_lacks_are_unknown_and_those_there_are_told(client: Client) -> None:
    error = refused(client, "nope")
    assert (error.code, list(error.fields)) == (grpc.StatusCode.NOT_FOUND, ["name"])
    assert "among fluo-nuclei" in error.message
    error = refused(client, NAME, "7")
    assert (error.code, list(error.fields)) == (grpc.StatusCode.NOT_FOUND, ["version"])
    assert "among 1" in error.message
