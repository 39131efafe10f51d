"""A node that poses as a GPU node, and the generator that waits for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from biosynth import BiosynthCallError, Client
from grpc import StatusCode

from services.common.imaging.images import encode_png
from tests.e2e.cluster.proof import Proof
from tests.e2e.deployment import Deployment
from tests.e2e.kubectl import events, forwarded, kubectl, objects, pods, run, say, until
from tests.support.pictures import nuclei_picture

GPU = "nvidia.com/gpu"
GPUS = 2  # that the node poses with: one for each of two generators


def gpus_offered() -> int:
    """How many GPUs all nodes offer together."""
    return sum(int(node["status"]["capacity"].get(GPU, 0)) for node in objects("nodes"))


@contextmanager
def gpu_node(proof: Proof, keep: bool) -> Iterator[None]:
    """See the generator wait for a GPU, then give one node GPUs to offer."""
    if gpus_offered():
        say(f"a node offers {GPU} already: the generator is not seen Pending in this run")
        yield
        return
    for name in ("segmentation", "reference", "evaluation", "pipeline", "gateway"):
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=300s")
    for job in ("store-setup", "push-models"):
        kubectl("wait", f"job/{job}", "--for=condition=Complete", "--timeout=300s")
    said = until(
        "the generator is Pending, and its events say that a GPU is missing",
        lambda: [text for pod in pods("generation") for text in events(pod) if f"Insufficient {GPU}" in text],
    )
    say(f"event: {said[0]}")
    kubectl("get", "pods")
    _a_run_says_that_generation_is_missing(proof)
    node = objects("nodes")[0]["metadata"]["name"]
    _pose(node)
    try:
        yield
    finally:
        if not keep:
            _stop_posing(node)


def _a_run_says_that_generation_is_missing(proof: Proof) -> None:
    """The error that a caller gets while no node has a GPU; the others, just started, may be missed at first."""
    with (
        forwarded("service/gateway", 50051) as endpoint,
        Deployment(endpoint, proof.secrets, "").client() as client,
    ):
        until("a run is answered UNAVAILABLE, naming GenerationService", lambda: _names_generation(client), 60)


def _names_generation(client: Client) -> bool:
    try:
        client.run(image=encode_png(nuclei_picture()))
    except BiosynthCallError as error:
        say(f"a run is answered: {error}")
        return error.code is StatusCode.UNAVAILABLE and "GenerationService" in error.message
    return False


def _pose(node: str) -> None:
    """Make a node offer GPUs, tainted and labelled as the GPU operator does it."""
    patch = [{"op": "add", "path": "/status/capacity/nvidia.com~1gpu", "value": str(GPUS)}]
    run("kubectl", "patch", "node", node, "--subresource=status", "--type=json", "--patch", json.dumps(patch))
    run("kubectl", "taint", "node", node, f"{GPU}=present:NoSchedule")
    run("kubectl", "label", "node", node, "nvidia.com/gpu.present=true", "nvidia.com/gpu.memory=81559")


def _stop_posing(node: str) -> None:
    """Take it all back."""
    patch = [{"op": "remove", "path": "/status/capacity/nvidia.com~1gpu"}]
    run("kubectl", "patch", "node", node, "--subresource=status", "--type=json", "--patch", json.dumps(patch))
    run("kubectl", "taint", "node", node, f"{GPU}-")
    run("kubectl", "label", "node", node, "nvidia.com/gpu.present-", "nvidia.com/gpu.memory-")
