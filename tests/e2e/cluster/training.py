"""A training by two pods, from a dataset on a volume to a model on it."""

from __future__ import annotations

import json
import secrets
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.cluster.order import apply_order
from tests.e2e.cluster.proof import Proof
from tests.e2e.kubectl import kubectl, objects, run, say
from tests.training.disk_fields import write_disk_fields

_VOLUME = Path(__file__).parent / "training-volume.yaml"
_HYPER = {"batch": 4, "crop_px": 32, "width": 20, "blocks": 1, "discriminator_width": 8, "bfloat16": False}
_NODE = ("kubectl", "--namespace", "biosynth-node")


def two_pods_train_a_model(proof: Proof) -> None:
    """Few steps of a small network: what is shown is that the pods find each other, go on together and end."""
    out = f"proof-{secrets.token_hex(4)}"
    _clear()
    _prepare(proof)
    options = "--steps 4 --hyper /training/hyper.yaml --json"
    order = {"WHAT": "generator", "DATASET": "dataset", "OUT": out, "NODES": 2, "OPTIONS": options}
    apply_order("training", order, [_claim(), _small()])
    kubectl("wait", "job/training", "--for=condition=Complete", "--timeout=400s")
    (job,) = [job for job in objects("jobs") if job["metadata"]["name"] == "training"]
    done = job["status"]["completedIndexes"]
    record = _record()
    steps, fields = record["training"]["hyper-parameters"]["steps"], record["training"]["fields"]
    say(f"training: indexes {done} completed; model {record['model']} after {steps} steps on {fields}")
    if done != "0,1" or record["model"] != out:
        sys.exit("expected both pods to end, and one of them to write the model")
    _clear()


def _clear() -> None:
    """Delete the order and its volume: one that was claimed before would not be bound again. The folder stays."""
    kinds = "job,service,networkpolicy,configmap,persistentvolumeclaim"
    kubectl("delete", kinds, "--selector", "app.kubernetes.io/name=training", quiet=True)
    run("kubectl", "delete", "--filename", str(_VOLUME), "--ignore-not-found", quiet=True)


def _prepare(proof: Proof) -> None:
    """A volume with a tiny dataset on it: a folder of the node, for clusters without a provisioner."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "dataset"
        folder.mkdir()
        write_disk_fields(folder)
        (Path(name) / "hyper.yaml").write_text(yaml.safe_dump(_HYPER))
        run(*_NODE, "delete", "configmap/training-data", "--ignore-not-found", quiet=True)
        file = Path(name) / "data.tar"
        with tarfile.open(file, "w") as tar:
            tar.add(folder, "dataset")
            tar.add(Path(name) / "hyper.yaml", "hyper.yaml")
        run(*_NODE, "create", "configmap", "training-data", f"--from-file={file}", quiet=True)
    manifest = _VOLUME.read_text().replace("biosynth/minio", f"biosynth/minio:{proof.version}")
    run("kubectl", "apply", "--filename", "-", stdin=manifest)
    run(*_NODE, "wait", "pod/training-data", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", quiet=True)


def _claim() -> dict[str, Any]:
    """The volume that _prepare made."""
    operation = {"op": "add", "path": "/spec/storageClassName", "value": "biosynth-training"}
    return {"target": {"kind": "PersistentVolumeClaim", "name": "training"}, "patch": json.dumps([operation])}


def _small() -> dict[str, Any]:
    """Requests that leave room for two pods on the one node."""
    requests = {"cpu": "100m", "memory": "512Mi"}
    path = "/spec/template/spec/containers/0/resources/requests"
    operation = {"op": "replace", "path": path, "value": requests}
    return {"target": {"kind": "Job", "name": "training"}, "patch": json.dumps([operation])}


def _record() -> dict[str, Any]:
    """What the command answered by --json, in the log of one of the pods."""
    names = [str(pod["metadata"]["name"]) for pod in objects("pods", "--selector", "job-name=training")]
    told = [log for name in names if '"model"' in (log := kubectl("logs", name, quiet=True))]
    if len(told) != 1:
        sys.exit(f"expected one of {', '.join(names)} to tell of the model; {len(told)} do")
    record: dict[str, Any] = json.loads(told[0][told[0].index("{\n") :])
    return record
