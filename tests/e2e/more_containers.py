"""Containers beside a deployment by compose, for symptoms that its own cannot have; each is removed at the end."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.storage.config import StoreConfig
from services.common.storage.store import Store
from services.common.storage.stores import open_store
from services.generation.model import SHIPPED, read_model
from services.generation.repository import push_model
from tests.e2e.deployment import Deployment
from tests.e2e.kubectl import run
from tests.e2e.symptoms import container

NETWORK = "biosynth_default"
# As NVIDIA's exporter has it. There is no GPU in a deployment by compose, so this one is made up.
_IDLE_GPU = 'DCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="made-up"} 3\n'


@contextmanager
def beside(name: str, *arguments: str) -> Iterator[None]:
    """`docker run` these arguments, with `name` as its host in the deployment's network."""
    run("docker", "run", "--detach", "--rm", "--name", f"biosynth-{name}", "--network", NETWORK, "--network-alias",
        name, *arguments, quiet=True)  # fmt: skip
    try:
        yield
    finally:
        run("docker", "rm", "--force", f"biosynth-{name}", quiet=True)


@contextmanager
def full_minio(version: str, secrets: Path) -> Iterator[None]:
    """A MinIO whose disk of 64 MiB is nearly full."""
    options = ["--tmpfs", "/data:size=64m,uid=10001", "--volume", f"{secrets}/store-root:/run/secrets/store-root:ro"]
    for name, file in {"USER": "access-key", "PASSWORD": "secret-key"}.items():
        options += ["--env", f"MINIO_ROOT_{name}_FILE=/run/secrets/store-root/{file}"]
    with beside("minio-small", *options, "--env", "MINIO_PROMETHEUS_AUTH_TYPE=public", f"biosynth/minio:{version}"):
        run("docker", "exec", "biosynth-minio-small", "dd", "if=/dev/zero", "of=/data/full", "bs=1M", "count=60",
            quiet=True)  # fmt: skip
        yield


@contextmanager
def idle_gpu(version: str) -> Iterator[None]:
    """A stand-in for NVIDIA's exporter, whose GPU has nothing to do."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "metrics").write_text(_IDLE_GPU)
        with beside("stand-in", "--volume", f"{name}:/stand-in:ro", "--entrypoint", "/opt/venv/bin/python",
                    f"biosynth/cli:{version}", "-m", "http.server", "8000", "--directory", "/stand-in"):  # fmt: skip
            yield


@contextmanager
def second_generator_with_a_model_more(deployment: Deployment) -> Iterator[None]:
    """A model was pushed after the first replica's start; a second one was started since, and has it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in (SHIPPED / "fluo-nuclei").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        card = folder / "model.json"
        card.write_text(re.sub('"name": "fluo-nuclei"', '"name": "pushed-late"', card.read_text(), count=1))
        push_model(store(deployment, "models"), read_model(folder))
    try:
        with twin("generation"):
            yield
    finally:
        root = deployment.store_root()
        for entry in root.list_objects("biosynth", "models/pushed-late/", recursive=True):
            root.remove_object("biosynth", str(entry.object_name))


@contextmanager
def twin(service: str) -> Iterator[None]:
    """A second container of the service, with the first one's settings and files."""
    (first,) = json.loads(run("docker", "inspect", container(service), quiet=True))
    options = ["--read-only", "--tmpfs", "/tmp:size=512m"]  # noqa: S108 - of the container
    for variable in first["Config"]["Env"]:
        options += ["--env", variable]
    for mount in first["Mounts"]:
        options += ["--volume", f"{mount['Source']}:{mount['Destination']}:ro"]
    with beside(f"{service}-twin", "--network-alias", service, *options, first["Config"]["Image"]):
        yield


def store(deployment: Deployment, user: str) -> Store:
    """The deployment's store, as this user of it."""
    keys = deployment.secrets / f"store-{user}"
    return open_store(
        StoreConfig.from_env(
            {
                "BIOSYNTH_STORE": "s3",
                "BIOSYNTH_STORE_ENDPOINT": deployment.store,
                "BIOSYNTH_STORE_BUCKET": "biosynth",
                "BIOSYNTH_STORE_REGION": "us-east-1",
                "BIOSYNTH_STORE_ACCESS_KEY_FILE": str(keys / "access-key"),
                "BIOSYNTH_STORE_SECRET_KEY_FILE": str(keys / "secret-key"),
            }
        )
    )
