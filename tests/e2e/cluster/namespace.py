"""The deployment that is tested: applied at the beginning, deleted at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.cluster.proof import OVERLAY, ROOT, Proof
from tests.e2e.kubectl import run, say


def check_cluster(again: bool) -> None:
    """Say plainly where there is no cluster, or one with a deployment that is not ours to delete."""
    if shutil.which("kubectl") is None:
        sys.exit("no kubectl here: install it and run `make test-cluster` again")
    if not os.environ.get("KUBECONFIG"):
        sys.exit("no cluster to test on: KUBECONFIG is not set. Export it and run `make test-cluster` again")
    if subprocess.run(["kubectl", "get", "nodes"], capture_output=True).returncode:
        sys.exit(f"no cluster to test on: none answers under KUBECONFIG={os.environ['KUBECONFIG']}")
    run("kubectl", "get", "nodes")
    if not again and subprocess.run(["kubectl", "get", "namespace", "biosynth"], capture_output=True).returncode == 0:
        sys.exit(
            "expected a cluster without the namespace biosynth, which this proof deletes at its end; found it. "
            'Delete it, or, where it is left from an earlier run, give ARGS="--again"'
        )


@contextmanager
def deployed(proof: Proof, keep: bool) -> Iterator[None]:
    """The overlay, applied with its secrets; deleted at the end."""
    run(str(ROOT / "deploy" / "secrets.sh"), str(proof.secrets))
    run("kubectl", "apply", "--filename", str(ROOT / "deploy" / "k8s" / "base" / "namespace.yaml"))
    proof.apply_secrets()
    run("kubectl", "apply", "--kustomize", str(OVERLAY))
    try:
        yield
    finally:
        if not keep:
            run("kubectl", "delete", "--kustomize", str(OVERLAY), "--ignore-not-found", quiet=True)
            say("deleted; MinIO's data stays in /var/lib/biosynth on the node")
