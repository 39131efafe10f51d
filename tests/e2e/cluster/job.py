"""Jobs of the command's image in the cluster."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tests.e2e.kubectl import kubectl, say

_MANIFEST = Path(__file__).parent / "job.yaml"


def start_job(
    name: str, version: str, files: Mapping[str, bytes], arguments: Sequence[str], command: Sequence[str] = ()
) -> None:
    """Start job.yaml under that name, an earlier one deleted. files: by name, found in /files.

    command: in place of `biosynth`, which `arguments` are given to.
    """
    kubectl("delete", f"job/{name}", f"configmap/{name}", "--ignore-not-found", quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        for file, data in files.items():
            (Path(folder) / file).write_bytes(data)
        kubectl("create", "configmap", name, f"--from-file={folder}", quiet=True)
    manifest = yaml.safe_load(_MANIFEST.read_text())
    manifest["metadata"]["name"] = name
    pod = manifest["spec"]["template"]["spec"]
    next(volume for volume in pod["volumes"] if volume["name"] == "files")["configMap"]["name"] = name
    (container,) = pod["containers"]
    container |= {"image": f"{container['image']}:{version}", "args": [*arguments]}
    if command:
        container["command"] = [*command]
    kubectl("apply", "--filename", "-", stdin=json.dumps(manifest), quiet=True)
    say(f"Job {name}: {' '.join((*command, *arguments))}")
