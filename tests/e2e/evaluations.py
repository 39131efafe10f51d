"""Evaluations for Prometheus to show: of a model that draws noise, of long ago, and one that is damaged."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from services.common.imaging.images import encode_png
from services.evaluation.model_evaluations import FOLDER, ModelEvaluation, record_evaluation
from tests.e2e.deployment import Deployment
from tests.e2e.more_containers import store
from tests.support.pictures import nuclei_picture

ROOT = Path(__file__).parents[2]
DAY = 86400


@contextmanager
def noise_evaluated(deployment: Deployment) -> Iterator[None]:
    """`biosynth evaluate` has found a model's images to be noise."""
    with tempfile.TemporaryDirectory() as name:
        write_sets(Path(name))
        command = [sys.executable, "-m", "services.cli", "evaluate", "real", "noise", "--labels", "labels", "--judge",
                   "nuclei", "--model", "draws-noise/1", "--out", "report"]  # fmt: skip
        env = {**deployment.environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
        done = subprocess.run(command, cwd=name, env=env, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"expected the evaluation to be done; it said: {done.stderr}")
    with gone_afterwards(deployment, "draws-noise"):
        yield


def write_sets(folder: Path, count: int = 12) -> None:
    """Folders real, noise and labels, with images of the same names."""
    generator = np.random.default_rng(int(time.time()))
    for set_of in ("real", "noise", "labels"):
        (folder / set_of).mkdir()
    for number in range(count):
        real = nuclei_picture(256, 256, 24, seed=int(generator.integers(2**31)))
        noise = generator.integers(0, 255, real.shape).astype(np.uint8)
        _, labels = cv2.connectedComponents((real > 60).astype(np.uint8))
        for set_of, image in {"real": real, "noise": noise, "labels": labels.astype(np.uint8)}.items():
            (folder / set_of / f"{number}.png").write_bytes(encode_png(image))


@contextmanager
def evaluated_long_ago(deployment: Deployment) -> Iterator[None]:
    """A model whose last evaluation is 40 days old."""
    old = ModelEvaluation("forgotten", "1", time.time() - 40 * DAY, "results/compare-sets/none", {})
    record_evaluation(store(deployment, "root"), old)
    with gone_afterwards(deployment, "forgotten"):
        yield


@contextmanager
def damaged(deployment: Deployment) -> Iterator[None]:
    """A record that holds something else."""
    key = f"{FOLDER}{1:013}_damaged_1_{'0' * 16}.json"
    deployment.store_root().put_object("biosynth", key, BytesIO(b"half"), 4)
    with gone_afterwards(deployment, "damaged"):
        yield


@contextmanager
def gone_afterwards(deployment: Deployment, name: str) -> Iterator[None]:
    """Delete the records of a model, as an operator may."""
    try:
        yield
    finally:
        root = deployment.store_root()
        for entry in root.list_objects("biosynth", FOLDER, recursive=True):
            if f"_{name}_" in str(entry.object_name):
                root.remove_object("biosynth", str(entry.object_name))
