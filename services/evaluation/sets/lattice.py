"""A lattice: what strides and upsampling leave behind, power at periods of 2, 4 and 8 px along the axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features, Indices, Measured, SetMetric, Statistic, field_means
from services.evaluation.sets.windows import cut_windows

SIDE_PX = 64
PERIODS_PX = (2, 4, 8)
_MOST_WINDOWS = 96
# Neighbours in frequency; Hann's window spreads a wave of whole cycles over one bin to each side, so not the first.
_NEIGHBOURS = (-3, -2, 2, 3)
_HANN = np.outer(np.hanning(SIDE_PX + 1)[:-1], np.hanning(SIDE_PX + 1)[:-1])
_ROUNDING_POWER = float(np.square(_HANN).sum() / (12 * 255**2))


def lattice_peaks(windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """log10 of the power at each period over that of neighbouring frequencies, down the columns and along the rows.

    windows: (64, 64) each, at least one. Returns (6,): periods 2, 4, 8 px of each axis. Power is the mean over windows
    of |FFT((I - mean I) w)|^2, w periodic Hann, summed over the axis and its two neighbouring lines. That of the
    neighbours is the geometric mean at 2 and 3 bins to each side, which a power law's slope hardly moves. Such peaks
    are what deconvolution (Odena et al., Distill, 2016) and upsampling (Durall et al., CVPR, 2020) leave behind.

    >>> noise = np.random.default_rng(0).random((20, 64, 64), np.float32)
    >>> lattice = np.zeros(64, np.float32)
    >>> lattice[::4] = 1
    >>> lattice_peaks(list(noise + lattice)).round(0)  # waves along rows, at periods of 4 and 2 px
    array([0., 0., 0., 3., 3., 0.])
    """
    power = np.mean([np.abs(np.fft.fft2((one - one.mean()) * _HANN)) ** 2 for one in windows], 0) + _ROUNDING_POWER
    lines = (power[:, [-1, 0, 1]].sum(1), power[[-1, 0, 1]].sum(0))
    return np.array([_peak(line, SIDE_PX // period) for line in lines for period in PERIODS_PX])


def _peak(line: NDArray[np.float64], cycles: int) -> float:
    around = line[[(cycles + step) % SIDE_PX for step in _NEIGHBOURS]]
    return float(np.log10(line[cycles]) - np.log10(around).mean())


def measure_lattice(field: Field) -> Features:
    """The peaks of a field, (1, 6); no row for a field smaller than a window."""
    windows = cut_windows(field.image, SIDE_PX, _MOST_WINDOWS)
    return lattice_peaks(windows)[None] if windows else np.empty((0, 2 * len(PERIODS_PX)))


def score_lattice(_: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
    """The largest of the six ratios, each the geometric mean over fields."""
    peaks = field_means(other)

    def statistic(_: Indices, chosen: Indices) -> float:
        return float(10 ** peaks[chosen].mean(0).max())

    return statistic


LATTICE_SCORE = SetMetric(
    name="lattice_score",
    what="How far a lattice of 2, 4 or 8 px stands out of neighbouring frequencies; real images set what is usual.",
    direction="two-sided",
    of_one_set=True,
    needs_labels=False,
    needs=f"{SIDE_PX} x {SIDE_PX} px",
    measure=measure_lattice,
    prepare=score_lattice,
    floors=(),
)
