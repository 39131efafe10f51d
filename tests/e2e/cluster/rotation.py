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
from tests.e2e.cluster.kubectl import forwarded, kubectl, run, say, until
from tests.e2e.cluster.proof import OVERLAY, Proof
from tests.e2e.cluster.settings import told
from tests.e2e.deployment import Deployment
from tests.support.pictures import nuclei_picture

_USER = "reference"


def a_half_rotated_store_key_is_told(proof: Proof) -> None:
    """First the Secret alone has the new key, then the store too, while the old pod still has the former one."""
    with _rotated(proof.secrets) as folder:
        proof.apply_secrets(folder)
        kubectl("rollout", "restart", f"deployment/{_USER}")
        words = "BIOSYNTH_STORE_ACCESS_KEY, BIOSYNTH_STORE_SECRET_KEY"
        said = until("with a key that the store does not know, the new pod says so", lambda: told(_USER, words))
        say(f"pod: {said}")
        say(f"meanwhile the former pod answers a run: {_run(proof, 21)}")
        _store_takes_keys_over()
        say(f"once the store has the new key, and the former pod the old one: {_run(proof, 22)}")
        kubectl("rollout", "status", f"deployment/{_USER}", "--timeout=400s")
        _must_answer(proof, 23, "the new pod started by itself, with nothing more done")
    proof.apply_secrets()
    _store_takes_keys_over()
    kubectl("rollout", "restart", f"deployment/{_USER}")
    kubectl("rollout", "status", f"deployment/{_USER}", "--timeout=180s")
    _must_answer(proof, 24, "the key changed back, in the Secret, the store and the pod")


@contextmanager
def _rotated(folder: Path) -> Iterator[Path]:
    """A copy of the secrets with a new secret key for one user."""
    with tempfile.TemporaryDirectory() as parent:
        copy = shutil.copytree(folder, Path(parent) / "secrets")
        (copy / f"store-{_USER}" / "secret-key").write_text(secrets.token_hex(20))
        yield copy


def _store_takes_keys_over() -> None:
    """As docs/deploy.md says: delete the Job and apply again."""
    kubectl("delete", "job/store-setup", "--ignore-not-found")
    run("kubectl", "apply", "--kustomize", str(OVERLAY), quiet=True)
    kubectl("wait", "job/store-setup", "--for=condition=Complete", "--timeout=120s")
    kubectl("logs", "job/store-setup")


def _must_answer(proof: Proof, seed: int, what: str) -> None:
    answer = _run(proof, seed)
    say(f"{what}; a run is answered: {answer}")
    if answer != "OK":
        sys.exit("expected it to succeed")


def _run(proof: Proof, seed: int) -> str:
    """What a run of a new picture is answered; "OK", or the error."""
    with (
        forwarded("service/gateway", 50051) as endpoint,
        Deployment(endpoint, proof.secrets, "").client() as client,
    ):
        try:
            client.run(image=encode_png(nuclei_picture(seed=seed)), seed=seed)
        except BiosynthCallError as error:
            return str(error)
    return "OK"
