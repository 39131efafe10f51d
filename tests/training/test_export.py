"""From torch to a model folder that serves without it."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

import onnx

from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.engines.openvino_cpu import OpenVinoEngine
from services.common.errors import ConfigError, UnknownName
from services.common.imaging.tiling import run_tiles
from services.generation.conditions import plane_count
from services.generation.device import choose_engine
from services.generation.generate import generate
from services.generation.loaded import LoadedModels
from services.generation.model import ModelShelf
from services.generation.network import STRIDE, Generator, NetworkConfig
from services.training.datasets.dataset import read_manifest
from services.training.generator.crops import load_fields
from services.training.generator.export import export
from services.training.generator.publish import Naming, describe, publish
from services.training.onnx_export import export_onnx
from tests.unit.generation.fakes import (
    disks,
    windows_of,
)

CONFIG = NetworkConfig(plane_count(3), width=20, blocks=1)


def _network(config: NetworkConfig = CONFIG) -> Generator:
    """A network whose residual branches do something, as after training."""
    torch.manual_seed(1)
    network: Generator = Generator(config).to(memory_format=torch.channels_last)
    for block in network.blocks:
        torch.nn.init.normal_(block.second.weight, std=0.05)
    return network


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export(_network(), folder)
    return folder


@pytest.mark.parametrize("size", [(4, 4), (8, 36), (68, 52), (128, 256)])
def test_onnx_answers_as_torch_does_at_any_size(exported: Path, size: tuple[int, int]) -> None:
    planes = np.random.default_rng(0).standard_normal((1, CONFIG.planes, *size), np.float32)
    with torch.no_grad():
        expected = _network()(torch.from_numpy(planes)).numpy()
    assert np.abs(OnnxCpuEngine(exported / "model.onnx", threads=1).run(planes) - expected).max() < 1e-4


def test_two_exports_are_one_file_and_name_no_path_of_this_machine(exported: Path, tmp_path: Path) -> None:
    sha256, torch_sha256 = export(_network(), tmp_path)
    for name in ("model.onnx", "model.safetensors"):
        assert (tmp_path / name).read_bytes() == (exported / name).read_bytes()
    data = (tmp_path / "model.onnx").read_bytes()
    assert hashlib.sha256(data).hexdigest() == sha256
    assert hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest() == torch_sha256
    for word in (
        str(Path.cwd()),
        str(Path.home()),
        str(Path(torch.__file__).parent),
        "services/",
        ".py",
        "site-packages",
    ):
        assert word.encode() not in data


def test_a_file_that_answers_otherwise_than_torch_never_takes_anothers_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the one before")
    monkeypatch.setattr("services.training.onnx_export.TOLERANCE", -1.0)
    with pytest.raises(ConfigError, match="expected ONNX Runtime within"):
        export_onnx(_network(), CONFIG.planes, STRIDE, ["image"], path)
    assert path.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_export_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    network = _network().train().double()
    export(network, tmp_path)
    assert network.training
    assert next(network.parameters()).dtype == torch.float64


@pytest.mark.parametrize("size", [(4, 4), (8, 132), (200, 204)])
def test_tiles_give_the_image_of_the_whole(exported: Path, size: tuple[int, int]) -> None:
    engine = OnnxCpuEngine(exported / "model.onnx", threads=1)
    planes = windows_of(np.random.default_rng(0).standard_normal((CONFIG.planes, *size), np.float32))
    tiled, whole = (run_tiles(engine.run, planes, size, side, CONFIG.halo_px, STRIDE)[0] for side in (64, 1024))
    assert tiled.shape == size
    assert np.abs(tiled - whole).max() < 1e-4


def test_tiles_of_the_default_network_give_the_image_of_the_whole(tmp_path: Path) -> None:
    config = NetworkConfig(plane_count(3))
    export(_network(config), tmp_path)
    assert (tmp_path / "model.onnx").stat().st_size < 10_000_000
    engine = OnnxCpuEngine(tmp_path / "model.onnx", threads=1)
    planes, size = (
        windows_of(np.random.default_rng(0).standard_normal((config.planes, 232, 300), np.float32)),
        (232, 300),
    )
    tiled, whole = (run_tiles(engine.run, planes, size, side, config.halo_px, STRIDE)[0] for side in (128, 1024))
    assert np.abs(tiled - whole).max() < 1e-4


def test_a_published_model_is_read_by_the_shelf_and_generates(dataset: Path, tmp_path: Path) -> None:
    manifest = read_manifest(dataset)
    fields = load_fields(dataset, manifest.chosen("train"), manifest.roles)
    folder = tmp_path / "disks"
    made = publish(_network(), Naming("disks", "3", "Disks."), manifest, fields, {"steps": 0}, folder)
    describe(folder, made, manifest.provenance, [("fields", "1")], "Round.")

    models = LoadedModels(ModelShelf(tmp_path), choose_engine("cpu"))
    loaded = models.get(models.shelf.get("disks"))
    assert models.get(models.shelf.get("disks")) is loaded
    assert loaded.stored.description == made
    assert made.schema_name == "nuclei3"
    assert (made.halo_px, made.stride_px) == (CONFIG.halo_px, STRIDE)
    assert len(made.records) == 2  # the field without objects has no look to draw
    assert loaded.stored.card().startswith("# disks 3\n\nDisks.\n")
    image = generate(disks(41, 67), made, loaded.engine, seed=1, tile_px=32).image
    assert image.shape == (41, 67)
    assert image.tobytes() == generate(disks(41, 67), made, loaded.engine, seed=1, tile_px=32).image.tobytes()
    with pytest.raises(UnknownName):
        models.shelf.get("squares")


def test_a_model_that_names_a_file_as_its_weights_reads_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_bytes(b"secret")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="External data"):
        OnnxCpuEngine(_with_weights_in("token"))


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
def test_openvino_is_not_given_such_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_bytes(b"secret")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="expected a model that holds its weights; got one that names another file"):
        OpenVinoEngine(_with_weights_in("token"))


def _with_weights_in(file: str) -> bytes:
    tensor = onnx.TensorProto(name="image", data_type=onnx.TensorProto.UINT8, dims=[6])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=file)
    made, planes = (onnx.helper.make_tensor_value_info(name, 1, [6]) for name in ("made", "planes"))
    node = onnx.helper.make_node("Cast", ["image"], ["made"], to=1)
    graph = onnx.helper.make_graph([node], "g", [planes], [made], [tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())
