"""An evaluation as metrics.json holds it, made up by seed, for the tests of the report."""

from __future__ import annotations

from typing import Any

import numpy as np

Record = dict[str, Any]
NAMES = ("phase-scratch", "pix2pix-unet256", "l1-only")
PIXEL = b"\x89PNG\r\n\x1a\n"  # no test of the page's text decodes it
_PAIRED = (
    ("mse", "Mean squared difference of grey values.", "full scale squared", "lower", (0.0061, 0.0072, 0.0051), 0.0012),
    ("mae", "Mean difference of grey values; it rewards blur.", "full scale", "lower", (0.0412, 0.0449, 0.0361), 0.009),
    ("psnr_db", "The mean squared difference on a log scale.", "dB", "higher", (22.4, 21.8, 23.1), 1.6),
    ("ssim", "Likeness of mean, contrast and structure in windows.", "", "higher", (0.724, 0.729, 0.781), 0.04),
    ("pearson", "Linear correlation of grey values.", "", "higher", (0.81, 0.79, 0.86), 0.03),
    ("histogram_cross_entropy", "Cost of coding the real grey values by the generated ones' frequencies; its least "
     "value is the real image's entropy, not 0.", "nat", "lower", (4.1, 4.5, 5.2), 0.3),
    ("histogram_hellinger", "How little the frequencies overlap.", "", "lower", (0.12, 0.17, 0.31), 0.03),
    ("gradient_error", "Mean difference of edge strength.", "full scale", "lower", (0.068, 0.071, 0.093), 0.011),
)  # fmt: skip
# name, what, direction, each candidate's value, ceiling, floors, each candidate's verdict
_SETS = (
    ("discriminability", "How well a classifier tells windows of the two sets apart; 0.5 is by chance.", "lower",
     (0.55, 0.93, 0.98), (0.5, 0.43, 0.57), {"blurred": 1.0, "flat_paint": 0.99},
     ("like real", "distinguishable", "unusable")),
    ("spectrum_distance", "How far fine detail, grain and blur are from those of real images.", "lower",
     (0.049, 0.193, 0.866), (0.035, 0.021, 0.052), {"blurred": 1.71}, ("like real", "distinguishable", "unusable")),
    ("texture_distance", "How far textures are from those of real images.", "lower", (0.021, 0.064, 0.31),
     (0.018, 0.009, 0.027), {"blurred": 0.284, "flat_paint": 0.412}, ("like real", "distinguishable", "unusable")),
    ("fidelity_mean_ap", "Mean average precision of the judge's objects.", "two-sided", (0.641, 0.702, 0.412),
     (0.646, 0.618, 0.671), {"blurred": 0.452, "flat_paint": 0.811, "shuffled_labels": 0.02},
     ("like real", "distinguishable", "distinguishable")),
    ("coverage", "Share of real windows that have one of the other set near.", "higher", (0.94, 0.71, 0.12),
     (0.95, 0.92, 0.98), {"blurred": 0.04}, ("like real", "distinguishable", "unusable")),
)  # fmt: skip
_VERDICTS = ("like real", "distinguishable", "unusable")
_NO_WEIGHTS = "needs BIOSYNTH_LPIPS_FILE, the weights of LPIPS"


def sample(candidates: int = 3, pairs: int = 12, seed: int = 0) -> Record:
    """Return an evaluation of at most three candidates; 0 pairs: of sets that are not paired."""
    rng = np.random.default_rng(seed)
    cycles = np.arange(1, 65)
    real = 6 - 2.1 * np.log10(cycles)
    blur = {
        name: real - (0.0005, 0.006, 0.03)[index] * cycles + rng.normal(0, 0.03, cycles.size)
        for index, name in enumerate(NAMES[:candidates])
    }
    return {
        "format": "biosynth.evaluation/1",
        "versions": {"biosynth-services": "0.1.0", "numpy": "2.4.0"},
        "seed": seed,
        "real": {"name": "dsb2018-fluo test", "fields": 60, "statistics": _statistics(0.14)},
        "candidates": [_candidate(index, pairs, rng) for index in range(candidates)],
        "spectra": {
            "cycles_per_window": [float(value) for value in cycles],
            "real": [float(value) for value in real],
            "candidates": {name: [float(value) for value in line] for name, line in blur.items()},
        },
    }


def _candidate(index: int, pairs: int, rng: np.random.Generator) -> Record:
    names = [f"field_{number:03}.png" for number in range(pairs)]
    return {
        "name": NAMES[index],
        "fields": pairs or 60,
        "statistics": _statistics(0.14 + 0.01 * index),
        "verdict": _VERDICTS[index],
        "paired": {"pairs": pairs, "metrics": _paired(index, pairs, rng), "names": names} if pairs else None,
        "sets": _sets(index, rng),
        "telling": [
            {"name": "homogeneity at 1 px", "area": (0.46, 0.21, 1.0)[index], "interval": [0.2, 0.52],
             "real": 0.706, "generated": 0.676},
            {"name": "mean gradient", "area": 0.55, "interval": None, "real": 0.081, "generated": 0.083},
        ],
    }  # fmt: skip


def _statistics(mean: float) -> Record:
    return {"mean": mean, "sd": 0.11, "cv": 0.11 / mean}


def _paired(index: int, pairs: int, rng: np.random.Generator) -> list[Record]:
    found = []
    for name, what, unit, direction, means, deviation in _PAIRED:
        values = rng.normal(means[index], deviation, pairs)
        mean, error = float(values.mean()), float(values.std() / np.sqrt(pairs))
        sd = float(values.std(ddof=1)) if pairs > 1 else None
        found.append(
            {"name": name, "what": what, "unit": unit, "direction": direction, "values": [float(v) for v in values],
             "mean": mean, "sd": sd, "cv": sd / mean if sd else None, "unavailable": "",
             "interval": [mean - 2 * error, mean + 2 * error] if sd else None,
             "floors": {"blurred": mean * 1.1, "flat_paint": mean * 0.8}}
        )  # fmt: skip
    absent: Record = {"mean": None, "sd": None, "cv": None, "interval": None, "floors": {}, "unavailable": _NO_WEIGHTS}
    lpips = {"name": "lpips", "what": "Distance of deep features.", "unit": "", "direction": "lower"}
    return [*found, {**lpips, "values": [None] * pairs, **absent}]


def _sets(index: int, rng: np.random.Generator) -> list[Record]:
    found: list[Record] = []
    for name, what, direction, values, ceiling, floors, verdicts in _SETS:
        value, error = values[index], float(rng.uniform(0.03, 0.06)) * values[index]
        found.append(
            {"name": name, "what": what, "direction": direction, "value": value,
             "interval": [value - error, value + error], "ceiling": list(ceiling),
             "floors": dict(floors), "verdict": verdicts[index], "unavailable": ""}
        )  # fmt: skip
    absent: Record = {"value": None, "interval": None, "ceiling": None, "floors": {}, "verdict": "not judged"}
    learned = {
        "name": "memorisation",
        "what": "Nearest training image against nearest other real one.",
        "direction": "lower",
    }
    return [*found, {**learned, **absent, "unavailable": "no training images were given"}]
