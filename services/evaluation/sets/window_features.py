"""What classifiers and distances see of a window: spectrum, moments, percentiles, gradient, texture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features
from services.evaluation.sets.radial_spectrum import log_spectrum
from services.evaluation.sets.texture import DISTANCES_PX, texture
from services.evaluation.sets.windows import WINDOW_PX, cut_windows

# Of three frequencies each: finer ones are noise in a single window, and would outnumber all other features.
BANDS = 21
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
# What each is called, in the order of `window_features`, a row for each kind.
KINDS = (
    tuple(
        f"power at periods of {WINDOW_PX / (3 * band + 3):.3g} to {WINDOW_PX / (3 * band + 1):.3g} px, log10"
        for band in range(BANDS)
    ),
    ("mean grey", "deviation of greys", "skewness of greys, asinh", "excess kurtosis of greys, asinh"),
    tuple(f"percentile {percentile} of greys" for percentile in PERCENTILES),
    ("mean gradient", "deviation of gradients", "percentile 95 of gradients"),
    *(
        tuple(f"{name} at {distance} px" for distance in DISTANCES_PX)
        for name in ("ln(1 + contrast)", "homogeneity", "correlation")
    ),
)
NAMES = tuple(name for kind in KINDS for name in kind)
FEATURES = len(NAMES)
# Where the features hold the window's standard deviation.
DEVIATION = BANDS + 1
# Farther than so many deviations from real windows is far; by how much is of no interest, and would outweigh the rest.
FARTHEST = 5.0
_LEAST_DEVIATION = 1e-6
_QUANTUM = 1 / 255  # one grey level: what varies less has no shape of its distribution


def window_features(window: NDArray[np.float32]) -> NDArray[np.float64]:
    """Features of a window. window: (128, 128) on 0..1. Returns (44,).

    21 bands of the log spectrum; mean, deviation, asinh of skewness and of excess kurtosis; percentiles; mean,
    deviation and 95th percentile of the gradient (Sobel); ln(1 + contrast), homogeneity and correlation at 1, 2 and 4
    px of the window stretched between its 0.5 and 99.5 percentiles. No network and no weights: what each feature sees
    can be told. asinh and ln keep dark windows with one bright speck from ruling distances.
    """
    spectrum = log_spectrum(window).reshape(BANDS, -1).mean(1)
    values = np.percentile(window, (*PERCENTILES, 0.5, 99.5))
    low, high = values[-2:]
    grain = texture(np.clip((window - low) / max(high - low, _QUANTUM), 0, 1).astype(np.float32))
    grain[:3] = np.log1p(grain[:3])
    return np.concatenate([spectrum, _moments(window), values[:-2], _gradient(window), grain])


def measure_windows(field: Field) -> Features:
    """Features of the windows of a field, (n, 44); n is 0 for a field smaller than a window."""
    rows = [window_features(window) for window in cut_windows(field.image)]
    return np.stack(rows) if rows else np.empty((0, FEATURES))


def standardised(features: Features, reference: Features, farthest: float = FARTHEST) -> Features:
    """Features less the mean of the reference's, in its standard deviations, cut off; (n, d) by (m, d)."""
    deviations = (features - reference.mean(0)) / np.maximum(reference.std(0), _LEAST_DEVIATION)
    return np.asarray(np.clip(deviations, -farthest, farthest), np.float64)


def _moments(window: NDArray[np.float32]) -> NDArray[np.float64]:
    mean, deviation = float(window.mean()), float(window.std())
    unit = (window - mean) / max(deviation, _QUANTUM)
    cubed = unit**3
    return np.array([mean, deviation, np.arcsinh(cubed.mean()), np.arcsinh((cubed * unit).mean() - 3.0)], np.float64)


def _gradient(window: NDArray[np.float32]) -> NDArray[np.float64]:
    across, down = (cv2.Sobel(window, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    size = np.hypot(across, down)
    return np.array([size.mean(), size.std(), np.percentile(size, 95)], np.float64)


NEEDS = f"{WINDOW_PX} x {WINDOW_PX} px"
