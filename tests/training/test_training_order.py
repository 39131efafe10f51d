"""The Indexed Job `training`: what its pods run, as two processes of this machine, one of which is drained."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: the `training` extra")

from services.segmentation.learned.model import read_segmenter
from services.training.checkpoint import read_state
from tests.deploy.orders import order, start
from tests.deploy.rendering import Object
from tests.support.ports import free_ports

STEPS = 24
NODES = 2


@pytest.fixture
def volume(dataset: Path, tmp_path: Path) -> Path:
    shutil.copytree(dataset, tmp_path / "training" / "dataset")
    return tmp_path / "training"


def pods(objects: list[Object], folder: Path) -> list[subprocess.Popen[str]]:
    """All pods of the Job at once, as it starts them."""
    [port] = free_ports(1)
    env = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": ".:protos", "HOME": str(folder), "OMP_NUM_THREADS": "1",
        "WHAT": "segmenter", "DATASET": "dataset", "OUT": "models/disks", "NODES": str(NODES),
        "OPTIONS": f"--steps {STEPS} --hyper {folder}/hyper.yaml --json",
    }  # fmt: skip
    return [start(objects, "training", index, folder, env, port) for index in range(NODES)]


def test_a_pod_that_is_drained_takes_the_others_along_and_all_go_on_from_the_checkpoint(
    volume: Path, tmp_path: Path
) -> None:
    objects = order("training", tmp_path / "order")
    (tmp_path / "hyper.yaml").write_text("{batch: 4, crop_px: 48}")
    work = volume / "models" / "disks.training"
    first, second = pods(objects, tmp_path)
    end = time.monotonic() + 120
    while not list(work.glob("events.*")):  # the first step is near
        assert first.poll() is None and time.monotonic() < end, first.communicate()
        time.sleep(0.05)
    second.terminate()
    for pod in (first, second):
        said, _ = pod.communicate(timeout=120)
        assert pod.returncode not in (0, 2, 3), said  # so the Job tries it again
    begun = read_state(work)["step"]
    assert 0 < begun < STEPS

    lines = []
    for pod in pods(objects, tmp_path):
        said, _ = pod.communicate(timeout=300)
        assert pod.returncode == 0, said
        lines.append(said)
    assert f"going on from step {begun}" in lines[0] and "going on" not in lines[1]  # the first alone speaks
    assert read_state(work)["step"] == STEPS
    assert read_segmenter(volume / "models" / "disks").part == "nuclei"
