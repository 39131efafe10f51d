"""How a service's process starts, and what it says where it cannot."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from biosynth import Client

from services.common.storage.folder import FolderStore
from services.generation.model import SHIPPED, read_model
from services.generation.repository import push_model


def environment(folder: Path, **settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "BIOSYNTH_STORE_PATH": str(folder / "store"), **settings}


@contextmanager
def process(service: str, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"services.{service}"]
    started = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def last_words(service: str, env: Mapping[str, str]) -> str:
    """What a process says that cannot start."""
    with process(service, env) as started:
        _, words = started.communicate(timeout=30)
        assert started.returncode == 1
    return words


@pytest.mark.parametrize(
    ("service", "settings", "words"),
    [
        ("segmentation", {"BIOSYNTH_STORE_PATH": ""}, "BIOSYNTH_STORE_PATH is not set"),
        (
            "reference",
            {"BIOSYNTH_REQUIRE_AUTH": "true", "BIOSYNTH_REFLECTION": "true"},
            "BIOSYNTH_REQUIRE_AUTH is on: expected also BIOSYNTH_TLS_CERT_FILE and BIOSYNTH_TLS_KEY_FILE, "
            "BIOSYNTH_TOKEN_FILE, BIOSYNTH_REFLECTION off",
        ),
        ("segmentation", {"BIOSYNTH_TOKEN_FILE": "/nowhere/token"}, "BIOSYNTH_TOKEN_FILE: expected a readable file"),
        ("generation", {"BIOSYNTH_MODELS_FROM": "store"}, "expected models under models/ in the store, found none"),
        ("generation", {"BIOSYNTH_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": ""}, "BIOSYNTH_DEVICE: "),
        ("generation", {"BIOSYNTH_DEVICE": "cpu", "BIOSYNTH_PRECISION": "bfloat16"}, "BIOSYNTH_PRECISION: "),
        ("generation", {"BIOSYNTH_CPU_ENGINE": "torch"}, "BIOSYNTH_CPU_ENGINE: expected one of onnxruntime, openvino"),
        ("pipeline", {}, "BIOSYNTH_SEGMENTATION_ENDPOINT is not set"),
        (
            "evaluation",
            {
                "BIOSYNTH_STORE": "s3",
                "BIOSYNTH_STORE_ENDPOINT": "http://127.0.0.1:9",
                "BIOSYNTH_STORE_BUCKET": "biosynth",
                "BIOSYNTH_STORE_ACCESS_KEY": "x",
                "BIOSYNTH_STORE_SECRET_KEY": "y",
            },
            "the object store does not answer",
        ),
    ],
)
def test_a_start_that_cannot_be_ends_with_one_plain_line(
    tmp_path: Path, service: str, settings: dict[str, str], words: str
) -> None:
    said = last_words(service, environment(tmp_path, **settings)).splitlines()
    assert said[-1].startswith(f"cannot start: {words}")
    assert not any("Traceback" in line for line in said)


def test_a_generator_waits_for_models_and_generates_with_those_that_come(tmp_path: Path) -> None:
    settings = {"BIOSYNTH_MODELS_FROM": "store", "BIOSYNTH_START_WAIT_SECONDS": "60", "BIOSYNTH_DEVICE": "cpu"}
    env = environment(tmp_path, BIOSYNTH_ADDRESS="127.0.0.1:0", **settings)
    with process("generation", env) as started:
        assert started.stderr is not None
        assert re.search(r"waiting for \d+ more seconds: expected models under models/", started.stderr.readline())
        push_model(FolderStore(tmp_path / "store"), read_model(SHIPPED / "fluo-nuclei"))
        serving = next(json.loads(line) for line in started.stderr if '"message": "serving"' in line)
        with Client(serving["address"], timeout_s=30) as client:
            (model,) = client.list_models()
        assert model.name == "fluo-nuclei"
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0


def test_a_process_that_waits_ends_at_once_when_told_to(tmp_path: Path) -> None:
    settings = {"BIOSYNTH_MODELS_FROM": "store", "BIOSYNTH_START_WAIT_SECONDS": "60"}
    with process("generation", environment(tmp_path, **settings)) as started:
        assert started.stderr is not None
        started.stderr.readline()
        begin = time.monotonic()
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 128 + signal.SIGTERM
        assert time.monotonic() - begin < 10


def test_the_pipeline_says_at_start_which_services_do_not_answer(tmp_path: Path) -> None:
    names = ("SEGMENTATION", "REFERENCE", "GENERATION")
    settings = {f"BIOSYNTH_{name}_ENDPOINT": "127.0.0.1:1" for name in names}
    with process("pipeline", environment(tmp_path, BIOSYNTH_ADDRESS="127.0.0.1:0", **settings)) as started:
        assert started.stderr is not None
        said = "".join(line for _, line in zip(range(4), started.stderr, strict=False))
    for name in names:
        assert f"BIOSYNTH_{name}_ENDPOINT: 127.0.0.1:1 does not answer: UNAVAILABLE" in said
