"""The Dockerfiles: what hadolint says, and what we promise of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted([*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("deploy/*/Dockerfile")])
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent))
IGNORED = "DL3062"  # MinIO's version comes with a build argument, out of hadolint's sight

each = pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT)))


@each
def test_hadolint_finds_nothing(file: Path) -> None:
    if HADOLINT is None:
        pytest.skip("hadolint is not here")
    command = [HADOLINT, "--no-color", "--ignore", IGNORED, str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@each
def test_an_image_runs_as_a_numeric_user_that_is_not_root(file: Path) -> None:
    # The kubelet cannot tell that a user with a name is not root.
    users = [line for line in instructions(file) if line.startswith("USER ")]
    assert users[-1] == "USER 10001:10001"


@each
def test_the_process_of_an_image_gets_signals_itself(file: Path) -> None:
    # In the shell's form, the shell gets SIGTERM and the server is killed.
    entrypoints = [line for line in instructions(file) if line.startswith("ENTRYPOINT ")]
    assert entrypoints and all(line.startswith('ENTRYPOINT ["/') for line in entrypoints)


@each
def test_a_base_image_can_be_replaced(file: Path) -> None:
    text = instructions(file)
    stages = {line.split(" AS ")[1] for line in text if line.startswith("FROM ") and " AS " in line}
    bases = [line.split()[1] for line in text if line.startswith("FROM ")]
    assert all(base.startswith("${") or base in stages for base in bases), bases


def test_there_is_an_image_for_each_service_and_what_they_need() -> None:
    found = {str(file.parent.relative_to(ROOT)) for file in DOCKERFILES}
    services = ("cli", "evaluation", "generation", "pipeline", "reference", "segmentation")
    assert found == {*(f"services/{name}" for name in services), "deploy/minio", "deploy/monitoring"}


def test_service_images_differ_in_the_service_only() -> None:
    segmentation, reference, evaluation, pipeline = (
        [line.replace(name, "SERVICE") for line in instructions(ROOT / "services" / name / "Dockerfile")]
        for name in ("segmentation", "reference", "evaluation", "pipeline")
    )
    assert segmentation == reference == evaluation
    # The pipeline's has the cores besides that it plans with.
    assert [line for line in pipeline if line in segmentation] == segmentation


def instructions(file: Path) -> list[str]:
    return file.read_text().splitlines()
