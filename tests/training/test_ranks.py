"""Training by two processes, started by torchrun, is training by one on the joint batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.common.errors import ConfigError
from services.training.checkpoint import read_state
from services.training.loop import resume_if_begun, run
from services.training.ranks import Ranks
from tests.training.frozen import gradients, trainer_of
from tests.training.test_loop import Reports
from tests.training.tiny import TinyConfig, TinyTraining


@pytest.fixture(scope="module")
def two(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left."""
    out = tmp_path_factory.mktemp("two")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "--module", "tests.training.two_ranks", str(dataset), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return out


def test_averaged_gradients_of_two_processes_are_those_of_the_joint_batch(dataset: Path, two: Path) -> None:
    torch.set_num_threads(1)
    alone = trainer_of(dataset)
    alone.train_step()
    expected = gradients(alone)
    first, second = (torch.load(two / f"gradients{number}.pt", weights_only=True) for number in (0, 1))
    assert set(first) == set(expected) and len(expected) > 20
    for name, gradient in expected.items():
        assert torch.equal(first[name], second[name]), name
        largest = float(gradient.abs().max())
        assert torch.allclose(first[name], gradient, rtol=1e-3, atol=1e-5 * max(largest, 1e-3)), name


def test_two_processes_train_to_the_weights_of_one_and_their_checkpoint_is_any_numbers(
    two: Path, tmp_path: Path
) -> None:
    alone = TinyTraining(TinyConfig())
    run(alone, tmp_path, Reports())
    joint = TinyTraining(TinyConfig())
    assert resume_if_begun(joint, two / "tiny")
    assert read_state(two / "tiny")["random"] == read_state(tmp_path)["random"]
    for name, values in alone.weights().items():
        assert joint.weights()[name] == pytest.approx(values, abs=1e-5), name


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    assert [Ranks(number, 2).part(4) for number in (0, 1)] == [slice(0, 2), slice(2, 4)]
    for count in (3, 8):
        with pytest.raises(ConfigError, match=f"expected a batch that {count} processes can share evenly; got 4"):
            Ranks(0, count).part(4)
