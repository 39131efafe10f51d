"""What only a folder can show: kills, rights, stale files, a full disk."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.common.errors import ConfigError, InvalidKey, StoreFull, StoreUnavailable, Unsupported
from services.common.storage.folder import FolderStore

WRITER = """
import hashlib, sys
from pathlib import Path
from services.common.storage.folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(10_000):
    data = bytes([number % 256]) * 3_000_000
    store.put(f"results/{hashlib.sha256(data).hexdigest()}/{sys.argv[2]}/{number}", data, "x/y")
"""


def test_a_killed_writer_leaves_no_torn_object(tmp_path: Path) -> None:
    chance = random.Random(0)
    for round_ in range(6):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(round_)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.01, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    store = FolderStore(tmp_path)
    keys = list(store.list(""))
    assert keys
    for key in keys:
        data = store.get(key, 10_000_000)
        assert len(data) == 3_000_000
        assert hashlib.sha256(data).hexdigest() == key.split("/")[1]


def test_what_killed_writers_left_is_not_listed_and_goes_when_it_is_old(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.check()
    stale, fresh = tmp_path / "writing" / "stale", tmp_path / "writing" / "fresh"
    stale.write_bytes(b"half")
    fresh.write_bytes(b"half")
    day_before_yesterday = time.time() - 2 * 24 * 3600
    os.utime(stale, (day_before_yesterday, day_before_yesterday))
    store.check()
    assert list(store.list("")) == []
    assert not stale.exists()
    assert fresh.exists()


def test_only_the_user_can_open_what_is_stored(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.put("inputs/a/b", b"hello", "x/y")
    paths = [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    assert {oct(path.stat().st_mode & 0o777) for path in paths if path.is_dir()} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in paths if path.is_file()} == {"0o600"}


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    store.check()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFull, match="full disk"):
        store.put("results/a", b"hello", "x/y")
    assert list(store.list("")) == []
    assert list((tmp_path / "writing").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="BIOSYNTH_STORE_PATH: expected a folder that can be written"):
        FolderStore(tmp_path / "file" / "store").check()


def test_a_key_cannot_be_object_and_folder_at_once(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("inputs/a", b"hello", "x/y")
    with pytest.raises(InvalidKey, match="no folder of others, nor under another"):
        store.put("inputs/a/b", b"hello", "x/y")
    store.put("inputs/b/c", b"hello", "x/y")
    with pytest.raises(InvalidKey, match="no folder of others, nor under another"):
        store.put("inputs/b", b"hello", "x/y")


def test_a_store_that_is_gone_is_no_fault_of_any_key(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.put("inputs/a", b"hello", "x/y")
    (tmp_path / "store").rename(tmp_path / "moved")
    (tmp_path / "store").write_bytes(b"in its place")
    for use in (lambda: store.put("inputs/b", b"hello", "x/y"), lambda: store.get("inputs/a", 9)):
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            use()


def test_nobody_serves_links_into_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="S3 store"):
        FolderStore(tmp_path).presign_put("inputs/a", 5, "0" * 64, 60)
    with pytest.raises(Unsupported, match="S3 store"):
        FolderStore(tmp_path).presign_get("inputs/a", 60)
