"""Everything is up, and the pipeline runs: from a Job, and from outside."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from services.cli.composition import SERVICES
from services.common.imaging.images import encode_png
from tests.e2e.cluster.gpus import GPU
from tests.e2e.cluster.job import start_job
from tests.e2e.cluster.proof import ROOT, STORE_PORT, Proof
from tests.e2e.kubectl import forwarded, kubectl, objects, pods, say
from tests.support.pictures import nuclei_picture


def the_pipeline_runs(proof: Proof) -> None:
    """Rollouts, a run in the cluster, the tests that compose passes too, and what lies in MinIO then."""
    everything_is_ready()
    a_job_in_the_cluster_runs_the_pipeline(proof)
    tests_from_outside(proof)
    store_has_the_images()


def everything_is_ready() -> None:
    """All rollouts complete, and the generator where the GPU is."""
    for name in (*SERVICES, "gateway"):
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=300s")
    kubectl("get", "pods", "--output", "wide")
    pod, *_ = pods("generation")
    node = next(node for node in objects("nodes") if node["metadata"]["name"] == pod["spec"]["nodeName"])
    say(f"generation runs on {node['metadata']['name']}, whose taints are {json.dumps(node['spec'].get('taints', []))}")
    holds = pod["spec"]["containers"][0]["resources"]["limits"].get(GPU)
    if holds != "1" or GPU not in node["status"]["capacity"]:
        sys.exit(f"expected generation to hold one {GPU} of a node that has some; it holds {holds}")


def a_job_in_the_cluster_runs_the_pipeline(proof: Proof) -> None:
    """`biosynth run` as a Job, on a picture from a ConfigMap."""
    picture = {"picture.png": encode_png(nuclei_picture(seed=11))}
    arguments = ["run", "/files/picture.png", "--out", "/tmp/out", "--endpoint", "dns:///gateway:50051"]  # noqa: S108
    start_job("biosynth-run", proof.version, picture, [*arguments, "--seed", "7", "--json"])
    kubectl("wait", "job/biosynth-run", "--for=condition=Complete", "--timeout=180s")
    kubectl("logs", "job/biosynth-run")


def tests_from_outside(proof: Proof) -> None:
    """The tests that compose passes too, through two port-forwards."""
    with (
        forwarded("service/gateway", 50051) as endpoint,
        forwarded("service/minio", 9000, STORE_PORT) as store,
    ):
        named = {"ENDPOINT": endpoint, "SECRETS": str(proof.secrets.resolve()), "STORE": f"http://{store}"}
        env = {**os.environ, **{f"BIOSYNTH_TEST_{name}": value for name, value in named.items()}}
        command = [sys.executable, "-m", "pytest", "-v", "--no-header", str(Path(__file__).parents[1])]
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
