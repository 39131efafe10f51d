"""The bench of the GPU, run on torch's CPU device, so that it is known to run where there is one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the GPU engine needs torch: the `training` extra")

from services.generation.conditions import plane_count
from services.training.generator.pix2pix import UNet, UNetConfig
from tests.bench.gpu import MODEL, PIX2PIX, figures, main
from tests.bench.patch_rates import operations


def test_it_runs_on_the_cpu_and_tells_what_a_gpu_would_be_judged_by(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    out = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--quick", "--device", "cpu", "--out", str(out)])
    main()
    values = {row["name"]: row["value"] for row in json.loads(out.read_text())}
    for network in (MODEL, PIX2PIX):
        assert "patches/s" in values[f"{network}, float32 (TF32), eager, batch 1"]
        assert "TFLOP/s" in values[f"{network}, bfloat16, channels last, batch 2"]
    assert "times the same" in values[f"{MODEL} at its best, on one GPU"]
    assert capsys.readouterr().out.splitlines() == [f"{name}: {value}" for name, value in values.items()]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_that_it_was_skipped() -> None:
    assert [row["value"] for row in figures()] == ["skipped: no GPU"]


def test_operations_are_those_of_the_convolutions() -> None:
    planes = plane_count(3)
    unet = UNet(UNetConfig(planes, width=4, depth=2)).eval()
    down = 2 * 16 * planes * 4 * 8 * 8 + 2 * 16 * 4 * 8 * 4 * 4
    up = 2 * 16 * 8 * 4 * 4 * 4 + 2 * 16 * 8 * 1 * 8 * 8
    assert operations(unet, torch.zeros(1, planes, 16, 16)) == down + up
