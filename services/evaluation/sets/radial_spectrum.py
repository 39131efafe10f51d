"""How far apart the mean spectra of two sets are: blur, too much or too little noise, a wrong grain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.evaluation.sets.field import Field
from services.evaluation.sets.metric import Features, Indices, Measured, SetMetric, Statistic, field_means
from services.evaluation.sets.windows import WINDOW_PX, cut_windows
from services.evaluation.spectrum import radial_power_spectrum

# Power at each frequency of what rounding to 8 bit adds: its variance by the sum of the squared Hann weights. Without
# it, a window of one value would be 12 decades below the others and rule the mean.
ROUNDING_POWER = float(np.square(np.hanning(WINDOW_PX)).sum() ** 2 / (12 * 255**2))


def log_spectrum(window: NDArray[np.float32]) -> NDArray[np.float64]:
    """log10 of the radial power spectrum and the power of rounding. window: (128, 128). Returns (63,), without DC."""
    return np.log10(radial_power_spectrum(window)[1:] + ROUNDING_POWER)


def measure_spectrum(field: Field) -> Features:
    """The mean of the windows' log spectra, (1, 63); no row for a field smaller than a window."""
    logs = [log_spectrum(window) for window in cut_windows(field.image)]
    return np.mean(logs, 0, keepdims=True) if logs else np.empty((0, WINDOW_PX // 2 - 1))


def compare_spectra(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
    """Mean over frequencies of the absolute difference of the sets' mean log10 spectra, in decades."""
    first, second = field_means(real), field_means(other)

    def statistic(chosen_real: Indices, chosen: Indices) -> float:
        return float(np.abs(first[chosen_real].mean(0) - second[chosen].mean(0)).mean())

    return statistic


SPECTRUM_DISTANCE = SetMetric(
    name="spectrum_distance",
    what="How far fine detail, grain and blur are from those of real images, in decades of power.",
    direction="lower",
    needs_labels=False,
    needs=f"{WINDOW_PX} x {WINDOW_PX} px",
    measure=measure_spectrum,
    prepare=compare_spectra,
)
