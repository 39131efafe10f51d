"""All set metrics, in the order of a report."""

from __future__ import annotations

from collections.abc import Sequence

from services.evaluation.sets.classifier import NOT_ASKED, PixelClassifier
from services.evaluation.sets.discriminability import discriminability
from services.evaluation.sets.fidelity import Judge, fidelity_metrics
from services.evaluation.sets.frechet import fid
from services.evaluation.sets.intensity import INTENSITY_DISTANCE
from services.evaluation.sets.kernel_distance import kernel_distance
from services.evaluation.sets.lattice import LATTICE_SCORE
from services.evaluation.sets.memorisation import memorisation
from services.evaluation.sets.metric import Measure, Measured, SetMetric
from services.evaluation.sets.morphology import MORPHOLOGY_DISTANCE
from services.evaluation.sets.nearest_spectrum import NEAREST_SPECTRUM_DISTANCE
from services.evaluation.sets.paired_spectrum import PAIRED_SPECTRUM_DISTANCE
from services.evaluation.sets.pixel_discriminability import pixel_discriminability
from services.evaluation.sets.radial_spectrum import SPECTRUM_DISTANCE
from services.evaluation.sets.seam import seam_metric
from services.evaluation.sets.segmenter_features import Describe, segmenter_metrics
from services.evaluation.sets.texture import TEXTURE_DISTANCE
from services.evaluation.sets.window_features import measure_windows
from services.evaluation.sets.wound import WOUND_METRICS


def set_metrics(
    train: Sequence[Measured] = (),
    judge: Judge | None = None,
    tile_px: int | None = None,
    seed: int = 0,
    pixel_classifier: PixelClassifier | str = NOT_ASKED,
    inception: Measure | None = None,
    describe: Describe | None = None,
) -> tuple[SetMetric, ...]:
    """All of them; those for which something was not given say so in `absent`.

    train: the training set, measured by `measure_windows`. judge: see fidelity.py. tile_px: side of the tiles that
    images were put together from. seed: of classifiers. pixel_classifier, inception, describe: see compare.py.
    """
    return (
        discriminability(seed),
        pixel_discriminability(pixel_classifier, seed),
        SPECTRUM_DISTANCE,
        PAIRED_SPECTRUM_DISTANCE,
        NEAREST_SPECTRUM_DISTANCE,
        TEXTURE_DISTANCE,
        INTENSITY_DISTANCE,
        MORPHOLOGY_DISTANCE,
        *fidelity_metrics(judge),
        kernel_distance("window", "features without a network", measure_windows),
        *segmenter_metrics(describe),
        fid(inception),
        memorisation(train),
        LATTICE_SCORE,
        seam_metric(tile_px),
        *WOUND_METRICS,
    )
