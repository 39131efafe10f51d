"""deploy/minio/init.py against a real MinIO: once, again, after new keys, and with everything that can be wrong."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule

from services.common.errors import ConfigError, StoreRefused, StoreUnavailable
from services.common.storage.config import StoreConfig
from services.common.storage.s3 import S3Store
from services.common.storage.store import Store
from services.common.storage.stores import open_store
from tests.support import s3_servers
from tests.support.certificates import Authority, needs_openssl
from tests.support.ports import free_ports


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, minio_binary: str) -> Iterator[s3_servers.S3Server]:
    with s3_servers.minio(tmp_path_factory.mktemp("minio"), minio_binary) as server:
        yield server


def said(done: subprocess.CompletedProcess[str], code: int = 0) -> str:
    """What the script printed; it must have ended with this exit code."""
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def store_of(server: s3_servers.S3Server, bucket: str, folder: Path, **others: str) -> Store:
    return open_store(StoreConfig.from_env(s3_servers.user_settings(server.endpoint, bucket, folder) | others))


def client_of(server: s3_servers.S3Server) -> Minio:
    """The server, as its root user sees it."""
    host = server.endpoint.partition("://")[2]
    return Minio(host, server.access_key, server.secret_key, secure=False, region=server.region)


def expires_in(client: Minio, key: str) -> int | None:
    """After how many days the server itself says that a new object will be deleted; None: never."""
    client.put_object("expiring", key, io.BytesIO(b"x"), 1)
    told = (client.stat_object("expiring", key).metadata or {}).get("x-amz-expiration")
    if told is None:
        return None
    end = parsedate_to_datetime(told.split('"')[1])
    # Midnight after the last day: 30 days are told as 30 to 31.
    return (end - datetime.now(UTC)).days


def rules_of(client: Minio, bucket: str) -> dict[str, int]:
    """Days by the name of the rule."""
    found = client.get_bucket_lifecycle(bucket)
    return {rule.rule_id: rule.expiration.days for rule in found.rules} if found else {}


def test_it_makes_bucket_and_users_and_a_second_time_changes_nothing(
    server: s3_servers.S3Server, tmp_path: Path
) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    first = said(s3_servers.setup(server.endpoint, "first", secrets)).splitlines()
    assert first[0] == "bucket first: made"
    assert len(first) == 1 + len(s3_servers.USERS)
    store_of(server, "first", secrets / "store-segmentation").check()
    again = said(s3_servers.setup(server.endpoint, "first", secrets))
    assert again == "bucket first and its 8 users are as they should be: nothing changed\n"


def test_results_and_uploads_expire_where_it_is_told_to_and_nothing_else(
    server: s3_servers.S3Server, tmp_path: Path
) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    client = client_of(server)
    said(s3_servers.setup(server.endpoint, "expiring", secrets, "--expire-results", "30", "--expire-inputs", "7"))
    kept = ("datasets/a", "models/a", "results/evaluations/a")
    assert {key: expires_in(client, key) for key in ("results/generate/a/result.json", "inputs/a", *kept)} == {
        "results/generate/a/result.json": 30,
        "inputs/a": 7,
        **dict.fromkeys(kept),
    }
    assert said(s3_servers.setup(server.endpoint, "expiring", secrets)) == "expires: nothing\n"
    assert expires_in(client, "inputs/b") is None


def test_the_environment_may_say_when_results_expire(
    server: s3_servers.S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    monkeypatch.setenv("BIOSYNTH_EXPIRE_INPUTS_DAYS", "7")
    said(s3_servers.setup(server.endpoint, "environment", secrets))
    assert rules_of(client_of(server), "environment") == {"biosynth-inputs": 7}
    monkeypatch.setenv("BIOSYNTH_EXPIRE_INPUTS_DAYS", "soon")
    assert "expected days, 0 (never) to 36500, got 'soon'" in said(
        s3_servers.setup(server.endpoint, "environment", secrets), 2
    )


def test_rules_of_others_are_left_alone(server: s3_servers.S3Server, tmp_path: Path) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    client = client_of(server)
    said(s3_servers.setup(server.endpoint, "shared", secrets, "--expire-inputs", "7"))
    rule = Rule(ENABLED, Filter(prefix="theirs/"), rule_id="theirs", expiration=Expiration(days=3))
    client.set_bucket_lifecycle("shared", LifecycleConfig([rule]))
    said(s3_servers.setup(server.endpoint, "shared", secrets, "--expire-inputs", "9"))
    assert rules_of(client, "shared") == {"theirs": 3, "biosynth-inputs": 9}
    said(s3_servers.setup(server.endpoint, "shared", secrets))
    assert rules_of(client, "shared") == {"theirs": 3}


def test_a_new_secret_key_is_taken_over_and_the_old_one_refused(server: s3_servers.S3Server, tmp_path: Path) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    said(s3_servers.setup(server.endpoint, "rotated", secrets))
    folder = secrets / "store-pipeline"
    running = store_of(server, "rotated", folder)
    shutil.copytree(folder, tmp_path / "former")
    (folder / "secret-key").write_text("another-secret-key")
    with pytest.raises(StoreRefused, match="SignatureDoesNotMatch"):
        running.put("inputs/a", b"hello", "x/y")
    assert said(s3_servers.setup(server.endpoint, "rotated", secrets)) == "user biosynth-pipeline: new secret key\n"
    running.check()  # a service that runs needs no restart
    assert running.put("inputs/a", b"hello", "x/y").size == 5
    with pytest.raises(StoreRefused, match="SignatureDoesNotMatch"):
        store_of(server, "rotated", tmp_path / "former").check()


def test_a_changed_policy_is_written(server: s3_servers.S3Server, tmp_path: Path) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    said(s3_servers.setup(server.endpoint, "changed", secrets))
    policies = tmp_path / "policies"
    policies.mkdir()
    rights = '{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::${bucket}/*"]}'
    (policies / "evaluation.json").write_text(f'{{"Version": "2012-10-17", "Statement": [{rights}]}}')
    done = s3_servers.setup(server.endpoint, "changed", secrets, "--policies", str(policies))
    assert said(done) == "user biosynth-evaluation: policy written\n"


def test_it_says_what_it_waits_for_before_it_gives_up(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    done = s3_servers.setup(f"http://127.0.0.1:{port}", "later", secrets, "--wait", "1")
    assert f"waiting up to 1 s for http://127.0.0.1:{port}" in done.stdout
    assert f"expected a MinIO server at http://127.0.0.1:{port} within 1 s" in said(done, 1)


def test_a_wrong_root_key_is_told_at_once(server: s3_servers.S3Server, tmp_path: Path) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    (secrets / "store-root" / "secret-key").write_text("wrong-secret-key")
    assert "expected the root user's keys in store-root/" in said(s3_servers.setup(server.endpoint, "x", secrets), 1)


def test_a_missing_or_empty_secret_is_named(tmp_path: Path) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    (secrets / "store-models" / "access-key").write_text("\n")
    done = s3_servers.setup("http://127.0.0.1:1", "x", secrets)
    assert f"expected something in {secrets}/store-models/access-key, got an empty file" in said(done, 1)
    (secrets / "store-models" / "access-key").unlink()
    done = s3_servers.setup("http://127.0.0.1:1", "x", secrets)
    assert f"expected a readable file {secrets}/store-models/access-key" in said(done, 1)


def test_a_secret_that_minio_refuses_is_told_in_its_words(server: s3_servers.S3Server, tmp_path: Path) -> None:
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    (secrets / "store-evaluation" / "secret-key").write_text("short")
    assert "MinIO refused: The secret key is invalid" in said(s3_servers.setup(server.endpoint, "short", secrets), 1)


def test_a_server_that_is_no_minio_is_told_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "weed"
    folder.mkdir()
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    with s3_servers.seaweedfs(folder) as server:
        done = s3_servers.setup(server.endpoint, "x", secrets)
    assert f"expected a MinIO server at {server.endpoint}, got an answer 404" in said(done, 1)


@needs_openssl
def test_over_https_everything_works_with_the_stores_own_ca(tmp_path: Path, minio_binary: str) -> None:
    authority = Authority.create(tmp_path / "pki")
    secrets = s3_servers.write_secrets(tmp_path / "secrets")
    (tmp_path / "minio").mkdir()
    with s3_servers.minio(tmp_path / "minio", minio_binary, authority) as server:
        ca = str(authority.certificate)
        assert "vouches for" in said(s3_servers.setup(server.endpoint, "private", secrets), 1)
        assert "bucket private: made" in said(s3_servers.setup(server.endpoint, "private", secrets, "--ca", ca))
        keys = secrets / "store-segmentation"
        store = store_of(server, "private", keys, BIOSYNTH_STORE_CA_FILE=ca)
        store.check()
        stored = store.put("results/segment/a", b"hello", "x/y")
        assert store.get(stored.key, 5) == b"hello"
        with pytest.raises(ConfigError, match="BIOSYNTH_STORE_CA_FILE: expected a store whose certificate"):
            store_of(server, "private", keys).check()
        clear = server.endpoint.replace("https", "http")
        with pytest.raises(StoreUnavailable, match=f"whether it speaks http or https.*{clear}"):
            store_of(server, "private", keys, BIOSYNTH_STORE_ENDPOINT=clear).check()


def test_a_ca_file_without_certificates_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("hello")
    config = StoreConfig(
        "https://localhost:1", "https://localhost:1", "bucket", "us-east-1", "key", "secret", tmp_path / "ca.crt"
    )
    with pytest.raises(ConfigError, match=r"BIOSYNTH_STORE_CA_FILE: expected certificates .* in PEM, got .*ca.crt"):
        S3Store(config)
