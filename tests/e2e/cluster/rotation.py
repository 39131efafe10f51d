"""A store key changed on one side only: the symptom, and what heals it."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from biosynth import BiosynthCallError

from services.common.imaging.images import encode_png
from tests.e2e.cluster.proof import OVERLAY, Proof
from tests.e2e.cluster.settings import told
from tests.e2e.deployment import Deployment
from tests.e2e.kubectl import forwarded, kubectl, pods, run, say, until
from tests.support.pictures import nuclei_picture

_USER = "reference"


def a_half_rotated_store_key_is_told(proof: Proof) -> None:
    """First the Secret alone has a new key, then the store too; back again, both at once and nothing restarted."""
    with forwarded("service/gateway", 50051) as endpoint:
        caller = Deployment(endpoint, proof.secrets, "")
        _rotate(proof, caller)
        _rotate_back(proof, caller)


def _rotate(proof: Proof, caller: Deployment) -> None:
    with _rotated(proof.secrets) as folder:
        proof.apply_secrets(folder)
        _restart(start_wait_s=2)
        words = "BIOSYNTH_STORE_ACCESS_KEY, BIOSYNTH_STORE_SECRET_KEY"
        said = until("with a key that the store does not know, the new pod says so", lambda: told(_USER, words))
        say(f"pod: {said}")
        say(f"meanwhile, with the former pod, a run is answered: {_run(caller)}")
        _store_takes_keys_over()
        say(f"the store has the new key too; a run is answered: {_run(caller)}")
        until("a run succeeds, with nothing more done", lambda: _run(caller) == "OK", 300)
        kubectl("rollout", "status", f"deployment/{_USER}", "--timeout=300s")


def _rotate_back(proof: Proof, caller: Deployment) -> None:
    before = [pod["metadata"]["uid"] for pod in pods(_USER)]
    proof.apply_secrets()
    _store_takes_keys_over()
    say(f"changed back in the Secret and the store; a run is answered: {_run(caller)}")
    until("a run succeeds once the pod has read the key again", lambda: _run(caller) == "OK", 180)
    if [pod["metadata"]["uid"] for pod in pods(_USER)] != before:
        sys.exit("expected the same pod to have gone on")
    _restart(start_wait_s=120)
    kubectl("rollout", "status", f"deployment/{_USER}", "--timeout=180s", quiet=True)


def _restart(start_wait_s: int) -> None:
    """Restart the service, with so long a wait for the store before it ends and says what is wrong."""
    kubectl("set", "env", f"deployment/{_USER}", f"BIOSYNTH_START_WAIT_SECONDS={start_wait_s}")


@contextmanager
def _rotated(folder: Path) -> Iterator[Path]:
    """A copy of the secrets with a new secret key for one user."""
    with tempfile.TemporaryDirectory() as parent:
        copy = shutil.copytree(folder, Path(parent) / "secrets")
        (copy / f"store-{_USER}" / "secret-key").write_text(secrets.token_hex(20))
        yield copy


def _store_takes_keys_over() -> None:
    """As docs/deploy.md says, delete the Job and apply again; the Job alone, so that nothing else is restarted."""
    kubectl("delete", "job/store-setup", "--ignore-not-found")
    run("kubectl", "apply", "--kustomize", str(OVERLAY), "--selector", "app.kubernetes.io/name=store-setup")
    kubectl("wait", "job/store-setup", "--for=condition=Complete", "--timeout=120s")
    kubectl("logs", "job/store-setup")


def _run(caller: Deployment) -> str:
    """What a run of a new picture is answered; "OK", or the error."""
    seed = secrets.randbits(32)
    with caller.client() as client:
        try:
            client.run(image=encode_png(nuclei_picture(seed=seed)), seed=seed)
        except BiosynthCallError as error:
            return str(error)
    return "OK"
