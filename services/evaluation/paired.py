"""How close a generated image comes to the real one of the same labels; docs/method.md, Metrics, defines it all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from services.common.abandonment import stop_if_abandoned
from services.common.errors import InvalidArgument, InvalidImage
from services.common.imaging.images import Image
from services.evaluation.lpips import Lpips

# Raised whenever a metric's value changes for the same two images: results are kept apart by it.
PAIRED_VERSION = 1
SSIM_TAPS, SSIM_BAND = 11, 256  # SSIM_BAND: rows of windows that are taken at a time
BINS = 256

Plane = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One metric's value for one pair, always finite; without a value, `unavailable` says why."""

    name: str
    value: float | None
    unavailable: str = ""


def compare_pair(real: Image, generated: Image, lpips: Lpips | None = None) -> tuple[Metric, ...]:
    """All metrics of PAIRED_METRICS, in its order, in float64 on [0, 1], 1 being the full scale of the dtype.

    real, generated: (H, W), both uint8 or both uint16, of one size. Raises InvalidImage for anything else.

    >>> grey, darker = np.full((2, 2), 255, np.uint8), np.full((2, 2), 204, np.uint8)
    >>> for metric in compare_pair(grey, darker)[:4]:
    ...     print(metric.name, metric.unavailable if metric.value is None else round(metric.value, 3))
    mse 0.04
    mae 0.2
    psnr_db 13.979
    ssim undefined for a side below 11 px: the image is 2 x 2
    """
    _check(real, generated)
    found = []
    for metric in _metrics(real, generated, lpips):
        stop_if_abandoned()
        found.append(metric)
    return tuple(found)


def compare_pairs(
    pairs: Iterable[tuple[Image, Image]], threads: int = 1, lpips: Lpips | None = None
) -> Iterator[tuple[Metric, ...]]:
    """`compare_pair` of each (real, generated), in order; at most 2 * threads pairs are held at a time.

    Raises InvalidArgument for threads below 1 at once; where a pair is wrong, InvalidImage in its turn.
    """
    if threads < 1:
        raise InvalidArgument(f"expected at least 1 thread, got {threads}")
    if threads == 1:
        return (compare_pair(real, generated, lpips) for real, generated in pairs)
    return _in_threads(pairs, threads, lpips)


def _in_threads(
    pairs: Iterable[tuple[Image, Image]], threads: int, lpips: Lpips | None
) -> Iterator[tuple[Metric, ...]]:
    pool, waiting = ThreadPoolExecutor(threads, "compare"), deque[Future[tuple[Metric, ...]]]()
    try:
        for real, generated in pairs:
            waiting.append(pool.submit(compare_pair, real, generated, lpips))
            if len(waiting) == 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _metrics(real: Image, generated: Image, lpips: Lpips | None) -> Iterator[Metric]:
    # Divided, not multiplied by the reciprocal: then v / 255 and 257 v / 65535 are the same number to the last bit.
    x, y = (np.true_divide(image, _full_scale(image), order="C") for image in (real, generated))
    yield from _pixel_metrics(x - y)
    yield _ssim(x, y)
    yield _pearson(x, y)
    yield from _histogram_metrics(real, generated)
    yield _gradient_error(real, generated)
    yield _lpips(real, generated, lpips)


def _check(real: Image, generated: Image) -> None:
    _check_one("real", real)
    _check_one("generated", generated)
    if real.dtype != generated.dtype:
        raise InvalidImage(
            f"expected two images of one bit depth, got {real.dtype} (real) and {generated.dtype} (generated); "
            "convert one, since what full scale means differs"
        )
    if real.shape != generated.shape:
        raise InvalidImage(
            f"expected two images of one size, got {real.shape} (real) and {generated.shape} (generated); "
            "crop or resize one"
        )


def _check_one(name: str, image: Image) -> None:
    if image.dtype not in (np.uint8, np.uint16):
        nan = " with NaN" if image.dtype.kind == "f" and np.isnan(image).any() else ""
        raise InvalidImage(
            f"expected the {name} image as uint8 or uint16, got {image.dtype}{nan}; convert it from its own range"
        )
    if image.ndim != 2 or not image.size:
        raise InvalidImage(
            f"expected the {name} image as (H, W) of at least 1 x 1, got {image.shape}; choose one channel of it"
        )


def _full_scale(image: Image) -> np.float64:
    return np.float64(np.iinfo(image.dtype).max)


def _pixel_metrics(difference: Plane) -> Iterator[Metric]:
    mse = float(np.mean(np.square(difference)))
    yield Metric("mse", mse)
    yield Metric("mae", float(np.mean(np.abs(difference))))
    if mse == 0:
        yield Metric("psnr_db", None, "infinite: the images are identical")
    else:
        yield Metric("psnr_db", float(10 * np.log10(1 / mse)))


def _ssim(x: Plane, y: Plane) -> Metric:
    if min(x.shape) < SSIM_TAPS:
        size = f"the image is {x.shape[0]} x {x.shape[1]}"
        return Metric("ssim", None, f"undefined for a side below {SSIM_TAPS} px: {size}")
    # The mean is over windows that lie within the image. They are taken by bands of rows, or a frame of 16 megapixels
    # would need 2 GiB of temporary arrays.
    windows, total = x.shape[0] - SSIM_TAPS + 1, 0.0
    for top in range(0, windows, SSIM_BAND):
        stop_if_abandoned()
        rows = min(SSIM_BAND, windows - top)
        band = slice(top, top + rows + SSIM_TAPS - 1)
        total += rows * _mean_ssim(x[band], y[band])
    return Metric("ssim", total / windows)


def _mean_ssim(x: Plane, y: Plane) -> float:
    # Gaussian weights of sigma 1.5 are 11 taps here.
    return float(
        structural_similarity(
            x, y, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, K1=0.01, K2=0.03
        )
    )


def _pearson(x: Plane, y: Plane) -> Metric:
    constant = [name for name, plane in (("real", x), ("generated", y)) if plane.min() == plane.max()]
    if constant:
        return Metric("pearson", None, f"undefined: constant grey value in the {' and the '.join(constant)} image")
    x, y = x - x.mean(), y - y.mean()
    value = np.mean(x * y) / np.sqrt(np.mean(x * x) * np.mean(y * y))
    return Metric("pearson", float(np.clip(value, -1, 1)))


def _histogram_metrics(real: Image, generated: Image) -> Iterator[Metric]:
    p, q = _frequencies(real), _frequencies(generated)
    kl = float(np.sum(p * np.log(p / q)))
    yield Metric("histogram_cross_entropy", float(-np.sum(p * np.log(q))))
    yield Metric("histogram_kl", max(kl, 0.0))
    # 1 - BC as half the squared distance of the roots, the same since p and q sum to 1: 1 - BC itself would leave
    # 1e-8 of identical images.
    lack = float(np.sum(np.square(np.sqrt(p) - np.sqrt(q)))) / 2
    yield Metric("histogram_bhattacharyya", float(-np.log1p(-lack)))
    yield Metric("histogram_hellinger", float(np.sqrt(lack)))


def _frequencies(image: Image) -> Plane:
    """(256,), by bins of 1 grey value (8 bit) or 256 (16 bit); one count more in each, so that none is 0."""
    values = image if image.dtype == np.uint8 else image >> 8
    return (np.bincount(values.ravel(), minlength=BINS) + 1) / (image.size + BINS)


def _gradient_error(real: Image, generated: Image) -> Metric:
    return Metric("gradient_error", float(np.mean(np.abs(_edge_strength(real) - _edge_strength(generated)))))


def _edge_strength(image: Image) -> Plane:
    # Sums of whole numbers are exact in any order: those of fractions would change with the array's place in memory.
    steps = (cv2.Sobel(image, cv2.CV_64F, *by, borderType=cv2.BORDER_REFLECT) for by in ((1, 0), (0, 1)))
    across, down = (np.square(step / _full_scale(image)) for step in steps)
    across += down
    return np.sqrt(across, out=across)


def _lpips(real: Image, generated: Image, lpips: Lpips | None) -> Metric:
    if lpips is None:
        return Metric("lpips", None, "weights are not mounted")
    try:
        return Metric("lpips", lpips(real, generated))
    except InvalidImage as error:
        return Metric("lpips", None, error.message)
