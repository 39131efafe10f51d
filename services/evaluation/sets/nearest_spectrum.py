"""How far the spectrum of each image is from that of the real one that is most like it: does a microscope make such?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.evaluation.sets.bootstrap import RESAMPLES, mean_interval
from services.evaluation.sets.metric import (
    Ceiling,
    Measured,
    SetMetric,
    Statistic,
    field_means,
    mean_of_chosen,
)
from services.evaluation.sets.radial_spectrum import measure_spectrum
from services.evaluation.sets.windows import WINDOW_PX


def compare_nearest_spectra(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
    """Mean over images of the mean absolute difference of its log10 spectrum and the nearest real one, in decades."""
    spectra = field_means(real)
    return mean_of_chosen(np.array([np.abs(spectra - one).mean(1).min() for one in field_means(other)]))


def nearest_real_spectra(real: Sequence[Measured], seed: int) -> Ceiling | None:
    """Mean distance of a real field's spectrum to the nearest other real one's, with its interval over fields.

    Random pairs of real fields may be of two microscopes, which no generated image has to bridge; the nearest other
    field is most often of the same. None for fewer than two fields.
    """
    known = [one for one in real if len(one.features)]
    if len(known) < 2:
        return None
    spectra = field_means(known)
    distances = np.stack([np.abs(spectra - one).mean(1) for one in spectra])
    np.fill_diagonal(distances, np.inf)
    nearest = distances.min(1)
    return float(nearest.mean()), *mean_interval(nearest, seed, RESAMPLES)


NEAREST_SPECTRUM_DISTANCE = SetMetric(
    name="nearest_spectrum_distance",
    what="How far an image's spectrum is from the real one's that is most like it, in decades; real images: from the "
    "nearest other real one's. It does not see that all images are of one microscope.",
    direction="lower",
    needs_labels=False,
    needs=f"{WINDOW_PX} x {WINDOW_PX} px",
    measure=measure_spectrum,
    prepare=compare_nearest_spectra,
    ceiling=nearest_real_spectra,
)
