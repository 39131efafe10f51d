"""Training of the judge: short, by seed, and on one core for each fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from services.training.judge.network import LEAST_DEVIATION, JudgeNetwork, planes_of


@dataclass(frozen=True)
class JudgeConfig:
    """Hyper-parameters. Seen on 52 fields of nuclei: more epochs of fewer windows do worse."""

    epochs: int = 10
    batch: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2


def fit_and_score(
    train: NDArray[np.float32],
    generated: NDArray[np.intp],
    test: NDArray[np.float32],
    seed: int,
    config: JudgeConfig = JudgeConfig(),
) -> NDArray[np.float64]:
    """Train on windows and score others. train: (n, S, S) on 0..1; generated: (n,), 0 or 1; test: (m, S, S).

    Returns (m,), higher for what looks generated. All randomness is the seed's. To be called with one thread of torch
    (torch.set_num_threads): sums in another order round otherwise, and training makes much of it.
    """
    generator = torch.Generator().manual_seed(seed)
    network = JudgeNetwork(generator).to(memory_format=torch.channels_last)
    windows, judged = (torch.from_numpy(each)[:, None] for each in (train, test))  # (n, 1, S, S)
    scale = windows.mean(), windows.std().clamp(min=LEAST_DEVIATION)
    _train(network, planes_of(windows, *scale), torch.from_numpy(generated).float(), generator, config)
    network.eval()
    with torch.inference_mode():
        scores: NDArray[np.float64] = network(planes_of(judged, *scale)).double().numpy()
    return scores


def _train(
    network: JudgeNetwork, planes: Tensor, generated: Tensor, generator: torch.Generator, config: JudgeConfig
) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * -(-len(planes) // config.batch)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    for _ in range(config.epochs):
        for chosen in torch.randperm(len(planes), generator=generator).split(config.batch):
            logits = network(_turned(planes[chosen], generator))
            optimiser.zero_grad(set_to_none=True)
            F.binary_cross_entropy_with_logits(logits, generated[chosen]).backward()
            optimiser.step()
            rates.step()


def _turned(planes: Tensor, generator: torch.Generator) -> Tensor:
    """A batch under one of the eight symmetries of the square."""
    symmetry = int(torch.randint(8, (), generator=generator))
    turned = torch.rot90(planes, symmetry % 4, (2, 3))
    return turned.flip(3) if symmetry >= 4 else turned
