"""The training loop: interruptions, losses that are no numbers, and what logs are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.common.errors import ConfigError
from services.training.checkpoint import read_state
from services.training.loop import resume_if_begun, train
from services.training.stopping import Stop, TrainingInterrupted
from services.training.telling import Telling
from tests.training.tiny import TinyConfig, TinyTraining


def _train(training: TinyTraining, folder: Path, log: Any, checkpoint_seconds: float = 300.0) -> None:
    """As `run` does, where signals are noted."""
    with Stop() as stop:
        train(training, folder, stop, log, checkpoint_seconds=checkpoint_seconds)


def _quiet(_step: int, _losses: Mapping[str, float]) -> None:
    """Log nothing."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("last", range(6))
def test_a_training_interrupted_after_any_step_ends_as_one_that_was_not(
    tmp_path: Path, last: int, number: signal.Signals
) -> None:
    whole = TinyTraining(TinyConfig())
    _train(whole, tmp_path / "whole", _quiet)

    def interrupt(step: int, _: Mapping[str, float]) -> None:
        if step == last:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)  # as torchrun does: once more changes nothing

    with pytest.raises(TrainingInterrupted) as interrupted:
        _train(TinyTraining(TinyConfig()), tmp_path / "cut", interrupt)
    assert (interrupted.value.signal, interrupted.value.step) == (number, last + 1)
    torch.manual_seed(99)
    second = TinyTraining(TinyConfig())
    assert resume_if_begun(second, tmp_path / "cut")
    assert second.step == last + 1
    _train(second, tmp_path / "cut", _quiet)
    assert second.weights() == whole.weights()
    states = [read_state(tmp_path / name) for name in ("cut", "whole")]
    assert states[0]["random"] == states[1]["random"]


def test_signals_are_as_before_when_a_training_is_over(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    _train(TinyTraining(TinyConfig()), tmp_path, _quiet)
    assert signal.getsignal(signal.SIGTERM) == before


class _Diverging(TinyTraining):
    def train_step(self) -> dict[str, float]:
        """Give no number at step 3."""
        values = super().train_step()
        return {"error": float("nan")} if self.step == 4 else values


def test_a_loss_that_is_no_number_ends_the_training_at_once_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"at step 3 error is nan; the checkpoint of step 3 in .* is kept; .*lower"):
        _train(_Diverging(TinyConfig()), tmp_path, _quiet, checkpoint_seconds=0.0)
    again = TinyTraining(TinyConfig())
    assert resume_if_begun(again, tmp_path) and again.step == 3
    with pytest.raises(ConfigError, match=r"at step 3 error is nan; no checkpoint was written yet"):
        _train(_Diverging(TinyConfig()), tmp_path / "other", _quiet)


def test_weights_that_are_no_numbers_never_take_a_good_checkpoints_place(tmp_path: Path) -> None:
    training = TinyTraining(TinyConfig())
    training.save(tmp_path)
    training.step = 5
    with torch.no_grad():
        training.network[0].bias[1] = float("inf")
    with pytest.raises(ConfigError, match=r"after step 5 those of the network are not; the checkpoint of step 0"):
        training.save(tmp_path)
    assert read_state(tmp_path)["step"] == 0


class Reports:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        """Tell."""
        self.lines.append(text)

    def progress(self, total: int | None, unit: str, initial: int = 0) -> Any:
        """A bar that shows nothing."""
        return _Bar()


class _Bar(nullcontext[None]):
    def update(self, _: int) -> None:
        """Nothing."""

    def set_postfix(self, values: Mapping[str, str], refresh: bool) -> None:
        """Nothing."""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_log_is_told_step_losses_and_what_is_left_every_thirty_seconds(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    reports, seconds = Reports(), iter(range(0, 1000, 20))

    class Curves:
        def add_scalar(self, name: str, value: float, step: int) -> None:
            """Nothing."""

    with Telling(reports, Curves(), 100, 110, clock=lambda: next(seconds)) as tell:
        for step in range(100, 104):
            tell(step, {"coarse": 0.5})
    expected = ["step 102 of 110: coarse 0.500; 160 s left", "step 104 of 110: coarse 0.500; 120 s left"]
    assert reports.lines == (
        [] if terminal else [line.replace("160 s", "3 min").replace("120 s", "2 min") for line in expected]
    )


def test_ctrl_c_says_what_to_type_to_go_on(dataset: Path, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "services.cli", "train", "segmenter", str(dataset), "--steps", "100000"),
        *("--out", str(tmp_path / "my model"), "--hyper", str(tmp_path / "small.yaml")),
    ]
    (tmp_path / "small.yaml").write_text("{batch: 1, crop_px: 32, network: {widths: [4, 6]}}")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("training steps 0 to 100000; a checkpoint every 5 minutes in "):
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "which is saved; to go on, type\n  biosynth train segmenter" in said
    assert f"--out '{tmp_path}/my model'" in said
    assert (tmp_path / "my model.training" / "checkpoint.safetensors").is_file()
