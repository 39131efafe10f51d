"""Orders, as the READMEs of `bulk-generation`, `evaluation-job` and `training` show them, on copied manifests."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.deploy.rendering import DEPLOY, K8S, Object, environment, of_kind, render

WITH_STORE_USER = ("bulk-generation", "evaluation-job")
ORDERS = (*WITH_STORE_USER, "training")


def order(component: str, folder: Path) -> list[Object]:
    """The objects of the README's example, whose files are written where it says."""
    for part in ("k8s", "minio"):
        shutil.copytree(DEPLOY / part, folder / part, dirs_exist_ok=True)
    ours = folder / "k8s" / "orders" / component
    ours.mkdir(parents=True)
    readme = (K8S / "components" / component / "README.md").read_text()
    # Each block of code that begins with a comment that names it is a file.
    for text, name in re.findall(r"^```\w*\n(# ([\w.]+).*?)^```", readme, re.MULTILINE | re.DOTALL):
        (ours / name).write_text(text)
    return render(ours)


def job_of(objects: list[Object], component: str) -> Object:
    """Its Job."""
    return of_kind(objects, "Job")[component]


def container_of(objects: list[Object], component: str) -> Object:
    """The container of its pods."""
    (found,) = job_of(objects, component)["spec"]["template"]["spec"]["containers"]
    container: Object = found
    return container


def settings_of(objects: list[Object], component: str) -> dict[str, str]:
    """The ConfigMap of an order, and the variables of its container."""
    (found,) = (one for name, one in of_kind(objects, "ConfigMap").items() if name.startswith(f"{component}-"))
    return {**found["data"], **environment(container_of(objects, component))}


def start(
    objects: list[Object], component: str, index: int, folder: Path, env: Mapping[str, str], port: int = 0
) -> subprocess.Popen[str]:
    """Start what the Job's container runs, in a session of its own, with these variables besides the order's own.

    folder: where its volumes are. port: of this machine, where the pods of a training meet.
    """
    container = container_of(objects, component)
    (script,) = container["args"]
    script = script.replace("/opt/venv/bin/python", sys.executable)
    for mounted in ("/evaluations/", "/training/"):
        script = script.replace(mounted, f"{folder}{mounted}")
    script = script.replace("training-0.training", "127.0.0.1").replace("29500", str(port))
    everything = {**settings_of(objects, component), "JOB_COMPLETION_INDEX": str(index), **env}
    return subprocess.Popen(
        [*container["command"], script],
        env=everything, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
