"""What is seen of a training while it goes on, and which weights are kept."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.training.datasets.dataset import read_manifest
from services.training.generator.examination import Examination
from services.training.generator.trainer import Trainer
from services.training.loop import resume_if_begun, train
from services.training.samples import spread, window_on
from services.training.stopping import Stop, TrainingInterrupted
from tests.training.frozen import trainer_of


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_weights_that_show_labels_less_truly_never_take_the_best_ones_place(dataset: Path, tmp_path: Path) -> None:
    examination = Examination(dataset, read_manifest(dataset), tmp_path, keeps_best=True)
    trainer = trainer_of(dataset)
    trainer.step = 2
    examination(trainer)  # the first half: only looked at
    assert trainer.notes == {}
    picture = cv2.imread(str(tmp_path / "samples" / "step-000002.png"))
    assert picture is not None and picture.shape[1] == 3 * (88 + 4) and picture.std() > 20
    for step, shows in ((3, False), (4, True), (5, False)):
        trainer.step = step
        _teach(trainer, shows)
        examination(trainer)
    best = trainer.notes["best"]
    assert best["step"] == 4 and best["gap"] == abs(best["generated"] - best["real"]) < 0.2
    _teach(trainer, True)
    for name, value in trainer.average.state_dict().items():
        assert torch.equal(trainer.best.state_dict()[name], value), name


def _teach(trainer: Trainer, shows: bool) -> None:
    """Let the averaged network draw the inside of objects bright, or nothing at all."""
    network = trainer.average
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        if shows:
            for level in (1, 2):  # inside and boundary of nuclei3
                network.fine.weight[0, level, 1, 1] = 1.0
            network.last.weight[0, 0, 1, 1] = 1.0


@pytest.mark.parametrize("last", [2, 4])
def test_an_interrupted_training_keeps_the_best_weights_of_one_that_was_not(
    dataset: Path, tmp_path: Path, last: int
) -> None:
    examination = Examination(dataset, read_manifest(dataset), tmp_path / "seen", keeps_best=True)
    whole = trainer_of(dataset)
    train(whole, tmp_path / "whole", Stop(), lambda _step, _losses: None, lambda: examination(whole))

    first, stop = trainer_of(dataset), Stop()

    def interrupt(step: int, _: object) -> None:
        stop.signal = 2 if step == last else 0

    with pytest.raises(TrainingInterrupted):
        train(first, tmp_path / "cut", stop, interrupt, lambda: examination(first))
    second = trainer_of(dataset)
    assert resume_if_begun(second, tmp_path / "cut")
    train(second, tmp_path / "cut", Stop(), lambda _step, _losses: None, lambda: examination(second))
    assert second.notes == whole.notes and second.notes["best"]["step"] >= 3
    for name, value in whole.best.state_dict().items():
        assert torch.equal(second.best.state_dict()[name], value), name


def test_no_weights_are_kept_where_that_is_turned_off(dataset: Path, tmp_path: Path) -> None:
    examination, trainer = Examination(dataset, read_manifest(dataset), tmp_path, False), trainer_of(dataset)
    trainer.step = 6
    examination(trainer)
    assert not examination.judges and trainer.notes == {}


def test_a_window_is_about_the_objects_and_within_the_field() -> None:
    shown = np.zeros((1000, 300), bool)
    shown[900:990, 10:20] = True
    assert window_on(shown) == (slice(616, 1000), slice(0, 384))
    assert window_on(np.zeros((1000, 300), bool))[0] == slice(308, 692)
    assert spread([1, 2], 6) == [1, 2]
