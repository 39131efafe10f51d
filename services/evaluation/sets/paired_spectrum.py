"""How far the spectrum of each generated image is from that of its own real one: microscopes do not average out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.evaluation.sets.metric import Measured, SetMetric, Statistic, Unavailable, mean_of_chosen
from services.evaluation.sets.nearest_spectrum import nearest_real_spectra
from services.evaluation.sets.radial_spectrum import measure_spectrum
from services.evaluation.sets.windows import WINDOW_PX


def compare_pairs_of_spectra(real: Sequence[Measured], other: Sequence[Measured]) -> Statistic:
    """Mean over pairs, fields of one name, of the mean absolute difference of their log10 spectra, in decades."""
    partners = {one.name: one.features[0] for one in real}
    if partners.keys() != {one.name for one in other}:
        raise Unavailable("the sets are no pairs: there is no spectrum to hold each to")
    return mean_of_chosen(np.array([np.abs(one.features[0] - partners[one.name]).mean() for one in other]))


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
