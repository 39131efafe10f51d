"""The evaluation's classifier of pixels: a small network, trained anew for each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from services.common.engines.cores import usable_cores
from services.evaluation.sets.classifier import Fold

JUDGE_VERSION = 1  # rises whenever the network or its training changes


class PixelJudge:
    """A `PixelClassifier` in torch, which is imported when it is first asked: that takes seconds.

    Folds are trained side by side, each on one core, so that the number of cores changes the time and no byte.
    """

    @property
    def versions(self) -> Mapping[str, str]:
        """What its scores depend on."""
        return {"pixel-judge": str(JUDGE_VERSION), "torch": version("torch")}

    def __call__(
        self, windows: NDArray[np.float32], generated: NDArray[np.intp], folds: Sequence[Fold], seed: int
    ) -> list[NDArray[np.float64]]:
        """Scores of each fold's test windows. windows: (n, S, S) on 0..1; generated: (n,), 1 or 0 for real."""
        import torch

        from services.training.judge.fit import fit_and_score

        def judge(fold: Fold) -> NDArray[np.float64]:
            return fit_and_score(windows[fold.train], generated[fold.train], windows[fold.test], seed)

        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(usable_cores(), initializer=partial(torch.set_num_threads, 1)) as pool:
                return list(pool.map(judge, folds))
        finally:
            torch.set_num_threads(threads)  # what the pool's threads set is also the default of later ones
