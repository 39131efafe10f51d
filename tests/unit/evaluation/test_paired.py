"""Metrics of a real and a generated image."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from scipy import ndimage, stats

from services.common.errors import InvalidArgument, InvalidImage
from services.common.imaging.images import Image
from services.evaluation.lpips import Lpips
from services.evaluation.paired import PAIRED_VERSION, Metric, compare_pair, compare_pairs
from services.evaluation.paired_metrics import PAIRED_METRICS

Depth = type[np.uint8] | type[np.uint16]
DTYPES: tuple[Depth, ...] = (np.uint8, np.uint16)
SIZES = ((64, 64), (37, 53), (11, 11), (12, 131), (601, 17))
ASYMMETRIC = {"histogram_cross_entropy", "histogram_kl"}
# The least distances; a correlation or a likeness is best at 1.
ZERO_FOR_IDENTICAL = ("mse", "mae", "histogram_kl", "histogram_bhattacharyya", "histogram_hellinger", "gradient_error")


def _noise(shape: tuple[int, int], dtype: Depth, seed: int) -> Image:
    pixels: Image = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return pixels


def _cells(shape: tuple[int, int], dtype: Depth, seed: int) -> Image:
    """Blobs on a dark ground, with noise: skewed frequencies, strong correlation between two seeds of noise."""
    blobs = ndimage.gaussian_filter(np.random.default_rng(7).random(shape), 2)
    blobs = (blobs - blobs.min()) / np.ptp(blobs)
    noisy = np.clip(0.8 * blobs**3 + 0.02 * np.random.default_rng(seed).standard_normal(shape), 0, 1)
    pixels: Image = np.rint(noisy * np.iinfo(dtype).max).astype(dtype)
    return pixels


def _values(real: Image, generated: Image) -> dict[str, float]:
    return {one.name: one.value for one in compare_pair(real, generated) if one.value is not None}


def _reasons(real: Image, generated: Image) -> dict[str, str]:
    return {one.name: one.unavailable for one in compare_pair(real, generated) if one.value is None}


# What follows is written from docs/method.md, with other functions than the code's.


def _expected(real: Image, generated: Image) -> dict[str, float]:
    scale = float(np.iinfo(real.dtype).max)
    x, y = real.astype(np.float64) / scale, generated.astype(np.float64) / scale
    mse = ((x - y) ** 2).sum() / x.size
    p, q = (_smoothed(plane) for plane in (x, y))
    overlap = np.sqrt(p * q).sum()
    return {
        "mse": mse,
        "mae": abs(x - y).sum() / x.size,
        "psnr_db": -20 * np.log10(np.sqrt(mse)),
        "ssim": _ssim(x, y),
        "pearson": stats.pearsonr(x.ravel(), y.ravel()).statistic,
        "histogram_cross_entropy": stats.entropy(p) + stats.entropy(p, q),
        "histogram_kl": stats.entropy(p, q),
        "histogram_bhattacharyya": -np.log(overlap),
        "histogram_hellinger": np.sqrt(1 - overlap),
        "gradient_error": abs(_sobel(x) - _sobel(y)).mean(),
    }


def _smoothed(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(plane, bins=256, range=(0, 1))
    smoothed: NDArray[np.float64] = (counts + 1.0) / (counts + 1.0).sum()
    return smoothed


def _ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    offsets = np.arange(-5, 6)
    taps = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    taps /= taps.sum()

    def mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        averaged: NDArray[np.float64] = ndimage.convolve(plane, taps)[5:-5, 5:-5]
        return averaged

    mx, my = mean(x), mean(y)
    sxx, syy, sxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    likeness = (2 * mx * my + 1e-4) * (2 * sxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (sxx + syy + 9e-4))
    return float(likeness.mean())


def _sobel(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    across, down = (ndimage.sobel(plane, axis, mode="reflect") for axis in (1, 0))
    strength: NDArray[np.float64] = np.hypot(across, down)
    return strength


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("draw", [_noise, _cells])
def test_every_metric_agrees_with_another_implementation_of_its_definition(
    draw: Callable[[tuple[int, int], Depth, int], Image], size: tuple[int, int], dtype: Depth
) -> None:
    real, generated = draw(size, dtype, 1), draw(size, dtype, 2)
    found, expected = _values(real, generated), _expected(real, generated)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # Relative to 1: SSIM and correlation of noise are near 0, and cancel.
        assert found[name] == pytest.approx(value, rel=1e-10, abs=1e-10), name


def test_metrics_come_in_the_order_of_their_descriptions() -> None:
    real = _noise((16, 16), np.uint8, 0)
    assert [one.name for one in compare_pair(real, real)] == [one.name for one in PAIRED_METRICS]
    assert all(one.what.endswith(".") and one.direction in ("lower", "higher") for one in PAIRED_METRICS)


def test_the_documentation_names_this_version() -> None:
    text = (Path(__file__).parents[3] / "docs" / "method.md").read_text(encoding="utf-8")
    [metrics] = re.findall(r"^## Metrics\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    assert f"`PAIRED_VERSION` {PAIRED_VERSION} " in metrics


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_image_is_at_no_distance_from_itself_and_its_psnr_is_said_to_be_infinite(dtype: Depth) -> None:
    image = _cells((40, 31), dtype, 3)
    values, reasons = _values(image, image), _reasons(image, image)
    assert {name: values[name] for name in ZERO_FOR_IDENTICAL} == dict.fromkeys(ZERO_FOR_IDENTICAL, 0.0)
    assert values["ssim"] == 1.0
    assert values["pearson"] == pytest.approx(1.0, abs=1e-12)
    assert reasons == {"psnr_db": "infinite: the images are identical", "lpips": "weights are not mounted"}


def test_correlation_with_a_constant_image_is_undefined_and_all_else_is_a_number() -> None:
    flat, dark, noise = np.full((20, 20), 90, np.uint8), np.full((20, 20), 9, np.uint8), _noise((20, 20), np.uint8, 0)
    undefined = "undefined: constant grey value in the "
    assert _reasons(flat, noise)["pearson"] == undefined + "real image"
    assert _reasons(noise, flat)["pearson"] == undefined + "generated image"
    assert _reasons(flat, dark).pop("pearson") == undefined + "real and the generated image"
    assert len(_values(flat, dark)) == len(PAIRED_METRICS) - 2
    assert _values(flat, dark)["gradient_error"] == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_histograms_without_a_common_bin_are_far_apart_and_their_distances_finite(dtype: Depth) -> None:
    black = _noise((64, 64), dtype, 0) * dtype(0)
    white = ~black
    values, pixels = _values(white, black), 64 * 64
    overlap = (254 + 2 * np.sqrt(pixels + 1)) / (pixels + 256)
    assert values["mse"] == values["mae"] == 1.0
    assert str(values["psnr_db"]) == "0.0"
    assert values["histogram_kl"] == pytest.approx(pixels / (pixels + 256) * np.log(pixels + 1), rel=1e-12)
    assert values["histogram_bhattacharyya"] == pytest.approx(-np.log(overlap), rel=1e-12)
    assert values["histogram_hellinger"] == pytest.approx(np.sqrt(1 - overlap), rel=1e-12)


def test_one_pixel_has_all_metrics_but_those_that_need_more() -> None:
    reasons = _reasons(np.array([[7]], np.uint16), np.array([[9]], np.uint16))
    assert sorted(reasons) == ["lpips", "pearson", "ssim"]


@pytest.mark.parametrize("size", [(10, 10), (10, 40), (40, 10)])
def test_ssim_needs_a_whole_window(size: tuple[int, int]) -> None:
    reasons = _reasons(_noise(size, np.uint8, 0), _noise(size, np.uint8, 1))
    assert reasons["ssim"] == f"undefined for a side below 11 px: the image is {size[0]} x {size[1]}"


def test_the_least_difference_that_16_bit_can_hold_is_seen() -> None:
    real = np.zeros((100, 100), np.uint16)
    real[0, 0] = 65535
    generated = real.copy()
    generated[50, 50] = 1
    values = _values(real, generated)
    assert values["mse"] == pytest.approx((1 / 65535) ** 2 / 10_000, rel=1e-10)
    assert values["psnr_db"] == pytest.approx(20 * np.log10(65535) + 40, rel=1e-12)
    assert values["histogram_kl"] == 0.0  # both grey values lie in the bin from 0 to 255


def test_views_give_what_their_copies_give() -> None:
    real, generated = _cells((60, 44), np.uint16, 0).T[::2, ::-1], _cells((60, 44), np.uint16, 1).T[::2, ::-1]
    assert not real.flags.c_contiguous
    assert compare_pair(real, generated) == compare_pair(real.copy("C"), generated.copy("C"))
    real.flags.writeable = False
    assert compare_pair(real, generated) == compare_pair(real.copy("C"), generated.copy("C"))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Image, Image]:
    dtype, shape = draw(st.sampled_from(DTYPES)), draw(npst.array_shapes(min_dims=2, max_dims=2, max_side=16))
    pixels = npst.arrays(dtype, shape)
    return draw(pixels), draw(pixels)


@given(pairs())
def test_every_value_is_finite_within_its_bounds(pair: tuple[Image, Image]) -> None:
    for metric in compare_pair(*pair):
        if metric.value is None:
            assert metric.unavailable
            continue
        assert np.isfinite(metric.value)
        assert not metric.unavailable
        low = -1.0 if metric.name in ("ssim", "pearson") else 0.0
        one = metric.name in ("mse", "mae", "ssim", "pearson", "histogram_hellinger")
        assert low <= metric.value <= (1.0 if one else np.inf)


@given(pairs())
def test_all_but_the_metrics_that_name_one_image_as_true_are_symmetric(pair: tuple[Image, Image]) -> None:
    real, generated = pair
    forth, back = _values(real, generated), _values(generated, real)
    assert {name: forth[name] for name in forth.keys() - ASYMMETRIC} == {
        name: back[name] for name in back.keys() - ASYMMETRIC
    }


@given(pairs())
def test_cross_entropy_is_kl_above_the_entropy_of_the_real_image(pair: tuple[Image, Image]) -> None:
    real, generated = pair
    values, entropy = _values(real, generated), _values(real, real)["histogram_cross_entropy"]
    assert values["histogram_cross_entropy"] - entropy == pytest.approx(values["histogram_kl"], abs=1e-12)


@given(pairs())
def test_the_same_pixels_in_16_bit_give_the_same_metrics(pair: tuple[Image, Image]) -> None:
    eight = [(image & 0xFF).astype(np.uint8) for image in pair]
    sixteen = [image.astype(np.uint16) * np.uint16(257) for image in eight]
    assert _values(*sixteen) == pytest.approx(_values(*eight), rel=1e-12, abs=1e-15)


class _Deep(Lpips):
    """Answers with a constant, or refuses."""

    def __init__(self, answer: float | None) -> None:
        self._answer = answer

    def __call__(self, real: Image, generated: Image) -> float:
        if self._answer is None:
            raise InvalidImage("too small")
        return self._answer


def test_lpips_is_what_the_network_says_or_why_it_says_nothing() -> None:
    image = _noise((12, 12), np.uint8, 0)
    assert compare_pair(image, image, _Deep(0.25))[-1] == Metric("lpips", 0.25)
    assert compare_pair(image, image, _Deep(None))[-1] == Metric("lpips", None, "too small")
    assert [found[-1].value for found in compare_pairs([(image, image)] * 3, threads=2, lpips=_Deep(0.5))] == [0.5] * 3


@pytest.mark.parametrize(
    ("real", "generated", "message"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8), r"one size, got \(4, 4\) \(real\) and \(4, 5\)"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint16), r"one bit depth, got uint8 \(real\) and uint16"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8), r"real image as \(H, W\).*choose one channel"),
        (np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8), r"at least 1 x 1, got \(0, 4\)"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4)), "generated image as uint8 or uint16, got float64; convert"),
        (np.full((4, 4), np.nan, np.float32), np.zeros((4, 4)), "real image as uint8 or uint16, got float32 with NaN"),
        (np.zeros((4, 4), np.int16), np.zeros((4, 4), np.int16), "got int16"),
    ],
)
def test_images_that_cannot_be_compared_are_refused(real: Image, generated: Image, message: str) -> None:
    with pytest.raises(InvalidImage, match=message):
        compare_pair(real, generated)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_many_pairs_give_what_each_gives_in_order(threads: int) -> None:
    images = [(_noise((9 + n % 3, 14), np.uint8, n), _noise((9 + n % 3, 14), np.uint8, 100 + n)) for n in range(23)]
    assert list(compare_pairs(images, threads)) == [compare_pair(*pair) for pair in images]
    assert list(compare_pairs([], threads)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_only_a_few_pairs_are_held_at_a_time_and_none_after_leaving_early(threads: int) -> None:
    taken = 0

    def source() -> Iterator[tuple[Image, Image]]:
        nonlocal taken
        for taken in range(1, 1000):
            yield _noise((8, 8), np.uint8, taken), _noise((8, 8), np.uint8, 0)

    found = compare_pairs(source(), threads)
    for given_back in range(1, 20):
        next(found)
        assert taken - given_back < 2 * threads
    del found
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("compare")]


def test_a_wrong_pair_is_told_in_its_turn_and_no_thread_is_refused_at_once() -> None:
    image = _noise((8, 8), np.uint8, 0)
    found = compare_pairs([(image, image), (image, image[:4])], threads=2)
    assert len(next(found)) == len(PAIRED_METRICS)
    with pytest.raises(InvalidImage, match="one size"):
        next(found)
    with pytest.raises(InvalidArgument, match="at least 1 thread, got 0"):
        compare_pairs([], threads=0)
