"""`biosynth models NAME --bioimageio`: packages that other programs accept and run."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import onnxruntime
import pytest
import yaml
from bioimageio.spec import load_description

from services.cli.__main__ import main
from services.cli.bioimageio.package import package
from services.generation.model import SHIPPED, ModelShelf, StoredModel, read_model

SHIPPED_NAMES = ModelShelf(SHIPPED).names()
AUTHORS = ["A. Person"]
PACKED = ["--bioimageio", "out.zip"]
# Recommended only: a picture of 14 planes; the DOI of data that has none.
OPTIONAL = {"sample_tensor", "cite"}


def unpacked(stored: StoredModel, folder: Path) -> dict[str, Any]:
    """Write a model's package into a folder; returns what it says of it."""
    (folder / "package.zip").write_bytes(package(stored, AUTHORS))
    with zipfile.ZipFile(folder / "package.zip") as archive:
        archive.extractall(folder)
    described: dict[str, Any] = yaml.safe_load((folder / "bioimageio.yaml").read_text(encoding="utf-8"))
    return described


def check(folder: Path, *lacking: str) -> None:
    """Have the format's own library validate it; it leaves files for the collector to close. lacking: but for these."""
    with catch_warnings():
        simplefilter("ignore", ResourceWarning)
        summary = load_description(folder / "bioimageio.yaml").validation_summary
        gc.collect()
    assert summary.status == "valid-format", summary.format()
    warnings = [warning for detail in summary.details for warning in detail.warnings]
    assert {str(warning.loc[-1]) for warning in warnings} <= OPTIONAL | set(lacking), warnings


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_a_package_of_a_shipped_model_is_valid_and_its_network_gives_the_test_output(name: str, tmp_path: Path) -> None:
    stored = ModelShelf(SHIPPED).get(name)
    described = unpacked(stored, tmp_path)
    check(tmp_path)
    planes, image = (np.load(tmp_path / f"test_{name}.npy") for name in ("input", "output"))
    [made] = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, {"planes": planes})
    assert np.abs(made - image).max() < 1e-4
    assert image.std() > 0.1

    axes = {axis.get("id", axis["type"]): axis for axis in described["inputs"][0]["axes"]}
    assert planes.shape[1] == len(axes["channel"]["channel_names"]) == len(described["inputs"][0]["data"])
    one_hot = planes[0, : stored.description.roles.count]
    assert (one_hot.sum(0) == 1).all()
    # The smallest input that is allowed leaves one step of image within its halo.
    smallest = axes["y"]["size"]["min"]
    assert smallest - 2 * described["outputs"][0]["axes"][2]["halo"] == axes["y"]["size"]["step"]


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_tiles_cut_to_what_the_halo_leaves_are_those_of_the_whole(name: str, tmp_path: Path) -> None:
    described = unpacked(ModelShelf(SHIPPED).get(name), tmp_path)
    halo = described["outputs"][0]["axes"][2]["halo"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    planes, image = (np.load(tmp_path / f"test_{name}.npy") for name in ("input", "output"))
    [tile] = session.run(None, {"planes": planes[:, :, 40:200, 60:240]})
    assert (
        np.abs(tile[..., halo:-halo, halo:-halo] - image[..., 40 + halo : 200 - halo, 60 + halo : 240 - halo]).max()
        < 1e-4
    )


def test_a_package_of_a_network_for_patches_has_one_size_and_no_halo(tmp_path: Path) -> None:
    stored = ModelShelf(SHIPPED).get("fluo-nuclei")
    described = unpacked(replace(stored, description=replace(stored.description, halo_px=None)), tmp_path)
    check(tmp_path)
    assert [axis["size"] for axis in described["inputs"][0]["axes"] if axis["type"] == "space"] == [256, 256]
    assert not any("halo" in axis for axis in described["outputs"][0]["axes"])
    assert "Its input is 256 px a side." in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_package_states_the_licence_that_whoever_trained_the_model_stated(tmp_path: Path) -> None:
    stored = ModelShelf(SHIPPED).get("fluo-nuclei")
    assert unpacked(stored, tmp_path)["license"] == "Apache-2.0"
    silent = replace(stored, description=replace(stored.description, licence=""))
    assert "license" not in unpacked(silent, tmp_path)
    check(tmp_path, "license")


def test_a_package_is_the_same_each_time_and_documents_its_planes_and_data(tmp_path: Path) -> None:
    stored = ModelShelf(SHIPPED).get("phase-scratch")
    described = unpacked(stored, tmp_path)
    assert package(stored, AUTHORS) == (tmp_path / "package.zip").read_bytes()
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith(stored.card().strip())
    assert all(f"| {name} |" in text for name in described["inputs"][0]["axes"][1]["channel_names"])
    assert [entry["doi"] for entry in described["cite"]] == ["10.1016/j.softx.2019.02.007"]
    assert described["authors"] == [{"name": "A. Person"}]


def test_the_command_packages_a_model_of_ones_own_with_its_author(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SHIPPED / "fluo-nuclei", tmp_path / "models" / "own")
    (tmp_path / "models" / "own" / "samples.png").unlink()
    (tmp_path / "models" / "own" / "CARD.md").unlink()
    monkeypatch.setenv("BIOSYNTH_MODELS", str(tmp_path / "models"))
    out = tmp_path / "out" / "own.zip"
    main(["models", "fluo-nuclei", "--bioimageio", str(out), "--author", "A. Person", "--json"])
    version = read_model(SHIPPED / "fluo-nuclei").description.version
    assert json.loads(capsys.readouterr().out) == {"model": "fluo-nuclei", "version": version, "package": str(out)}
    with zipfile.ZipFile(out) as archive:
        archive.extractall(tmp_path / "unpacked")
    check(tmp_path / "unpacked")
    weights = (tmp_path / "unpacked" / "model.onnx").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == ModelShelf(SHIPPED).get("fluo-nuclei").description.sha256


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["fluo-nuclei", *PACKED], "expected --author NAME for fluo-nuclei, which is no shipped model"),
        (PACKED, "expected a model's NAME with --bioimageio"),
        (["fluo-nuclei", "--author", "A. Person"], "expected --author with --bioimageio"),
        (["fluo-nuclei", "--endpoint", "localhost:1", *PACKED], "and no --endpoint"),
    ],
)
def test_what_cannot_be_packaged_is_told(
    given: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(SHIPPED / "fluo-nuclei", tmp_path / "models" / "own")
    monkeypatch.setenv("BIOSYNTH_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["models", *given])
    assert left.value.code == 3
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out.zip").exists()


@pytest.mark.skipif(not shutil.which("bioimageio"), reason="bioimageio.core is not on the PATH (docs/models.md)")
@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_bioimageio_core_runs_its_own_test_of_a_package(name: str, tmp_path: Path) -> None:
    (tmp_path / "package.zip").write_bytes(package(ModelShelf(SHIPPED).get(name), AUTHORS))
    done = subprocess.run(
        ["bioimageio", "test", "package.zip"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
