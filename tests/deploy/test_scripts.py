"""The scripts of deploy/ and deploy/k8s, with a docker and a kubectl of ours first on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.deploy.rendering import DEPLOY, K8S, containers, render
from tests.support.certificates import needs_openssl

SECRETS = K8S.parent / "secrets.sh"
DIGEST = "sha256:" + "ab" * 32
# Answers `docker image inspect --format ... NAME:TAG` as an engine does that pushed to two registries.
DOCKER = f"""#!/bin/sh
for last; do :; done
echo "elsewhere.invalid/${{last##*/}}@sha256:{"00" * 32}"
echo "${{last%:*}}@{DIGEST}"
"""
NEVER_PUSHED = "#!/bin/sh\nexit 1\n"
# Prints what it is asked for; `apply` passes on what it is given.
KUBECTL = """#!/bin/sh
case "$*" in *apply*) cat;; *) echo "$*";; esac
"""


def test_pin_names_every_image_of_the_production_overlay_by_the_digest_in_that_registry(tmp_path: Path) -> None:
    k8s = copied(tmp_path)
    done = run(k8s / "pin.sh", "registry.invalid/team", "1.2.3", docker=DOCKER)
    assert done.returncode == 0, done.stderr
    for where, container in containers(render(k8s / "overlays" / "production")):
        assert container["image"].startswith("registry.invalid/team/biosynth/"), where
        assert container["image"].endswith("@" + DIGEST), where


def test_pin_says_which_image_was_not_pushed_and_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    k8s = copied(tmp_path)
    file = k8s / "overlays" / "production" / "images" / "kustomization.yaml"
    before = file.read_bytes()
    done = run(k8s / "pin.sh", "registry.invalid/team", docker=NEVER_PUSHED)
    assert done.returncode == 1
    assert "expected registry.invalid/team/biosynth/segmentation:0.1.0 to have been pushed" in done.stderr
    assert file.read_bytes() == before


def test_pin_without_a_registry_teaches_its_use(tmp_path: Path) -> None:
    done = run(copied(tmp_path) / "pin.sh", docker=DOCKER)
    assert done.returncode == 2 and "pin.sh REGISTRY" in done.stdout


def test_secrets_are_made_of_every_folder_but_the_ca(tmp_path: Path) -> None:
    folder = secrets(tmp_path / "secrets")
    done = run(K8S / "secrets.sh", str(folder), "lab", kubectl=KUBECTL)
    assert done.returncode == 0, done.stderr
    made = [line for line in done.stdout.splitlines() if "create secret generic" in line]
    users = ("evaluation", "generation", "models", "pipeline", "reference", "segmentation")
    assert {line.split("generic ")[1].split()[0] for line in made} == {
        "biosynth-tls",
        "biosynth-token",
        *(f"biosynth-store-{user}" for user in users),
    }
    assert all(line.startswith("--namespace lab ") for line in made)


def test_secrets_names_the_file_that_is_missing_before_it_changes_anything(tmp_path: Path) -> None:
    folder = secrets(tmp_path / "secrets")
    (folder / "store-pipeline" / "secret-key").unlink()
    done = run(K8S / "secrets.sh", str(folder), kubectl=KUBECTL)
    assert done.returncode == 1 and done.stdout == ""
    assert f"expected the file {folder}/store-pipeline/secret-key" in done.stderr


@needs_openssl
def test_secrets_are_made_once_and_stay(tmp_path: Path) -> None:
    assert made(tmp_path).returncode == 0
    first = contents(tmp_path)
    again = made(tmp_path)
    assert again.returncode == 0 and "made " not in again.stdout
    assert contents(tmp_path) == first


@needs_openssl
@pytest.mark.parametrize("name", ["pipeline.biosynth.svc", "gateway", "minio", "localhost"])
def test_the_made_certificate_verifies_even_where_openssl_has_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("OPENSSL_CONF", os.devnull)
    assert made(tmp_path).returncode == 0
    tls = tmp_path / "tls"
    # As strictly as Python does from 3.13 on.
    strictly = ("-x509_strict", "-purpose", "sslserver", "-verify_hostname", name)
    openssl("verify", *strictly, "-CAfile", f"{tls}/ca.crt", f"{tls}/tls.crt")


@needs_openssl
@needs_openssl
def test_the_callers_certificate_is_no_servers(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert made(folder).returncode == 0
    trusted = ("verify", "-CAfile", str(folder / "tls" / "ca.crt"))
    openssl(*trusted, "-purpose", "sslclient", str(folder / "client" / "tls.crt"))
    with pytest.raises(AssertionError, match="purpose"):
        openssl(*trusted, "-purpose", "sslserver", str(folder / "client" / "tls.crt"))


def test_minio_does_not_start_with_the_keys_that_everybody_knows(tmp_path: Path) -> None:
    (tmp_path / "minio").write_text("#!/bin/sh\necho started with $*\n")
    (tmp_path / "minio").chmod(0o755)
    (tmp_path / "empty").touch()
    (tmp_path / "key").write_text("key")
    start = [str(DEPLOY / "minio" / "start.sh"), "server", "/data"]
    for user, password, starts in (("key", "key", True), ("key", "empty", False), ("absent", "key", False)):
        names = {"MINIO_ROOT_USER_FILE": user, "MINIO_ROOT_PASSWORD_FILE": password}
        files = {name: str(tmp_path / file) for name, file in names.items()}
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **files}
        done = subprocess.run(start, env=env, capture_output=True, text=True)
        assert (done.stdout == "started with server /data\n") is starts
        assert starts or "to name a file that holds something" in done.stderr


def test_the_gateway_says_which_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text("x")
    env = {"PATH": os.environ["PATH"], "GATEWAY_TLS": str(tmp_path), "GATEWAY_RESOLVER": "127.0.0.1"}
    done = subprocess.run([DEPLOY / "gateway" / "start.sh"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, f"cannot start: expected to read {tmp_path}/tls.key\n")


def test_a_certificate_near_its_end_is_made_anew_and_nothing_else_is(tmp_path: Path) -> None:
    made(tmp_path)
    end_soon(tmp_path)
    before = contents(tmp_path)
    done = made(tmp_path)
    assert done.returncode == 0, done.stderr
    after = contents(tmp_path)
    assert {file for file in after if after[file] != before.get(file)} == {"tls/tls.crt"}
    tls = tmp_path / "tls"
    openssl("x509", "-checkend", str(300 * 86400), "-noout", "-in", f"{tls}/tls.crt")
    openssl("verify", "-CAfile", f"{tls}/ca.crt", f"{tls}/tls.crt")


@needs_openssl
def test_a_certificate_that_lacks_a_name_is_made_anew(tmp_path: Path) -> None:
    former = tmp_path / "former.sh"
    former.write_text(SECRETS.read_text().replace("hosts=(gateway ", "hosts=("))
    former.chmod(0o755)
    folder = tmp_path / "secrets"
    assert run(former, str(folder)).returncode == 0
    before = contents(folder)
    assert made(folder).returncode == 0
    after = contents(folder)
    assert {file for file in after if after[file] != before.get(file)} == {"tls/tls.crt"}
    openssl("verify", "-verify_hostname", "gateway", "-CAfile", f"{folder}/tls/ca.crt", f"{folder}/tls/tls.crt")


@needs_openssl
@pytest.mark.parametrize("key", ["none", "another CA's"])
def test_a_certificate_of_your_own_ca_stays_near_its_end_too(tmp_path: Path, key: str) -> None:
    own_ca(tmp_path, key)
    end_soon(tmp_path, tmp_path / "own.key")
    before = contents(tmp_path)
    assert made(tmp_path).returncode == 0
    assert contents(tmp_path) == before


@needs_openssl
@pytest.mark.parametrize("key", ["none", "another CA's"])
def test_a_ca_of_your_own_is_not_overwritten_where_a_certificate_is_missing(tmp_path: Path, key: str) -> None:
    own_ca(tmp_path, key)
    (tmp_path / "tls" / "tls.crt").unlink()
    before = contents(tmp_path)
    done = made(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"expected in {tmp_path}/ca/ca.key the key of {tmp_path}/tls/ca.crt")
    assert contents(tmp_path) == before


def copied(folder: Path) -> Path:
    """The manifests, so that pin.sh may write."""
    shutil.copytree(K8S, folder / "k8s")
    return folder / "k8s"


def secrets(folder: Path) -> Path:
    files = {"tls": ["ca.crt", "tls.crt", "tls.key"], "token": ["token"], "ca": ["ca.key"]}
    for user in ("segmentation", "reference", "generation", "evaluation", "pipeline", "models"):
        files[f"store-{user}"] = ["access-key", "secret-key"]
    for name, children in files.items():
        (folder / name).mkdir(parents=True)
        for child in children:
            (folder / name / child).write_text("x")
    return folder


def made(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run deploy/secrets.sh for this folder."""
    return run(SECRETS, str(folder))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def end_soon(folder: Path, ca_key: Path | None = None) -> None:
    """Issue the folder's certificate again, for ten days."""
    tls = folder / "tls"
    signer = ("-CA", f"{tls}/ca.crt", "-CAkey", str(ca_key or folder / "ca" / "ca.key"), "-set_serial", "1")
    openssl("x509", "-x509toreq", "-in", f"{tls}/tls.crt", "-signkey", f"{tls}/tls.key", "-out", f"{folder}/request")
    openssl("x509", "-req", "-in", f"{folder}/request", *signer, "-days", "10", "-out", f"{tls}/tls.crt")


def own_ca(folder: Path, key: str) -> None:
    """Make secrets whose CA's key is in own.key; `key` says what lies where the script looks for it."""
    made(folder)
    (folder / "ca" / "ca.key").rename(folder / "own.key")
    if key != "none":
        shutil.copy(folder / "tls" / "tls.key", folder / "ca" / "ca.key")


def openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def run(script: Path, *arguments: str, **commands: str) -> subprocess.CompletedProcess[str]:
    """Run the script with these commands instead of the machine's."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in commands.items():
            (Path(folder) / name).write_text(text)
            (Path(folder) / name).chmod(0o755)
        env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run([str(script), *arguments], capture_output=True, text=True, env=env)
