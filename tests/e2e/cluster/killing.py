"""SIGKILL for a process of a pod, as when the kernel is out of memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.e2e.cluster.proof import Proof
from tests.e2e.kubectl import run, say

_MANIFEST = Path(__file__).parent / "kill-pod.json"
_NODE = ("kubectl", "--namespace", "biosynth-node")


def kill_process(proof: Proof, pod: dict[str, Any], words: str) -> None:
    """Kill the processes of that pod whose command line holds these words, from a privileged pod on the same node.

    From within its own container, process 1 cannot be killed.
    """
    manifest = json.loads(_MANIFEST.read_text())
    manifest["spec"]["nodeName"] = pod["spec"]["nodeName"]
    manifest["spec"]["containers"][0] |= {
        "image": f"biosynth/minio:{proof.version}",
        "env": [{"name": "POD", "value": pod["metadata"]["uid"]}, {"name": "WORDS", "value": words}],
    }
    run("kubectl", "create", "--filename", "-", stdin=json.dumps(manifest), quiet=True)
    run(*_NODE, "wait", "pod/kill-pod", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", quiet=True)
    said = run(*_NODE, "logs", "kill-pod", quiet=True)
    run(*_NODE, "delete", "pod", "kill-pod", quiet=True)
    if "killed" not in said:
        sys.exit(f"expected a process of {pod['metadata']['name']} to be killed; found none with {words!r}")
    say(f"SIGKILL in {pod['metadata']['name']}: {said.strip()}")
