"""The training loop: from a checkpoint, where there is one, to the last step, whatever is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from services.training.checkpoint import FILE
from services.training.stopping import Stop, TrainingInterrupted
from services.training.telling import Reporter, Telling
from services.training.training import Training

CHECKPOINT_SECONDS = 300.0
# How often a training is looked at: pictures, and how good it is.
EXAMINATIONS = 20


def run(training: Training, folder: Path, reporter: Reporter, examine: Callable[[], None] = lambda: None) -> None:
    """Train to the last step, from the checkpoint in `folder` where there is one; logs for TensorBoard go there too.

    examine: called about 20 times, evenly, and after the last step, in the process that writes. Raises as `train`.
    """
    with Stop() as stop:
        if resume_if_begun(training, folder):
            reporter.say(f"going on from step {training.step} of {folder}")
        if not training.ranks.writes:
            train(training, folder, stop, lambda _step, _losses: None)
            return
        reporter.say(
            f"training steps {training.step} to {training.steps}; a checkpoint every {CHECKPOINT_SECONDS / 60:.0f} "
            f"minutes in {folder}"
        )
        with SummaryWriter(str(folder)) as curves, Telling(reporter, curves, training.step, training.steps) as tell:
            train(training, folder, stop, tell, examine)


def resume_if_begun(training: Training, folder: Path) -> bool:
    """Continue from the checkpoint in `folder`, which is made where there is none; returns whether there was one."""
    folder.mkdir(parents=True, exist_ok=True)
    found = (folder / FILE).is_file()
    training.ranks.wait()  # none looks after another has written
    if found:
        training.resume(folder)
    return found


def train(
    training: Training,
    folder: Path,
    stop: Stop,
    log: Callable[[int, Mapping[str, float]], None],
    examine: Callable[[], None] = lambda: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Run to the last step; checkpoints now and then, at the end, and when interrupted.

    stop: open; log: called after each step with its losses; examine: see `run`. Raises TrainingInterrupted after SIGINT
    or SIGTERM, ConfigError as soon as a loss is no number; the last checkpoint is a good one then.
    """
    every, saved = max(1, training.steps // EXAMINATIONS), time.monotonic()
    while training.step < training.steps:
        start, step = time.monotonic(), training.step
        losses = training.train_step()
        training.seconds += time.monotonic() - start
        training.check_losses(step, losses, folder)
        log(step, losses)
        if training.step % every == 0 or training.step == training.steps:
            examine()
        if asked := training.ranks.largest(stop.signal):
            training.save(folder)
            raise TrainingInterrupted(asked, training.step)
        if time.monotonic() - saved >= checkpoint_seconds:
            training.save(folder)
            saved = time.monotonic()
    training.save(folder)
