"""The Dockerfiles: what hadolint says, and what we promise of them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted([*ROOT.glob("services/**/Dockerfile"), *ROOT.glob("deploy/*/Dockerfile")])
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
    # The kubelet cannot tell whether a user given by name is root.
    users = [line for line in instructions(file) if line.startswith("USER ")]
    assert users[-1] == "USER 10001:10001"


@each
def test_the_process_of_an_image_gets_signals_itself(file: Path) -> None:
    # In ENTRYPOINT's shell form, the shell gets SIGTERM, and the server is killed later without a drain.
    entrypoints = [line for line in instructions(file) if line.startswith("ENTRYPOINT ")]
    assert entrypoints and all(line.startswith('ENTRYPOINT ["/') for line in entrypoints)


@each
def test_a_base_image_can_be_replaced(file: Path) -> None:
    text = instructions(file)
    stages = {line.split(" AS ")[1] for line in text if line.startswith("FROM ") and " AS " in line}
    bases = [line.split()[1] for line in text if line.startswith("FROM ")]
    assert all(base.startswith("${") or base in stages for base in bases), bases


def test_there_is_a_recipe_for_all_services_and_for_what_they_need() -> None:
    found = {str(file.parent.relative_to(ROOT)) for file in DOCKERFILES}
    assert found == {"services", "services/cli", "deploy/minio", "deploy/monitoring", "deploy/gateway"}


@pytest.mark.parametrize("service", ["evaluation", "generation", "pipeline", "reference", "segmentation"])
def test_an_image_of_a_service_holds_what_it_imports(service: str, tmp_path: Path) -> None:
    """What the Dockerfile copies is enough to start: every module of the service is found there, and no other's."""
    (tmp_path / "services").mkdir()
    shutil.copy(ROOT / "services" / "__init__.py", tmp_path / "services")
    cores = ("segmentation",) if service == "evaluation" else ()
    for part in ("common", service, *cores):
        shutil.copytree(ROOT / "services" / part, tmp_path / "services" / part)
    shutil.copytree(ROOT / "protos" / "biosynth", tmp_path / "biosynth")
    script = f"import services.{service}.__main__, services; print(*services.__path__)"
    command = [sys.executable, "-c", script]
    env = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "services")


def test_an_image_has_the_entry_points_that_an_installation_has(tmp_path: Path) -> None:
    [command] = re.findall(r'python3 -c "(.*?)"', (ROOT / "services" / "Dockerfile").read_text(), re.DOTALL)
    script = command.replace("\\\n", "").replace("\\\\", "\\")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    written = configparser.ConfigParser()
    written.read_string(done.stdout)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert {name: dict(written[name]) for name in written.sections()} == declared
    assert "cellpose-cyto" in declared["biosynth.segmenters"]


def instructions(file: Path) -> list[str]:
    return file.read_text().splitlines()
