"""The paired metrics: what a report says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PairedMetric:
    """What a report says of a metric: which direction is closer, its unit ("" for none) and what it measures."""

    name: str
    direction: Literal["lower", "higher"]
    unit: str
    what: str


PAIRED_METRICS = (
    PairedMetric(
        "mse", "lower", "full scale squared", "Mean squared difference of grey values; it rewards blur, not realism."
    ),
    PairedMetric("mae", "lower", "full scale", "Mean difference of grey values; it rewards blur, not realism."),
    PairedMetric(
        "psnr_db", "higher", "dB", "The mean squared difference on a log scale; it rewards blur, as MSE does."
    ),
    PairedMetric(
        "ssim",
        "higher",
        "",
        "Likeness of mean, contrast and structure in windows of 11 px; it rewards blur over displaced texture.",
    ),
    PairedMetric(
        "pearson",
        "higher",
        "",
        "Linear correlation of grey values; it is blind to brightness and contrast, and rewards blur.",
    ),
    PairedMetric(
        "histogram_cross_entropy",
        "lower",
        "nat",
        "Cost of coding the real grey values by the generated ones' frequencies; its least value is the real image's "
        "entropy, not 0, and it is blind to where pixels are.",
    ),
    PairedMetric(
        "histogram_kl",
        "lower",
        "nat",
        "The cross-entropy above its least value: how far the frequencies of grey values differ; it is blind to where "
        "pixels are.",
    ),
    PairedMetric(
        "histogram_bhattacharyya",
        "lower",
        "nat",
        "How little the frequencies of grey values overlap, on a log scale; it is blind to where pixels are.",
    ),
    PairedMetric(
        "histogram_hellinger",
        "lower",
        "",
        "How little the frequencies of grey values overlap, from 0 to 1; it is blind to where pixels are.",
    ),
    PairedMetric(
        "gradient_error",
        "lower",
        "full scale",
        "Mean difference of edge strength; it sees blur, but also punishes sharp edges that lie a pixel off.",
    ),
    PairedMetric(
        "lpips",
        "lower",
        "",
        "Distance of deep features, near to people's judgement of photographs; it was not made for microscopy.",
    ),
)
