"""`make test-cluster`: the local overlay on a real cluster, from nothing to images in MinIO, as a transcript.

The cluster is that of KUBECONFIG. Where no node offers nvidia.com/gpu, one is made to pose as a GPU node, tainted and
labelled as the GPU operator does it, once the generator was seen Pending; this is taken back at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from biosynth import BiosynthCallError
from grpc import StatusCode

from services.cli.composition import SERVICES
from services.common.imaging.images import encode_png
from tests.e2e.deployment import Deployment
from tests.e2e.kubectl import events, forwarded, kubectl, objects, pods, run, say, until
from tests.support.pictures import nuclei_picture

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "deploy" / "k8s" / "overlays" / "local"
IMAGES = ("segmentation", "reference", "generation-cpu", "evaluation", "pipeline", "gateway", "cli", "minio")
JOB = Path(__file__).parent / "run-job.yaml"
GATEWAY_PORT = 15051
STORE_PORT = 19000  # that for which the local overlay signs links
GPU = "nvidia.com/gpu"


def main() -> None:
    """Prove it step by step; ends with an exit code other than 0 at the first step that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", metavar="COMMAND", help="brings images into the nodes; is given their names")
    parser.add_argument("--secrets", type=Path, default=ROOT / "deploy" / "secrets", help="default: deploy/secrets")
    parser.add_argument("--version", required=True, help="tag of the images")
    parser.add_argument("--keep", action="store_true", help="leave everything running, and the node as it poses")
    parser.add_argument("--again", action="store_true", help="the namespace biosynth is there from an earlier --keep")
    arguments = parser.parse_args()
    check_cluster(arguments.again)
    if arguments.load:
        names = [f"biosynth/{image}:{arguments.version}" for image in IMAGES]
        run(*shlex.split(arguments.load), *names)
    with deployed(arguments.secrets, arguments.keep), gpu_node(arguments.secrets, arguments.keep):
        everything_is_ready()
        a_job_in_the_cluster_runs_the_pipeline()
        tests_from_outside(arguments.secrets)
        store_has_the_images()
        bad_settings_are_told(arguments.secrets)
    say("all of it holds")


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
def deployed(secrets: Path, keep: bool) -> Iterator[None]:
    """The overlay, applied with its secrets; deleted at the end."""
    run(str(ROOT / "deploy" / "secrets.sh"), str(secrets))
    run("kubectl", "apply", "--filename", str(ROOT / "deploy" / "k8s" / "base" / "namespace.yaml"))
    run(str(ROOT / "deploy" / "k8s" / "secrets.sh"), str(secrets), quiet=True)
    run("kubectl", "apply", "--kustomize", str(OVERLAY))
    try:
        yield
    finally:
        if not keep:
            run("kubectl", "delete", "--kustomize", str(OVERLAY), "--ignore-not-found", quiet=True)
            say("deleted; MinIO's data stays in /var/lib/biosynth on the node")


@contextmanager
def gpu_node(secrets: Path, keep: bool) -> Iterator[None]:
    """See the generator wait for a GPU, then give one node a GPU to offer."""
    if any(GPU in node["status"]["capacity"] for node in objects("nodes")):
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
    a_run_says_that_generation_is_missing(secrets)
    node = objects("nodes")[0]["metadata"]["name"]
    pose(node)
    try:
        yield
    finally:
        if not keep:
            stop_posing(node)


def a_run_says_that_generation_is_missing(secrets: Path) -> None:
    """The error that a caller gets while no node has a GPU."""
    with (
        forwarded("service/gateway", GATEWAY_PORT, 50051) as endpoint,
        Deployment(endpoint, secrets, "").client() as client,
    ):
        try:
            client.run(image=encode_png(nuclei_picture()))
        except BiosynthCallError as error:
            say(f"a run is answered: {error}")
            if error.code is StatusCode.UNAVAILABLE and "GenerationService" in error.message:
                return
    sys.exit("expected a run without a generator to be answered UNAVAILABLE, naming GenerationService")


def pose(node: str) -> None:
    """Make a node offer a GPU, tainted and labelled as the GPU operator does it."""
    patch = [{"op": "add", "path": "/status/capacity/nvidia.com~1gpu", "value": "1"}]
    run("kubectl", "patch", "node", node, "--subresource=status", "--type=json", "--patch", json.dumps(patch))
    run("kubectl", "taint", "node", node, f"{GPU}=present:NoSchedule")
    run("kubectl", "label", "node", node, "nvidia.com/gpu.present=true", "nvidia.com/gpu.memory=81559")


def stop_posing(node: str) -> None:
    """Take it all back."""
    patch = [{"op": "remove", "path": "/status/capacity/nvidia.com~1gpu"}]
    run("kubectl", "patch", "node", node, "--subresource=status", "--type=json", "--patch", json.dumps(patch))
    run("kubectl", "taint", "node", node, f"{GPU}-")
    run("kubectl", "label", "node", node, "nvidia.com/gpu.present-", "nvidia.com/gpu.memory-")


def everything_is_ready() -> None:
    """All rollouts complete, and the generator where the GPU is."""
    for name in (*SERVICES, "gateway"):
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=300s")
    kubectl("get", "pods", "--output", "wide")
    (pod,) = pods("generation")
    node = next(node for node in objects("nodes") if node["metadata"]["name"] == pod["spec"]["nodeName"])
    say(f"generation runs on {node['metadata']['name']}, whose taints are {json.dumps(node['spec'].get('taints', []))}")
    holds = pod["spec"]["containers"][0]["resources"]["limits"].get(GPU)
    if holds != "1" or GPU not in node["status"]["capacity"]:
        sys.exit(f"expected generation to hold one {GPU} of a node that has some; it holds {holds}")


def a_job_in_the_cluster_runs_the_pipeline() -> None:
    """`biosynth run` as a Job, on a picture from a ConfigMap."""
    kubectl("delete", "job/biosynth-run", "configmap/picture", "--ignore-not-found", quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        picture.write_bytes(encode_png(nuclei_picture(seed=11)))
        kubectl("create", "configmap", "picture", f"--from-file={picture}")
    tag = pods("pipeline")[0]["spec"]["containers"][0]["image"].rpartition(":")[2]
    kubectl("apply", "--filename", "-", stdin=JOB.read_text().replace("biosynth/cli", f"biosynth/cli:{tag}"))
    kubectl("wait", "job/biosynth-run", "--for=condition=Complete", "--timeout=180s")
    kubectl("logs", "job/biosynth-run")


def tests_from_outside(secrets: Path) -> None:
    """The tests that compose passes too, through two port-forwards."""
    with (
        forwarded("service/gateway", GATEWAY_PORT, 50051) as endpoint,
        forwarded("service/minio", STORE_PORT, 9000) as store,
    ):
        named = {"ENDPOINT": endpoint, "SECRETS": str(secrets.resolve()), "STORE": f"http://{store}"}
        env = {**os.environ, **{f"BIOSYNTH_TEST_{name}": value for name, value in named.items()}}
        command = [sys.executable, "-m", "pytest", "-v", "--no-header", str(Path(__file__).parent)]
        say(f"$ {shlex.join(command[1:])}")
        if subprocess.run(command, env=env, cwd=ROOT).returncode:
            sys.exit("the tests from outside failed")


def store_has_the_images() -> None:
    """What lies in MinIO now, by folder."""
    listing = kubectl("exec", "statefulset/minio", "--", "find", "/data/biosynth", "-name", "xl.meta", quiet=True)
    keys = [line.removeprefix("/data/biosynth/").removesuffix("/xl.meta") for line in listing.splitlines()]
    for key in sorted(key for key in keys if key.endswith((".png", ".tif", ".onnx")))[:12]:
        print(f"    {key}")
    counts = {prefix: sum(key.startswith(f"{prefix}/") for key in keys) for prefix in ("inputs", "results", "models")}
    say(f"objects in MinIO: {counts}")
    if not all(counts.values()):
        sys.exit("expected inputs, results and models in MinIO")


def bad_settings_are_told(secrets: Path) -> None:
    """A wrong setting of one service shows in its pod, in plain words."""
    cases = {
        "BIOSYNTH_STORE_BUCKET=absent": "BIOSYNTH_STORE_BUCKET",
        "BIOSYNTH_STORE_ENDPOINT=http://nowhere:9000": "the object store does not answer",
        "BIOSYNTH_REFLECTION=true": "BIOSYNTH_REQUIRE_AUTH is on",
    }
    for setting, words in cases.items():
        kubectl("set", "env", "deployment/evaluation", setting, "BIOSYNTH_START_WAIT_SECONDS=2")
        said = until(f"with {setting} the pod says why it cannot start", partial(told, "evaluation", words))
        say(f"pod: {said}")
        kubectl("rollout", "undo", "deployment/evaluation")
        kubectl("rollout", "status", "deployment/evaluation", "--timeout=120s", quiet=True)
    kubectl("delete", "secret", "biosynth-store-reference")
    kubectl("delete", "pod", "--selector", "app.kubernetes.io/name=reference", "--wait=false")
    said = until(
        "without its Secret the pod's events say which one is missing",
        lambda: [text for pod in pods("reference") for text in events(pod) if "biosynth-store-reference" in text],
    )
    say(f"event: {said[0]}")
    run(str(ROOT / "deploy" / "k8s" / "secrets.sh"), str(secrets), quiet=True)
    kubectl("rollout", "status", "deployment/reference", "--timeout=180s")


def told(service: str, words: str) -> str:
    """The last line of the message with which this service's container ended, if it holds `words`; else empty."""
    for pod in pods(service):
        for status in pod["status"].get("containerStatuses", []):
            for state in (status["state"], status["lastState"]):
                if words in (text := state.get("terminated", {}).get("message", "")):
                    return str(text.strip().splitlines()[-1])
    return ""


if __name__ == "__main__":
    main()
