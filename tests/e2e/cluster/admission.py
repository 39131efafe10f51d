"""Pod Security: what the namespace refuses."""

from __future__ import annotations

import sys

from tests.e2e.cluster.proof import Proof
from tests.e2e.kubectl import refused, say

# What each lacks of the standard `restricted`, beside what kubectl leaves out anyway.
_BAD = {
    "as-root": '{"spec": {"securityContext": {"runAsUser": 0}}}',
    "on-the-host": '{"spec": {"hostNetwork": true, "volumes": [{"name": "node", "hostPath": {"path": "/"}}]}}',
}


def bad_pods_are_refused(proof: Proof) -> None:
    """A pod that runs as root, and one that wants the node's network and files."""
    for name, overrides in _BAD.items():
        said = refused("run", name, f"--image=biosynth/cli:{proof.version}", f"--overrides={overrides}")
        say(f"refused: {said.strip()}")
        if 'violates PodSecurity "restricted' not in said:
            sys.exit("expected the refusal to come from Pod Security and its standard `restricted`")
