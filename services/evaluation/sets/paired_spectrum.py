"""How far the spectrum of each generated image is from that of its own real one: microscopes do not average out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.evaluation.sets.bootstrap import LIMITS, RESAMPLES
from services.evaluation.sets.metric import (
    Ceiling,
    Indices,
    Measured,
    SetMetric,
    Statistic,
    Unavailable,
    field_means,
)
from services.evaluation.sets.radial_spectrum import measure_spectrum
from services.evaluation.sets.windows import WINDOW_PX


def compare_pairs_of_spectra(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
    """Mean over pairs, fields of one name, of the mean absolute difference of their log10 spectra, in decades."""
    partners = {one.name: one.features[0] for one in real}
    if partners.keys() != {one.name for one in other}:
        raise Unavailable("the sets are no pairs: there is no spectrum to hold each to")
    distances = np.array([np.abs(one.features[0] - partners[one.name]).mean() for one in other])

    def statistic(_: Indices, chosen: Indices) -> float:
        return float(distances[chosen].mean())

    return statistic


def nearest_real_spectra(real: Sequence[Measured], seed: int) -> Ceiling | None:
    """Mean distance of a real field's spectrum to the nearest other real one's, with its interval over fields.

    Random pairs of real fields may be of two microscopes, which no generated image of a pair has to bridge; the
    nearest other field is most often of the same. None for fewer than two fields.
    """
    known = [one for one in real if len(one.features)]
    if len(known) < 2:
        return None
    spectra = field_means(known)
    distances = np.stack([np.abs(spectra - one).mean(1) for one in spectra])
    np.fill_diagonal(distances, np.inf)
    nearest = distances.min(1)
    chosen = np.random.default_rng(seed).integers(len(nearest), size=(RESAMPLES, len(nearest)))
    low, high = np.percentile(nearest[chosen].mean(1), LIMITS)
    return float(nearest.mean()), float(low), float(high)


PAIRED_SPECTRUM_DISTANCE = SetMetric(
    name="paired_spectrum_distance",
    what="How far a generated image's spectrum is from its own real one's, in decades; real images: from the nearest "
    "other real one's.",
    direction="lower",
    needs_labels=False,
    needs=f"{WINDOW_PX} x {WINDOW_PX} px",
    measure=measure_spectrum,
    prepare=compare_pairs_of_spectra,
    ceiling=nearest_real_spectra,
)
