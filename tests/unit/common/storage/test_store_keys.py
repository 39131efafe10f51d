"""Keys of the store that change while a service runs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from services.common.storage.config import StoreConfig
from services.common.storage.store_keys import StoreKeys
from tests.support.s3_servers import user_settings


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    access, secret = tmp_path / "access-key", tmp_path / "secret-key"
    access.write_text("user\n")
    secret.write_text("f1rst\n")
    return access, secret


@pytest.fixture
def keys(files: tuple[Path, Path]) -> StoreKeys:
    settings = user_settings("http://127.0.0.1:1", "bucket", files[0].parent)
    return StoreKeys(StoreConfig.from_env(settings))


def held(keys: StoreKeys) -> tuple[str, str]:
    found = keys.retrieve()
    return found.access_key, found.secret_key


def test_keys_in_files_are_read_again_when_these_change(keys: StoreKeys, files: tuple[Path, Path]) -> None:
    assert held(keys) == ("user", "f1rst")
    files[1].write_text("s3cond")
    assert held(keys) == ("user", "s3cond")
    files[0].write_text("another-user")
    assert held(keys) == ("another-user", "s3cond")


def test_a_file_that_cannot_be_used_leaves_the_former_keys_and_is_warned_of_once(
    keys: StoreKeys, files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    files[1].write_text("")
    assert [held(keys) for _ in range(3)] == [("user", "f1rst")] * 3
    files[1].unlink()
    assert held(keys) == ("user", "f1rst")
    files[1].write_text("s3cond")
    assert held(keys) == ("user", "s3cond")
    first, second, third = (record.message for record in caplog.records)
    assert "keeping the former keys" in first
    assert "BIOSYNTH_STORE_SECRET_KEY_FILE: expected a file that holds the secret, got an empty one" in first
    assert "No such file" in second
    assert third == "the store's keys changed and were read again"
    assert "f1rst" not in caplog.text
    assert "s3cond" not in caplog.text


def test_keys_that_are_values_stay() -> None:
    config = StoreConfig("http://a:1", "http://a:1", "bucket", "us-east-1", "user", "secret")
    assert held(StoreKeys(config)) == ("user", "secret")
