"""pin.sh and secrets.sh, with a docker and a kubectl of ours first on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.deploy.rendering import K8S, containers, render

DIGEST = "sha256:" + "ab" * 32
# Answers `docker image inspect --format ... NAME:TAG` as an engine does that pushed to two registries.
DOCKER = f"""#!/bin/sh
for last; do :; done
echo "elsewhere.invalid/${{last##*/}}@sha256:{"00" * 32}"
echo "${{last%:*}}@{DIGEST}"
"""
NEVER_PUSHED = "#!/bin/sh\nexit 1\n"
# Prints what it is asked for; `apply` passes on what it is given.
KUBECTL = """#!/bin/sh
case "$*" in *apply*) cat;; *) echo "$*";; esac
"""


def test_pin_names_every_image_of_the_production_overlay_by_the_digest_in_that_registry(tmp_path: Path) -> None:
    k8s = copied(tmp_path)
    done = run(k8s / "pin.sh", "registry.invalid/team", "1.2.3", docker=DOCKER)
    assert done.returncode == 0, done.stderr
    for where, container in containers(render(k8s / "overlays" / "production")):
        assert container["image"].startswith("registry.invalid/team/biosynth/"), where
        assert container["image"].endswith("@" + DIGEST), where


def test_pin_says_which_image_was_not_pushed_and_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    k8s = copied(tmp_path)
    file = k8s / "overlays" / "production" / "images" / "kustomization.yaml"
    before = file.read_bytes()
    done = run(k8s / "pin.sh", "registry.invalid/team", docker=NEVER_PUSHED)
    assert done.returncode == 1
    assert "expected registry.invalid/team/biosynth/segmentation:0.1.0 to have been pushed" in done.stderr
    assert file.read_bytes() == before


def test_pin_without_a_registry_teaches_its_use(tmp_path: Path) -> None:
    done = run(copied(tmp_path) / "pin.sh", docker=DOCKER)
    assert done.returncode == 2 and "pin.sh REGISTRY" in done.stdout


def test_secrets_are_made_of_every_folder_but_the_ca(tmp_path: Path) -> None:
    folder = secrets(tmp_path / "secrets")
    done = run(K8S / "secrets.sh", str(folder), "lab", kubectl=KUBECTL)
    assert done.returncode == 0, done.stderr
    made = [line for line in done.stdout.splitlines() if "create secret generic" in line]
    users = ("evaluation", "generation", "models", "pipeline", "reference", "segmentation")
    assert {line.split("generic ")[1].split()[0] for line in made} == {
        "biosynth-tls",
        "biosynth-token",
        *(f"biosynth-store-{user}" for user in users),
    }
    assert all(line.startswith("--namespace lab ") for line in made)


def test_secrets_names_the_file_that_is_missing_before_it_changes_anything(tmp_path: Path) -> None:
    folder = secrets(tmp_path / "secrets")
    (folder / "store-pipeline" / "secret-key").unlink()
    done = run(K8S / "secrets.sh", str(folder), kubectl=KUBECTL)
    assert done.returncode == 1 and done.stdout == ""
    assert f"expected the file {folder}/store-pipeline/secret-key" in done.stderr


def copied(folder: Path) -> Path:
    """The manifests, so that pin.sh may write."""
    shutil.copytree(K8S, folder / "k8s")
    return folder / "k8s"


def secrets(folder: Path) -> Path:
    files = {"tls": ["ca.crt", "tls.crt", "tls.key"], "token": ["token"], "ca": ["ca.key"]}
    for user in ("segmentation", "reference", "generation", "evaluation", "pipeline", "models"):
        files[f"store-{user}"] = ["access-key", "secret-key"]
    for name, children in files.items():
        (folder / name).mkdir(parents=True)
        for child in children:
            (folder / name / child).write_text("x")
    return folder


def run(script: Path, *arguments: str, **commands: str) -> subprocess.CompletedProcess[str]:
    """Run it with these commands instead of the machine's."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in commands.items():
            (Path(folder) / name).write_text(text)
            (Path(folder) / name).chmod(0o755)
        env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run([str(script), *arguments], capture_output=True, text=True, env=env)
