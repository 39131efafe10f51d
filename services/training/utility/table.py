"""What a utility experiment found: means with intervals over seeds, and shares of what real images reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from services.training.utility.arms import REAL
from services.training.utility.experiment import Outcome


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval by Student's t; None for one seed, which tells nothing of others."""

    mean: float
    interval: tuple[float, float] | None

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} ({self.interval[0]:.3f} to {self.interval[1]:.3f})"


@dataclass(frozen=True)
class Line:
    """One arm. share: its mean AP over that of real images, seed by seed; None where these found nothing."""

    arm: str
    ap50: Estimate
    mean_ap: Estimate
    share: Estimate | None


def estimate(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """Mean and interval of a value that several seeds gave.

    >>> str(estimate([0.5, 0.6, 0.7]))
    '0.600 (0.352 to 0.848)'
    """
    found = np.asarray(values, np.float64)
    mean = float(found.mean())
    if len(found) < 2:
        return Estimate(mean, None)
    half = float(t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found)))
    return Estimate(mean, (mean - half, mean + half))


def lines_of(outcomes: Sequence[Outcome]) -> list[Line]:
    """A line for each arm, in the order of the outcomes; every arm must have the seeds of the real one."""
    real = {outcome.seed: outcome.mean_ap for outcome in outcomes if outcome.arm == REAL}
    lines = []
    for arm in dict.fromkeys(outcome.arm for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.arm == arm]
        shares = [outcome.mean_ap / real[outcome.seed] for outcome in own if real[outcome.seed] > 0]
        lines.append(
            Line(
                arm,
                estimate([outcome.ap50 for outcome in own]),
                estimate([outcome.mean_ap for outcome in own]),
                estimate(shares) if shares else None,
            )
        )
    return lines


def as_text(lines: Sequence[Line]) -> str:
    """The table for people; intervals are over seeds."""
    rows = [("trained on", "AP50", "mean AP 0.50:0.95", "share of real")]
    rows += [(line.arm, str(line.ap50), str(line.mean_ap), str(line.share or "none")) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
