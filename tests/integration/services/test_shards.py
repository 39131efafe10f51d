"""Many images by one call: GenerateShard over a real port."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.contract import SCHEMA_KEYWORD
from biosynth.v1 import generation_pb2
from biosynth.v1.generation_pb2 import Likeness, ShardEntry, ShardManifest
from biosynth.v1.types_pb2 import Appearance, Content, ObjectRef
from google.protobuf import json_format
from numpy.typing import NDArray

from services.common.imaging.formats.png_text import text_of
from services.common.imaging.images import decode_image, encode_png
from services.common.storage.folder import FolderStore
from services.generation.shards import MOST_IMAGES, seed_of
from tests.integration.services.conftest import stack
from tests.support.pictures import nuclei_picture
from tests.unit.generation.fakes import disks

MODEL = "fluo-nuclei"
REFERENCES: dict[str, Any] = {"first": disks(90, 70), "second": disks(64, 130)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    store = FolderStore(tmp_path_factory.mktemp("store"))
    store.check()
    return store


@pytest.fixture(scope="module")
def client(store: FolderStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with stack(store, tmp_path_factory.mktemp("s")) as client:
        yield client


def files_of(store: FolderStore, shard: ObjectRef) -> dict[str, bytes]:
    data = store.get(shard.key, 10**7)
    assert hashlib.sha256(data).hexdigest() == shard.sha256
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def refused(client: Client, **fields: Any) -> BiosynthCallError:
    with pytest.raises(BiosynthCallError) as caught:
        list(client.generation.GenerateShard(generation_pb2.GenerateShardRequest(**fields)))
    return caught.value


def entry(name: str, reference: NDArray[np.uint8] | None = None, **fields: Any) -> ShardEntry:
    pixels = REFERENCES["first"] if reference is None else reference
    return ShardEntry(name=name, reference=Content(file=encode_png(pixels)), **fields)


def test_a_shard_holds_of_every_reference_the_image_that_a_call_for_it_alone_gives(
    client: Client, store: FolderStore
) -> None:
    told: list[tuple[int, int]] = []
    shard = client.generate_shard(REFERENCES, model=MODEL, seed=5, on_progress=lambda *steps: told.append(steps))
    files = files_of(store, shard)
    assert list(files) == [f"{name}.{end}" for name in REFERENCES for end in ("png", "reference.png", "json")]
    assert told == [(1, 2), (2, 2), (2, 2)]
    for name, reference in REFERENCES.items():
        alone = client.generate(reference, model=MODEL, seed=seed_of(5, name))
        assert np.array_equal(decode_image(files[f"{name}.png"]), alone.image)
        assert np.array_equal(decode_image(files[f"{name}.reference.png"]), reference)
        line = json.loads(files[f"{name}.json"])
        assert text_of(files[f"{name}.reference.png"], SCHEMA_KEYWORD) == "nuclei3/1"
        assert (line["seed"], line["model"], line["schema"]) == (seed_of(5, name), MODEL, "nuclei3/1")
        assert line["look"]["appearance"]["contrast"] == alone.appearance.contrast


def test_a_shard_asked_for_again_is_the_stored_one(client: Client) -> None:
    request = generation_pb2.GenerateShardRequest(entries=[entry("a")], model=MODEL)
    *_, first = client.generation.GenerateShard(request)
    again = list(client.generation.GenerateShard(request))
    request.seed = 1
    *_, other = client.generation.GenerateShard(request)
    assert (first.cached, [one.cached for one in again], other.cached) == (False, [True], False)
    assert again[0].shard == first.shard != other.shard


def test_a_manifest_in_the_store_says_looks_and_seeds_of_its_own(client: Client, store: FolderStore) -> None:
    picture = Likeness(image=Content(file=encode_png(nuclei_picture(70, 90, 3))))
    entries = [entry("a", seed=3, appearance=Appearance(background=0.5)), entry("b", disks(70, 90), like=picture)]
    store.put(
        "inputs/list.json", json_format.MessageToJson(ShardManifest(entries=entries)).encode(), "application/json"
    )
    files = files_of(store, client.generate_shard(ObjectRef(key="inputs/list.json"), model=MODEL))
    first, second = (json.loads(files[f"{name}.json"]) for name in "ab")
    assert (first["seed"], second["seed"]) == (3, seed_of(0, "b"))
    assert first["look"]["appearance"]["background"] == 0.5
    assert (first["drawn_from"] == "", second["drawn_from"]) == (False, "")
    assert abs(float(np.median(decode_image(files["a.png"]))) - 127.5) < 16


def test_what_is_wrong_with_one_entry_is_told_of_it_before_any_image_is_made(
    client: Client, store: FolderStore
) -> None:
    wrong, before = np.full((20, 20), 9, np.uint8), list(store.list("results/generate-shard/"))
    error = refused(client, entries=[entry("a"), entry("b", wrong)], model=MODEL)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REFERENCE")
    assert list(error.fields) == ["entries[1].reference"]
    assert list(store.list("results/generate-shard/")) == before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "entries"),
        ({"entries": [entry(f"n{number}") for number in range(MOST_IMAGES + 1)]}, "entries"),
        ({"entries": [entry("a/b")]}, "entries[0].name"),
        ({"entries": [entry("a"), entry("a")]}, "entries[1].name"),
        ({"entries": [entry("a"), entry("b", appearance=Appearance(noise=7.0))]}, "entries[1].appearance.noise"),
        ({"entries": [entry("a")], "manifest": ObjectRef(key="inputs/list.json")}, "manifest"),
        ({"manifest": ObjectRef(key="inputs/text.json")}, "manifest"),
        ({"manifest": ObjectRef(key="inputs/nowhere.json")}, "manifest.key"),
    ],
)
def test_a_list_that_is_none_is_refused_with_the_field(
    client: Client, store: FolderStore, fields: dict[str, Any], field: str
) -> None:
    store.put("inputs/text.json", b"no json", "application/json")
    error = refused(client, model=MODEL, **fields)
    assert list(error.fields) == [field], error.message


def test_images_too_large_together_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.generation.shards.MOST_PIXELS", 10_000)
    error = refused(client, entries=[entry("a"), entry("b")], model=MODEL)
    assert "10000 pixels together, got 12600; make several shards" in error.message


def test_an_unknown_model_is_refused(client: Client) -> None:
    assert refused(client, entries=[entry("a")], model="nope").code is grpc.StatusCode.NOT_FOUND
