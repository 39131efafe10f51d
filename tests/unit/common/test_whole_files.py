"""Files that are whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.whole_files import write_file

# Writes one byte over and over, another with every file; says so before it begins.
WRITER = """
import sys
from pathlib import Path
from services.common.whole_files import write_file
print("ready", flush=True)
for turn in range(10**6):
    write_file(Path(sys.argv[1]), bytes([turn % 256]) * 3_000_000)
"""


def test_a_file_is_written_and_written_over(tmp_path: Path) -> None:
    for data in (b"old", b"", b"new"):
        write_file(tmp_path / "out.bin", data)
        assert (tmp_path / "out.bin").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]


@pytest.mark.parametrize("milliseconds", [1, 5, 13, 29, 60])
def test_a_kill_while_writing_leaves_the_old_file_or_a_new_one_whole(tmp_path: Path, milliseconds: int) -> None:
    path = tmp_path / "out.bin"
    write_file(path, b"x" * 3_000_000)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(milliseconds / 1000)
        process.send_signal(signal.SIGKILL)
    data = path.read_bytes()
    assert len(data) == 3_000_000
    assert len(set(data)) == 1


def test_writers_with_one_process_id_as_in_two_containers_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sync, writing = tmp_path / "out.bin", os.fsync, [b"other"]

    def interrupted(descriptor: int) -> None:
        sync(descriptor)
        if writing:
            write_file(path, writing.pop())  # another writes the same file from beginning to end
            assert path.read_bytes() == b"other"

    monkeypatch.setattr(os, "fsync", interrupted)
    write_file(path, b"mine")
    assert path.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    write_file(tmp_path / "out.bin", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "out.bin", b"new")
    assert (tmp_path / "out.bin").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]
