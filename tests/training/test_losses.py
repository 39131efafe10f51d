"""The camera and the losses."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.training.generator import losses

SCALE = torch.tensor([[0.2, 0.4, 0.05], [0.1, 0.5, 0.0]])


def _images(seed: int = 0) -> Any:
    return torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_the_camera_passes_gradients_through_its_rounding() -> None:
    clean = _images().requires_grad_()
    losses.camera(clean, SCALE, torch.zeros_like(clean)).sum().backward()
    assert torch.allclose(clean.grad, torch.ones_like(clean))


def test_the_camera_gives_whole_counts_from_0_to_255() -> None:
    noise = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    seen = losses.camera(3.0 * _images() - 1.0, SCALE, noise)
    background, contrast = (SCALE[:, i, None, None, None] for i in range(2))
    counts = (background + contrast * seen) * 255.0
    assert torch.allclose(counts, counts.round(), atol=1e-3)
    assert counts.min() > -0.001
    assert counts.max() < 255.001


def test_the_camera_adds_the_noise_of_each_image() -> None:
    clean = torch.full((2, 1, 64, 64), 0.5)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    seen = losses.camera(clean, SCALE, noise)
    assert float(seen[0].std()) == pytest.approx(0.05 / 0.4, rel=0.1)
    assert float(seen[1].std()) == 0.0


def test_squash_keeps_order_and_sign_and_is_the_identity_near_0() -> None:
    x = torch.linspace(-50, 50, 10_001, dtype=torch.float64)
    bent = losses.squash(x)
    assert (bent.diff() > 0).all()
    assert torch.allclose(bent, -bent.flip(0))
    near = x.abs() <= losses.KNEE
    assert torch.equal(bent[near], x[near])
    assert bent.abs().max() < 10


def test_squash_has_finite_gradients_everywhere() -> None:
    x = torch.tensor([-1e6, -losses.KNEE, -1e-9, 0.0, 1e-9, losses.KNEE, 1e6], requires_grad=True)
    losses.squash(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_the_losses_vanish_on_equal_images_and_not_on_others() -> None:
    first, second = _images(), _images(1)
    features = [[first, second], [second, first]]
    assert losses.coarse_loss(first, first) == 0
    assert losses.texture_loss(first, first) == 0
    assert losses.matching_loss(features, features) == 0
    assert losses.coarse_loss(first, second) > 0
    assert losses.texture_loss(first, 2 * second) > 0


def test_texture_that_lies_elsewhere_in_a_block_costs_little_and_blur_costs_much() -> None:
    target = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    other = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    blurred = torch.nn.functional.avg_pool2d(target, 5, 1, 2)
    assert losses.texture_loss(other, target) < 0.3 * losses.texture_loss(blurred, target)


def test_a_perfect_judge_has_no_loss_and_a_fooled_one_gives_the_generator_none() -> None:
    real, generated = ([[torch.full((2, 1, 4, 4), value)]] for value in (1.0, 0.0))
    assert losses.discriminator_loss(real, generated) == 0
    assert losses.discriminator_loss(generated, real) == 1
    assert losses.adversarial_loss(real) == 0
    assert losses.adversarial_loss(generated) == 1


def test_a_weave_costs_more_than_other_noise_of_the_same_kind() -> None:
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(4, 1, 128, 128, generator=draw) for _ in range(2))
    down, right = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    woven = other + torch.cos(torch.pi * down / 2) * torch.cos(torch.pi * right / 2)  # a period of 4 px
    assert losses.spectrum_loss(one, one) == 0.0
    assert losses.spectrum_loss(other, one) < losses.spectrum_loss(woven, one) / 1.2


def test_texture_that_is_too_coarse_costs_more_than_texture_elsewhere() -> None:
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(4, 1, 128, 128, generator=draw) for _ in range(2))
    coarse = torch.nn.functional.avg_pool2d(other, 3, 1, 1) * 3.0  # as much power, at longer periods
    assert losses.spectrum_loss(coarse, one) > 3.0 * losses.spectrum_loss(other, one)
