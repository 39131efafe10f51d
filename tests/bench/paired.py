"""The paired metrics beside the same ones by a plain script of scikit-image, scipy and numpy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats
from skimage import metrics

from services.common.imaging.images import Image
from services.evaluation.paired import compare_pairs

SIDE, PAIRS, GOAL_S, CHUNK = 256, 1000, 20, 50
TOLERANCE = 1e-9
Pairs = list[tuple[Image, Image]]
Found = list[dict[str, float]]


def bench(quick: bool = False) -> list[dict[str, Any]]:
    """One row; both take turns of 50 pairs, so that a slower machine slows both. One thread each."""
    count = 20 if quick else PAIRS
    ours_s = baseline_s = difference = 0.0
    for start in range(0, count, CHUNK):
        # Made before the clock starts; as in a data set, no image comes twice.
        pairs = list(synthetic_pairs(start, min(start + CHUNK, count)))
        seconds, found = _timed(ours, pairs)
        ours_s += seconds
        seconds, expected = _timed(baseline, pairs)
        baseline_s += seconds
        difference = max(difference, largest_difference(found, expected))
    return [
        {
            "name": f"paired metrics, {count} pairs of {SIDE}x{SIDE}",
            "ours_s": ours_s,
            "baseline_s": baseline_s,
            "ratio": baseline_s / ours_s,
            "target": None,
            "identical": difference <= TOLERANCE,
            "note": f"ours: {ours_s / count * 1000:.3g} s for 1,000 pairs in one thread, goal {GOAL_S} s; "
            f"largest difference {difference:.1g}; baseline: scikit-image, scipy and numpy, metric by metric",
        }
    ]


def synthetic_pairs(first: int, last: int) -> Iterator[tuple[Image, Image]]:
    """Blobs on a dark ground and the same with other noise, 8 and 16 bit in turn; the number is the seed."""
    for seed in range(first, last):
        generator = np.random.default_rng(seed)
        blobs = ndimage.gaussian_filter(generator.random((SIDE, SIDE)), 4)
        blobs = (blobs - blobs.min()) / np.ptp(blobs)
        dtype = np.uint16 if seed % 2 else np.uint8
        scale = np.iinfo(dtype).max
        noisy = (np.clip(0.8 * blobs**3 + 0.02 * generator.standard_normal(blobs.shape), 0, 1) for _ in range(2))
        real, generated = (np.rint(scale * one).astype(dtype) for one in noisy)
        yield real, generated


def ours(pairs: Pairs) -> Found:
    """Our values of each pair; lpips has none without its weights."""
    return [{one.name: one.value for one in found if one.value is not None} for found in compare_pairs(pairs)]


def baseline(pairs: Pairs) -> Found:
    """The script's values of each pair."""
    return [plain(real, generated) for real, generated in pairs]


def plain(real: Image, generated: Image) -> dict[str, float]:
    """What docs/method.md defines, as one would write it in a notebook."""
    scale = np.iinfo(real.dtype).max
    x, y = real / scale, generated / scale
    p, q = _histogram(x), _histogram(y)
    overlap = np.sqrt(p * q).sum()
    gradients = [np.hypot(ndimage.sobel(plane, 0), ndimage.sobel(plane, 1)) for plane in (x, y)]
    return {
        "mse": metrics.mean_squared_error(x, y),
        "mae": float(np.mean(np.abs(x - y))),
        "psnr_db": metrics.peak_signal_noise_ratio(x, y, data_range=1),
        "ssim": metrics.structural_similarity(
            x, y, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        ),
        "pearson": stats.pearsonr(x.ravel(), y.ravel()).statistic,
        "histogram_cross_entropy": float(-(p * np.log(q)).sum()),
        "histogram_kl": stats.entropy(p, q),
        "histogram_bhattacharyya": float(-np.log(overlap)),
        "histogram_hellinger": float(np.sqrt(1 - overlap)),
        "gradient_error": float(np.mean(np.abs(gradients[0] - gradients[1]))),
    }


def largest_difference(found: Found, expected: Found) -> float:
    """Over all pairs and metrics; infinite where one has other metrics than the other."""
    return max(
        max(abs(one[name] - other[name]) for name in other) if one.keys() == other.keys() else np.inf
        for one, other in zip(found, expected, strict=True)
    )


def _histogram(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.histogram(plane, bins=256, range=(0, 1))[0] + 1.0
    frequencies: NDArray[np.float64] = counts / counts.sum()
    return frequencies


def _timed(call: Callable[[Pairs], Found], pairs: Pairs) -> tuple[float, Found]:
    start = time.perf_counter()
    found = call(pairs)
    return time.perf_counter() - start, found
