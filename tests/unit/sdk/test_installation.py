"""The SDK as it is installed from a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path


def test_a_clone_named_biosynth_in_the_working_directory_does_not_hide_the_sdk(tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "protos"
    project = tmp_path / "protos"
    shutil.copytree(source, project, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    built, site = tmp_path / "built", tmp_path / "site"
    built.mkdir()
    build = f"import setuptools.build_meta as backend; backend.build_editable({str(built)!r})"
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", build], cwd=project, env=without, check=True, capture_output=True)
    [wheel] = built.iterdir()
    zipfile.ZipFile(wheel).extractall(site)
    clone = tmp_path / "home" / "biosynth"
    clone.mkdir(parents=True)
    (clone / "README.md").write_text("a clone")
    # As the interpreter reads a site-packages folder: paths in .pth files go to the end, hooks are installed.
    imported = f"import site; site.addsitedir({str(site)!r}); from biosynth import Client; print(Client.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", imported], cwd=clone.parent, env=without, check=False, capture_output=True, text=True
    )
    assert done.stdout == "biosynth.client\n", done.stderr
