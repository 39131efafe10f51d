"""Two generators under load, while pods go: no call may fail after the SDK's retries."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tests.e2e.cluster.generators import generator_names, generators_are_ready, set_generators
from tests.e2e.cluster.killing import kill_process
from tests.e2e.cluster.load import DIRECT, GATEWAY, load, tell
from tests.e2e.cluster.proof import Proof
from tests.e2e.kubectl import kubectl, pods, until

_AFTER_S = 15  # so that calls which were hit have come to their end


def no_call_fails_while_pods_go(proof: Proof) -> None:
    """An update, a process killed, and a pod deleted with force, as when its node is lost."""
    set_generators(2)
    with load(proof, "load-direct", DIRECT, 4) as direct, load(proof, "load-gateway", GATEWAY, 2) as gateway:
        for what, disrupt in _DISRUPTIONS.items():
            before = {calls: len(calls.calls()) for calls in (direct, gateway)}
            disrupt(proof)
            generators_are_ready()
            time.sleep(_AFTER_S)
            since = {calls: calls.calls()[count:] for calls, count in before.items()}
            if tell(f"{what}, called directly", since[direct]) + tell(f"{what}, by the gateway", since[gateway]):
                sys.exit("expected no call to fail")


def _update(_: Proof) -> None:
    kubectl("rollout", "restart", "deployment/generation")


def _kill(proof: Proof) -> None:
    pod = pods("generation")[0]
    name = pod["metadata"]["name"]
    restarts = _restarts(name)
    kill_process(proof, pod, "service.py")
    until(f"the container of {name} was started again", lambda: _restarts(name) > restarts, 60)


def _restarts(name: str) -> int:
    (pod,) = (pod for pod in pods("generation") if pod["metadata"]["name"] == name)
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def _lose(_: Proof) -> None:
    kubectl("delete", "pod", generator_names()[0], "--force", "--grace-period=0")


_DISRUPTIONS: dict[str, Callable[[Proof], None]] = {
    "rolling update": _update,
    "a killed process": _kill,
    "a pod deleted with force": _lose,
}
