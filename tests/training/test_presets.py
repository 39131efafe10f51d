"""The baselines: as published where they are, and trained, resumed, exported and run as the default is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from torch import nn

from services.cli.__main__ import main
from services.common.engines.onnx_cpu import OnnxCpuEngine
from services.common.errors import ConfigError, InvalidArgument
from services.generation.conditions import plane_count
from services.generation.generate import generate
from services.generation.model import read_model
from services.generation.network import read_generator
from services.generation.tilings import Tiling, usual_tiling
from services.training.datasets.dataset import read_manifest
from services.training.generator.crops import Crops, load_fields
from services.training.generator.pix2pix import PatchGan, UNet, UNetConfig
from services.training.generator.presets import PRESETS
from tests.training.untrained import untrained
from tests.unit.generation.fakes import disks

BASELINES = sorted(set(PRESETS) - {"default"})
PIX2PIX = "pix2pix-unet256"
# Narrow, and else as published: 256 px halved eight times.
NARROW: dict[str, dict[str, Any]] = {
    "l1": {"width": 20, "blocks": 1, "crop_px": 32, "batch": 2},
    PIX2PIX: {"width": 2, "discriminator_width": 2},
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_pix2pix_has_the_published_sizes() -> None:
    # From 3 channels to 1; to 3 as published the last layer has 2 x (128 x 16 + 1) weights more.
    assert _count(UNet(UNetConfig(planes=3))) + 2 * (128 * 16 + 1) == pytest.approx(54.414e6, rel=1e-4)
    assert _count(PatchGan(conditions=5)) == 2_768_705  # 3 + 3 channels
    preset = PRESETS[PIX2PIX]
    assert (preset.width, preset.blocks, preset.discriminator_width) == (64, 8, 64)


def test_the_unet_narrows_a_patch_to_one_pixel_and_the_discriminator_judges_70_px() -> None:
    unet, judge = UNet(UNetConfig(3, width=2)), PatchGan(2, width=2).double()
    deepest: list[tuple[int, ...]] = []
    unet.down[-1].register_forward_hook(lambda *call: deepest.append(tuple(call[-1].shape)))
    assert unet(torch.randn(2, 3, 256, 256)).shape == (2, 1, 256, 256)
    assert deepest == [(2, 16, 1, 1)]

    for module in judge.modules():  # statistics reach everywhere: without them a verdict's reach is that of its patch
        if isinstance(module, nn.InstanceNorm2d):
            module.forward = lambda x: x
    image = torch.randn(1, 1, 256, 256, dtype=torch.float64, requires_grad=True)
    verdict = judge(torch.zeros(1, 2, 256, 256, dtype=torch.float64), image)[0][-1]
    assert verdict.shape == (1, 1, 30, 30)
    verdict[0, 0, 15, 15].backward()
    rows, columns = torch.nonzero(image.grad[0, 0], as_tuple=True)
    assert [int(at.max() - at.min()) + 1 for at in (rows, columns)] == [70, 70]


def test_a_unet_drops_out_in_training_only() -> None:
    unet, planes = UNet(UNetConfig(3, width=2, depth=5)), torch.randn(1, 3, 32, 32)
    assert not torch.equal(unet(planes), unet(planes))
    unet.eval()
    assert torch.equal(unet(planes), unet(planes))


@pytest.mark.parametrize(("name", "told"), [("l1", {"l1"}), (PIX2PIX, {"discriminator", "adversarial", "l1"})])
def test_a_baseline_has_its_losses_and_no_others_and_resumes_bit_for_bit(
    dataset: Path, tmp_path: Path, name: str, told: set[str]
) -> None:
    config = replace(PRESETS[name], steps=4, **NARROW[name])
    whole = untrained(dataset, config)
    expected = [whole.train_step() for _ in range(4)]
    assert all(set(losses) == told for losses in expected)
    assert (whole.discriminator is None) == (name == "l1")

    first = untrained(dataset, config)
    seen = [first.train_step() for _ in range(2)]
    first.save(tmp_path)
    second = untrained(dataset, config)
    second.resume(tmp_path)
    assert seen + [second.train_step() for _ in range(2)] == expected
    for key, value in whole.average.state_dict().items():
        assert torch.equal(second.average.state_dict()[key], value), key
        if name == PIX2PIX:  # has no average over steps
            assert torch.equal(whole.generator.state_dict()[key], value), key


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_learns(dataset: Path, name: str) -> None:
    trainer = untrained(dataset, replace(PRESETS[name], steps=40, learning_rate=2e-3, **NARROW[name]))
    values = [trainer.train_step()["l1"] for _ in range(40)]
    assert np.mean(values[-10:]) < 0.7 * np.mean(values[:5])


@pytest.mark.parametrize("name", BASELINES)
def test_train_makes_a_model_of_a_baseline(dataset: Path, tmp_path: Path, name: str) -> None:
    hyper, out = tmp_path / "narrow.yaml", tmp_path / "disks"
    hyper.write_text(repr(NARROW[name]))
    order = ["train", "generator", str(dataset), "--out", str(out), "--preset", name, "--hyper", str(hyper)]
    main([*order, "--steps", "2", "--quiet"])
    stored = read_model(out)
    model, engine = stored.description, OnnxCpuEngine(stored.weights(), threads=1)
    made = [generate(disks(300, 270), model, engine, 1, tiling=usual_tiling(model)).image for _ in range(2)]
    assert made[0].shape == (300, 270) and made[0].std() > 1
    assert made[0].tobytes() == made[1].tobytes()
    assert (model.halo_px is None) == (name == PIX2PIX)
    if model.halo_px is None:
        assert "for patches of 256 px" in stored.card()
        assert generate(disks(30, 20), model, engine, 1, tiling=Tiling.CONCAT).image.shape == (30, 20)
        for tiling in (Tiling.EXACT, Tiling.WHOLE):
            with pytest.raises(InvalidArgument, match="expected tiling blend or concat for model disks"):
                generate(disks(30, 20), model, engine, 1, tiling=tiling)
        with pytest.raises(ConfigError, match="BIOSYNTH_DEVICE=cpu"):
            read_generator(stored.torch_weights())


def test_windows_move_by_the_jitter_in_fields_that_are_no_larger_than_a_crop(dataset: Path) -> None:
    manifest = read_manifest(dataset)
    fields = load_fields(dataset, manifest.chosen("train"), manifest.roles)
    crops = Crops(fields, 3, 88, np.random.default_rng(0), jitter=30)
    assert {field.image.shape for group, _ in crops.sources for field in group} == {(118, 118)}
    assert crops.batch(2).planes.shape == (2, plane_count(3), 88, 88)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"crop_px": 200}, "crop_px as a multiple of 256"),
        ({"architecture": "vit"}, "expected default or pix2pix as the architecture; got 'vit'"),
        ({"adversarial_weight": 0.0, "l1_weight": 0.0}, "expected a loss with a weight above 0"),
    ],
)
def test_what_cannot_be_trained_is_told(dataset: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        untrained(dataset, replace(PRESETS[PIX2PIX], width=2, discriminator_width=2, **change))


@pytest.mark.parametrize(
    ("what", "preset", "told"),
    [
        ("generator", "pix2pix", "expected a preset among default, l1, pix2pix-unet256; got 'pix2pix'"),
        ("segmenter", "l1", "expected --preset with `train generator`"),
    ],
)
def test_a_wrong_preset_is_told_before_any_training(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, preset: str, told: str
) -> None:
    with pytest.raises(SystemExit):
        main(["train", what, str(dataset), "--out", str(tmp_path / "out"), "--preset", preset])
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
