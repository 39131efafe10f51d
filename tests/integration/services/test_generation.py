"""Generation over a real port: every tiling, and what cannot be generated."""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from biosynth import BiosynthCallError, Client
from biosynth.contract import MIB
from biosynth.results import TILINGS
from biosynth.v1.generation_pb2 import TILING_EXACT, GenerateRequest, GenerateResponse
from biosynth.v1.reference_pb2 import RenderRequest
from biosynth.v1.types_pb2 import Content, Raster, SampleType

from services.common.imaging.images import decode_image, encode_png
from services.common.imaging.labels import Segmentation
from services.common.imaging.ometiff import encode_segmentation
from services.common.serving.memory import ASIDE_BYTES
from services.common.storage.folder import FolderStore
from services.generation.config import GenerationConfig
from services.generation.model import SHIPPED, WEIGHTS, read_model
from tests.integration.services.conftest import stack
from tests.integration.services.test_start import last_words
from tests.support.pictures import announced, nuclei_picture
from tests.support.ports import free_ports
from tests.support.processes import resident, serving
from tests.unit.generation.fakes import BoxEngine, disks

# For computations 365 MiB are left: exact takes 356 of them for an image of 860 px a side, whole would take 374.
MEMORY = {
    "BIOSYNTH_MEMORY_BYTES": str(2048 * MIB),
    "BIOSYNTH_MAX_IN_FLIGHT_BYTES": str(2048 * MIB - ASIDE_BYTES - 365 * MIB),
}
LARGE = np.zeros((860, 860), np.uint8)
REFERENCE = disks(270, 300)
Server = tuple[Client, int]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A generator in a process of its own, at a TCP port, and that process's id."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    store = {"BIOSYNTH_STORE": "folder", "BIOSYNTH_STORE_PATH": str(tmp_path_factory.mktemp("store"))}
    own = {**store, **MEMORY, "BIOSYNTH_ADDRESS": address, "BIOSYNTH_DEVICE": "cpu"}
    with serving(["services.generation"], {**os.environ, **own}) as pid, Client(address, timeout_s=60, retries=0) as to:
        yield to, pid


@pytest.fixture
def generator(server: Server) -> Client:
    return server[0]


def refused(call: Callable[[], Any]) -> BiosynthCallError:
    with pytest.raises(BiosynthCallError) as caught:
        call()
    return caught.value


def test_every_tiling_is_answered_and_is_a_result_of_its_own(generator: Client) -> None:
    made = {name: generator.generate(REFERENCE, model="fluo-nuclei", tiling=name) for name in TILINGS}  # type: ignore[arg-type]
    again = {name: generator.generate(REFERENCE, model="fluo-nuclei", tiling=name) for name in TILINGS}  # type: ignore[arg-type]
    images = {name: one.image.astype(int) for name, one in made.items()}
    assert {name: one.tiling for name, one in made.items()} == {name: name for name in TILINGS}
    assert not any(one.cached for one in made.values()) and all(one.cached for one in again.values())
    assert all(made[name].image.tobytes() == again[name].image.tobytes() for name in TILINGS)
    assert np.abs(images["exact"] - images["whole"]).max() <= 1
    assert np.abs(images["concat"] - images["whole"]).max() > 10
    assert 0 < np.abs(images["blend"] - images["whole"]).max() < 10


def test_no_tiling_asked_for_is_the_exact_one(generator: Client) -> None:
    request = GenerateRequest(reference=Content(file=encode_png(REFERENCE)), model="fluo-nuclei", seed=8)
    first = generator.generation.Generate(request)
    request.tiling = TILING_EXACT
    second = generator.generation.Generate(request)
    assert (first.tiling, first.cached, second.tiling, second.cached) == (TILING_EXACT, False, TILING_EXACT, True)


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (257, 5)])
def test_the_smallest_images_are_generated_in_every_tiling(
    generator: Client, tiling: Any, size: tuple[int, int]
) -> None:
    assert generator.generate(np.zeros(size, np.uint8), model="fluo-nuclei", tiling=tiling).image.shape == size


def test_a_generation_with_progress_is_tiled_as_asked_for(generator: Client) -> None:
    request = GenerateRequest(reference=Content(file=encode_png(REFERENCE)), model="fluo-nuclei", seed=9)
    request.tiling = TILINGS["blend"]
    *_, last = generator.generation.GenerateWithProgress(request)
    assert last.result.tiling == TILINGS["blend"]


def test_more_than_the_network_may_see_at_once_is_refused_and_said_what_to_do(generator: Client) -> None:
    beyond = np.zeros((2049, 2048), np.uint8)
    error = refused(lambda: generator.generate(beyond, model="fluo-nuclei", tiling="whole"))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_TOO_LARGE")
    assert error.metadata == {"got": "4196352", "limit": "4194304"}
    assert list(error.fields) == ["reference"]
    assert "the tiling exact gives the same image at any size" in error.message


def test_what_the_network_sees_at_once_is_reckoned_with_and_tiles_need_less(generator: Client) -> None:
    error = refused(lambda: generator.generate(LARGE, model="fluo-nuclei", tiling="whole"))
    assert error.reason == "IMAGE_TOO_LARGE"
    assert "at most 365 MiB" in error.message and "about 374 MiB" in error.message
    assert generator.generate(LARGE, model="fluo-nuclei").image.shape == LARGE.shape


VAST = {
    "file": Content(file=announced(20_000)),
    "raster": Content(
        raster=Raster(
            height_px=20_000,
            width_px=20_000,
            sample_type=SampleType.SAMPLE_TYPE_UINT8,
            channels=["image"],
            zlib_samples=zlib.compress(bytes(MIB)),
        )
    ),
}


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("way", VAST)
def test_an_image_of_20000_px_a_side_is_refused_in_the_memory_of_its_file(
    server: Server, way: str, tiling: Any
) -> None:
    generator, pid = server
    before = resident(pid, peak=True) if Path("/proc").exists() else 0
    error = refused(lambda: ask(generator, VAST[way], tiling))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_TOO_LARGE")
    assert error.metadata["got"] and error.metadata["limit"]
    if before:
        assert resident(pid, peak=True) - before < 32 * MIB


def test_an_image_of_20000_px_a_side_is_refused_whatever_memory_there_is(client: Client) -> None:
    error = refused(lambda: ask(client, VAST["file"], "exact"))
    assert (error.reason, error.metadata) == ("IMAGE_TOO_LARGE", {"got": "400000000", "limit": "100000000"})


def ask(generator: Client, reference: Content, tiling: str) -> GenerateResponse:
    request = GenerateRequest(reference=reference, model="fluo-nuclei", tiling=TILINGS[tiling])
    return generator.generation.Generate(request)


def test_a_level_beyond_the_schema_is_refused(generator: Client) -> None:
    wrong = REFERENCE.copy()
    wrong[5, 7] = 3
    error = refused(lambda: generator.generate(wrong, model="fluo-nuclei"))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REFERENCE")
    assert "expected levels 0 to 2 (nuclei3, of model fluo-nuclei), got 3" in error.message


@pytest.mark.parametrize(("schema", "model"), [("cells4", "fluo-nuclei"), ("nuclei3", "phase-scratch")])
def test_a_reference_of_another_schema_is_refused_though_its_levels_would_fit(
    client: Client, store: FolderStore, schema: str, model: str
) -> None:
    reference = drawn(client, schema)
    error = refused(lambda: client.generate(reference, model=model))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REFERENCE")
    own = {one.name: f"{one.schema_name}/{one.schema_version}" for one in client.list_models()}[model]
    assert error.metadata == {"known": own, "asked": f"{schema}/1"}
    assert f"expected a reference drawn under schema {own}" in error.message and schema in error.message
    assert list(error.fields) == ["reference.file"]
    asked: dict[str, Any] = {"like": nuclei_picture(64, 64, 3), "like_reference": reference}
    error = refused(lambda: client.generate(np.zeros((64, 64), np.uint8), model=model, **asked))
    assert list(error.fields) == ["like.reference.file"]
    assert list(store.list("results/generate/")) == []


def drawn(client: Client, schema: str) -> bytes:
    """A reference as Render gives it, of a segmentation that any schema can be drawn from."""
    labels = np.zeros((64, 64), np.int32)
    labels[10:30, 10:30] = 1
    shown = encode_segmentation(Segmentation(cells=labels, nuclei=labels, wound=np.zeros(labels.shape, bool)))
    request = RenderRequest(segmentation=Content(file=shown), schema_name=schema)
    return client.reference.Render(request).reference.file


def test_a_reference_of_the_models_schema_is_taken_with_or_without_its_name(client: Client) -> None:
    reference = drawn(client, "nuclei3")
    named = client.generate(reference, model="fluo-nuclei")
    nameless = client.generate(decode_image(reference).view(np.uint8), model="fluo-nuclei")
    assert named.image.tobytes() == nameless.image.tobytes()
    assert not nameless.cached


def test_weights_that_are_absent_or_spoilt_are_told_with_both_sha256(
    store: FolderStore, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    expected = read_model(SHIPPED / "fluo-nuclei").description.sha256
    told = {"absent": "got none", "spoilt": f"got {hashlib.sha256(b'onnx').hexdigest()}"}
    for name, words in told.items():
        folder = tmp_path / name / "fluo-nuclei"
        shutil.copytree(SHIPPED / "fluo-nuclei", folder)
        (folder / WEIGHTS).unlink()
        if name == "spoilt":
            (folder / WEIGHTS).write_bytes(b"onnx")
        config = GenerationConfig((tmp_path / name,), device="cpu")
        with stack(store, tmp_path_factory.mktemp("s"), config) as client:
            error = refused(lambda: client.generate(REFERENCE, model="fluo-nuclei"))
        assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CONFIGURATION")
        assert f"with sha256 {expected}" in error.message
        assert words in error.message
        assert str(tmp_path) not in error.message


def test_results_of_each_engine_and_precision_are_kept_apart(
    store: FolderStore, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, precision in (("numpy", "float32"), ("numpy", "bfloat16"), ("other", "float32")):
        engine = BoxEngine(name=name, precision=precision)
        monkeypatch.setattr("services.generation.opening.choose_engine", lambda *_, engine=engine: lambda _: engine)
        with stack(store, tmp_path_factory.mktemp("s")) as client:
            made = [client.generate(REFERENCE, model="fluo-nuclei") for _ in range(2)]
        assert [one.cached for one in made] == [False, True]
        assert {(one.engine, one.precision) for one in made} == {(name, precision)}


def test_a_generator_does_not_start_with_spoilt_weights(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "fluo-nuclei"
    shutil.copytree(SHIPPED / "fluo-nuclei", folder)
    (folder / WEIGHTS).write_bytes(b"onnx")
    settings = {"BIOSYNTH_MODELS": str(tmp_path / "models"), "BIOSYNTH_STORE_PATH": str(tmp_path)}
    last = last_words("generation", {**os.environ, **settings, "BIOSYNTH_DEVICE": "cpu"}).splitlines()[-1]
    assert last.startswith(f"cannot start: expected {WEIGHTS} of model fluo-nuclei with sha256 ")
