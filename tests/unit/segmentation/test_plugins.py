from __future__ import annotations

import pickle
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from services.common.errors import ConfigError, PluginFault, Unsupported
from services.segmentation.config import SegmentationConfig
from services.segmentation.plugins import with_cellpose, with_stardist
from services.segmentation.plugins.plugin import as_segmenter
from tests.support.distributions import install

IMAGE = np.arange(20, dtype=np.uint8).reshape(4, 5)
CODE = """
class Cells:
    parts, description = ("cells",), "All of it."
    def __call__(self, image, diameter_px):
        return {"cells": (image >= 0).astype(int)}
wordless = lambda: (lambda image, diameter_px: {})
instance = Cells()
"""


class Plugin:
    parts: Any = ("cells", "wound")
    description = "A test's."

    def __init__(self, found: Any) -> None:
        self._found = found

    def __call__(self, image: Any, diameter_px: float | None) -> Any:
        return self._found


def find(cells: Any, wound: Any = IMAGE > 9) -> Any:
    return as_segmenter("mine", "package 1", Plugin({"cells": cells, "wound": wound})).find(IMAGE, None).segmentation


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64])
def test_labels_of_any_integers_are_numbered_anew_without_gaps(dtype: Any) -> None:
    labels = np.zeros((4, 5), dtype)
    labels[0, :2], labels[3, 3:], labels[2, 0] = 9, 4, 9
    assert find(labels).cells.tolist() == [[1, 1, 0, 0, 0], [0] * 5, [2, 0, 0, 0, 0], [0, 0, 0, 3, 3]]


@pytest.mark.parametrize(
    ("cells", "wound", "words"),
    [
        (IMAGE.astype(float), IMAGE > 9, "expected cells as an array of integer labels from 0 .*; got float64"),
        (IMAGE > 9, IMAGE > 9, "expected cells as .*; got bool"),
        (IMAGE.tolist(), IMAGE > 9, "expected cells as .*; got list"),
        (IMAGE[None], IMAGE > 9, r"expected cells as .* \(4, 5\); got uint8 \(1, 4, 5\)"),
        (IMAGE.astype(int) - 1, IMAGE > 9, "expected cells as .*; got -1 to 18"),
        (
            IMAGE.astype(np.uint64) << np.uint64(40),
            IMAGE > 9,
            "expected cells as integer labels from 0 to 2147483647; got 0 to ",
        ),
        (IMAGE, IMAGE, "expected wound as an array of bool .*; got uint8"),
    ],
)
def test_planes_that_break_the_contract_are_the_plugins_fault(cells: Any, wound: Any, words: str) -> None:
    with pytest.raises(PluginFault, match=rf"plug-in segmenter mine \(package 1\): {words}"):
        find(cells, wound)


@pytest.mark.parametrize(
    ("found", "got"), [({"cells": IMAGE}, "cells"), (IMAGE, "ndarray"), (None, "NoneType"), ({}, "")]
)
def test_parts_that_are_not_those_promised_are_the_plugins_fault(found: Any, got: str) -> None:
    with pytest.raises(PluginFault, match=f"expected a mapping of cells, wound; got {got}$"):
        as_segmenter("mine", "package 1", Plugin(found)).find(IMAGE, None)


@pytest.mark.parametrize("parts", [None, (), "cells", ("cell",)])
def test_a_plugin_that_does_not_say_what_it_finds_is_refused_at_start(parts: Any) -> None:
    plugin = Plugin({})
    plugin.parts = parts
    with pytest.raises(ConfigError, match="expected `parts`, a tuple of names among cells, nuclei, wound, got"):
        as_segmenter("mine", "package 1", plugin)


@pytest.mark.parametrize("preset", ["12", 0, float("nan")])
def test_a_plugin_whose_preset_is_no_diameter_is_refused_at_start(preset: Any) -> None:
    plugin = Plugin({})
    vars(plugin).update(takes_diameter=True, preset_diameter_px=preset)
    with pytest.raises(ConfigError, match="expected `preset_diameter_px`, a number from 1, got"):
        as_segmenter("mine", "package 1", plugin)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    points = {"mine": "acme:Cells", "cells": "acme:Cells", "shared": "acme:Cells", "gone": "acme:Gone"}
    install(tmp_path, "acme", "2.1", {**points, "wordless": "acme:wordless", "instance": "acme:instance"}, CODE)
    install(tmp_path, "rival", "1", {"shared": "acme:Cells"})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mien", r"expected installed plug-ins, which are: .*mine \(of acme 2.1\).*; got 'mien'"),
        ("cells", "expected names of plug-ins; cells is a segmenter that comes with biosynth"),
        ("auto", "auto is a segmenter that comes with biosynth"),
        ("shared", "shared is ambiguous: acme 2.1 and rival 1 have a plug-in of this name; remove one of them"),
        ("gone", r"plug-in gone of acme 2.1 cannot be made: acme:Gone\(\) fails with AttributeError"),
        ("instance", r"plug-in instance of acme 2.1 cannot be made: acme:instance\(\) fails with TypeError"),
        ("wordless", "plug-in wordless of acme 2.1: expected `parts`"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_ends_the_start(site: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"BIOSYNTH_SEGMENTERS: .*{words}"):
        SegmentationConfig((name,)).segmenters()


def test_only_what_is_named_is_imported(site: Path) -> None:
    assert "mine" not in SegmentationConfig.from_env({}).segmenters()
    assert "acme" not in sys.modules
    mine = SegmentationConfig.from_env({"BIOSYNTH_SEGMENTERS": " mine, mine,"}).segmenters()["mine"]
    assert (mine.version, mine.by_name_only, mine.segment(IMAGE).parts) == ("acme 2.1", True, ("cells",))


# Fakes of packages too large for the tests' environment, with the signatures of Cellpose 3.1.1.3 and 4.2.1.1, StarDist
# 0.9.2 and CSBDeep 0.8.2, cut to what comes before the last argument that we give.


class Cellpose3:
    def __init__(
        self, gpu: bool = False, pretrained_model: Any = False, model_type: Any = None, mkldnn: bool = True,
        diam_mean: float = 30.0,
    ) -> None:  # fmt: skip
        self.made = {"gpu": gpu, "file": Path(pretrained_model).name, "diam_mean": diam_mean}

    def eval(
        self, x: Any, batch_size: int = 8, resample: bool = True, channels: Any = None, channel_axis: Any = None,
        z_axis: Any = None, normalize: bool = True, invert: bool = False, rescale: Any = None, diameter: Any = None,
        flow_threshold: float = 0.4,
    ) -> Any:  # fmt: skip
        calls.append({**self.made, "channels": channels, "diameter": diameter, "flow_threshold": flow_threshold})
        return (x > 9).astype(np.uint16), [], np.zeros(256)


class Cellpose4:
    def __init__(self, gpu: bool = False, pretrained_model: str = "cpsam_v2", model_type: Any = None) -> None:
        self.made = {"gpu": gpu, "file": Path(pretrained_model).name}

    def eval(
        self, x: Any, batch_size: int = 8, resample: bool = True, channels: Any = None, channel_axis: Any = None,
        z_axis: Any = None, normalize: bool = True, rescale: Any = None, diameter: Any = None,
        flow_threshold: float = 0.4,
    ) -> Any:  # fmt: skip
        calls.append({**self.made, "channels": channels, "diameter": diameter, "flow_threshold": flow_threshold})
        return (x > 9).astype(np.uint16), [], np.zeros(256)


class StarDist2D:
    def __init__(self, config: Any, name: str | None = None, basedir: str = ".") -> None:
        assert config is None
        self.folder = Path(basedir) / str(name)

    def predict_instances(
        self, img: Any, axes: Any = None, normalizer: Any = None, sparse: bool = True, prob_thresh: Any = None,
        nms_thresh: Any = None, scale: Any = None, n_tiles: Any = None, show_tile_progress: bool = True,
    ) -> Any:  # fmt: skip
        calls.append({"folder": self.folder, "most": img.max(), "n_tiles": n_tiles})
        return np.ones(img.shape, np.int32), {}


calls: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def fake(patch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    patch.setitem(sys.modules, name, module)


def cellpose(patch: pytest.MonkeyPatch, version: str, model: type) -> None:
    def load(f: Path, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool = False) -> None:
        assert weights_only
        if f.read_bytes() != b"tensors":
            raise pickle.UnpicklingError("Weights only load failed")

    fake(patch, "torch", load=load)
    fake(patch, "cellpose")
    fake(patch, "cellpose.models", CellposeModel=model)
    patch.setattr(with_cellpose, "version_of", lambda _package: version)


@pytest.mark.parametrize(
    ("make", "model", "version", "diameter", "call"),
    [
        (
            "cyto",
            Cellpose3,
            "3.1.1.3",
            None,
            {"channels": [0, 0], "diameter": 31.1, "flow_threshold": 0.9, "diam_mean": 30.0},
        ),
        (
            "cyto",
            Cellpose3,
            "3.1.1.3",
            50.0,
            {"channels": [0, 0], "diameter": 50.0, "flow_threshold": 0.9, "diam_mean": 30.0},
        ),
        (
            "nuclei",
            Cellpose3,
            "3.1.0",
            None,
            {"channels": [0, 0], "diameter": 15.2, "flow_threshold": 0.4, "diam_mean": 17.0},
        ),
        ("sam", Cellpose4, "4.2.1.1", None, {"channels": None, "diameter": None, "flow_threshold": 0.4}),
        ("sam", Cellpose4, "4.2.1.1", 20.0, {"channels": None, "diameter": 20.0, "flow_threshold": 0.4}),
    ],
)
def test_cellpose_is_called_with_the_originals_presets_on_the_mounted_weights(
    make: str, model: type, version: str, diameter: float | None, call: dict[str, Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "weights").write_bytes(b"tensors")
    cellpose(monkeypatch, version, model)
    monkeypatch.setenv(f"BIOSYNTH_CELLPOSE_{make.upper()}_FILE", str(tmp_path / "weights"))
    found = as_segmenter(make, "ours 1", getattr(with_cellpose, make)()).find(IMAGE, diameter)
    assert calls == [{"gpu": True, "file": "weights", **call}]
    assert found.diameter_px == call["diameter"]
    [part] = found.segmentation.parts
    pixel = as_segmenter(make, "ours 1", getattr(with_cellpose, make)()).find(IMAGE[:1, :1], diameter).segmentation
    assert getattr(pixel, part).tolist() == [[0]]  # the real one fails on it
    assert np.array_equal(getattr(found.segmentation, part), (IMAGE > 9).astype(np.int32))


def test_weights_that_could_run_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").write_bytes(b"a pickle of anything")
    cellpose(monkeypatch, "3.1.1.3", Cellpose3)
    plugin = with_cellpose.Cellpose(with_cellpose.CYTO, tmp_path / "weights")
    with pytest.raises(ConfigError, match="BIOSYNTH_CELLPOSE_CYTO_FILE: expected weights as torch saves them"):
        plugin(IMAGE, None)
    assert calls == []


def test_cellpose_of_another_major_version_or_without_weights_says_what_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cellpose(monkeypatch, "4.2.1.1", Cellpose4)
    with pytest.raises(Unsupported, match=r"needs the package 'cellpose>=3,<4'.*installed: 4.2.1.1"):
        with_cellpose.Cellpose(with_cellpose.CYTO, None)(IMAGE, None)
    with pytest.raises(Unsupported, match="nor downloads: mount the file and set BIOSYNTH_CELLPOSE_SAM_FILE"):
        with_cellpose.Cellpose(with_cellpose.SAM, None)(IMAGE, None)


def test_other_weights_are_another_version(tmp_path: Path) -> None:
    versions = set()
    for content in (b"one", b"two"):
        (tmp_path / "weights").write_bytes(content)
        versions.add(with_cellpose.Cellpose(with_cellpose.CYTO, tmp_path / "weights").version)
    versions.add(with_cellpose.Cellpose(with_cellpose.CYTO, None).version)
    assert len(versions) == 3
    assert all(re.fullmatch(r"cellpose \S+, torch \S+, (weights [0-9a-f]{16}|no weights)", one) for one in versions)


def stardist_folder(folder: Path, config: str = '{"n_channel_in": 1}') -> Path:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(config)
    (folder / "model" / "weights_best.h5").write_bytes(b"weights")
    return folder / "model"


def test_stardist_gets_a_normalised_image_in_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def normalize(x: Any, pmin: float = 3, pmax: float = 99.8, axis: Any = None) -> Any:
        assert (pmin, pmax) == (1, 99.8)
        return x / 8

    for package in ("csbdeep", "stardist"):
        fake(monkeypatch, package)
    fake(monkeypatch, "csbdeep.utils", normalize=normalize)
    fake(monkeypatch, "stardist.models", StarDist2D=StarDist2D)
    monkeypatch.setattr(with_stardist, "version_of", lambda _package: "0.9.2")
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    folder = stardist_folder(tmp_path)
    monkeypatch.setenv("BIOSYNTH_STARDIST_FOLDER", str(folder))
    image = np.full((8, 1025), 16, np.uint8)
    found = as_segmenter("stardist", "ours 1", with_stardist.stardist()).find(image, None)
    assert calls == [{"folder": folder, "most": 2.0, "n_tiles": (1, 2)}]
    assert found.segmentation.nuclei is not None and found.segmentation.nuclei.all()
    with pytest.raises(Unsupported, match=r"mount its folder .* and set BIOSYNTH_STARDIST_FOLDER"):
        with_stardist.StarDist(None)(IMAGE, None)


def test_a_folder_that_is_no_model_of_stardist_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"BIOSYNTH_STARDIST_FOLDER: expected a folder with config.json and a .h5 file"
    ):
        with_stardist.StarDist(tmp_path)
    folder = stardist_folder(tmp_path, '{"n_channel_in": 3}')
    with pytest.raises(ConfigError, match=r"expected a model of one channel .*got one of 3"):
        with_stardist.StarDist(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"expected StarDist's config\.json"):
        with_stardist.StarDist(folder)
