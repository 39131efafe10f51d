"""What each process of a training by two does; torchrun starts it: two_ranks DATASET OUT."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from services.training.loop import run
from services.training.ranks import join
from tests.training.frozen import gradients, trainer_of
from tests.training.test_loop import Reports
from tests.training.tiny import TinyConfig, TinyTraining

if __name__ == "__main__":
    dataset, out = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    with join() as ranks:
        run(TinyTraining(TinyConfig(), ranks), out / "tiny", Reports())
        trainer = trainer_of(dataset, ranks)
        trainer.train_step()
        torch.save(gradients(trainer), out / f"gradients{ranks.number}.pt")
