"""`biosynth train` from a dataset to a model folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.cli.__main__ import main
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.errors import ConfigError
from services.generation.generate import generate
from services.generation.model import read_model
from tests.unit.generation.fakes import disks


def _train(dataset: Path, out: Path, *more: str) -> None:
    main(["train", "generator", str(dataset), "--out", str(out), "--steps", "1", "--json", "--quiet", *more])


def test_train_writes_a_model_with_its_card(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "remarks.txt").write_text("Grey blobs.\n")
    out = tmp_path / "models" / "disks"
    _train(dataset, out, "--remarks", str(tmp_path / "remarks.txt"), "--licence", "CC-BY-4.0")
    record = json.loads(capsys.readouterr().out)
    assert record["model"] == "disks"
    assert record["training"]["fields"] == {"train": 3, "val": 1}
    assert sorted(path.name for path in out.iterdir()) == [
        "CARD.md",
        "model.json",
        "model.onnx",
        "model.safetensors",
        "samples.png",
    ]
    assert (tmp_path / "models" / "disks.training" / "checkpoint.safetensors").is_file()

    stored = read_model(out)
    card = stored.card()
    for words in (
        "# disks 1",
        "nuclei3",
        stored.description.sha256,
        "s: drawn by this test",
        "](samples.png)",
        "Grey blobs.",
        "Licence of the weights: CC-BY-4.0.",
    ):
        assert words in card
    assert "| s, n = 1: spectrum distance real to generated, decades |" in card
    assert stored.description.parameters <= 2_400_000
    image = generate(disks(30, 50), stored.description, OnnxCpuEngine(stored.weights(), threads=1)).image
    assert image.shape == (30, 50)
    assert image.dtype == np.uint8

    # The same command again goes on from the last checkpoint, which is the end: the same model.
    _train(dataset, out)
    again = read_model(out)
    assert again.description.sha256 == stored.description.sha256
    assert (stored.description.licence, again.description.licence) == ("CC-BY-4.0", "")
    assert "Licence of the weights: not stated." in again.card()


SMALL = {
    "generator": "{batch: 2, crop_px: 32, width: 20, blocks: 1, discriminator_width: 8}",
    "segmenter": "{batch: 1, crop_px: 32, network: {widths: [4, 6]}}",
}


@pytest.mark.parametrize(
    ("what", "measure"),
    [
        ("generator", "services.training.generator.job.measure_fidelity"),
        ("segmenter", "services.training.segmenter.job.score"),
    ],
)
def test_a_model_that_cannot_be_measured_leaves_the_one_before_whole(
    dataset: Path, tmp_path: Path, what: str, measure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConfigError("expected a measure; got none")

    (tmp_path / "small.yaml").write_text(SMALL[what])
    words = ["train", what, str(dataset), "--out", str(tmp_path / "out"), "--hyper", str(tmp_path / "small.yaml")]
    main([*words, "--steps", "1", "--quiet"])
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    monkeypatch.setattr(measure, fail)
    with pytest.raises(SystemExit):
        main([*words, "--steps", "1", "--version", "2", "--quiet"])
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("more", [("--remarks", "absent.txt"), ("--licence", "CC BY 4.0"), ()])
def test_what_would_fail_fails_before_any_training(
    dataset: Path, tmp_path: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        _train(dataset if more else tmp_path, tmp_path / "out", *more)
    assert left.value.code == 3
    assert "biosynth train: expected " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.training").exists()
