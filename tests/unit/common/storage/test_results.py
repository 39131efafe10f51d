"""Results are computed once, by one caller, and never half there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.common.errors import InvalidArgument, InvalidKey, ResultDamaged, StoreFull
from services.common.storage.folder import FolderStore
from services.common.storage.results import Json, Outcome, Results
from services.common.storage.store import StoredObject

IDENTITY: dict[str, Json] = {"image": "ab" * 32, "segmenter": "nuclei", "version": 1}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


class Counted:
    """A computation that counts how often it runs."""

    def __init__(self, pause: float = 0.0) -> None:
        self.runs = 0
        self._pause = pause

    def __call__(self) -> Outcome:
        self.runs += 1
        time.sleep(self._pause)
        return Outcome({"a.png": b"pixels", "b.tif": b"labels"}, {"cells": 3, "limits": [1.5, 2.5]})


def never() -> Outcome:
    pytest.fail("computed although the result is in the store")


def test_asking_again_finds_what_is_there(store: FolderStore) -> None:
    first = Results(store).once("segment", IDENTITY, Counted())
    assert not first.cached
    again = Results(store).once("segment", dict(sorted(IDENTITY.items(), reverse=True)), never)
    assert again.cached
    assert (again.objects, again.summary) == (first.objects, first.summary)
    assert first.summary == {"cells": 3, "limits": [1.5, 2.5]}
    assert store.get(first.objects["a.png"].key, 100) == b"pixels"


def test_keys_name_operation_and_identity(store: FolderStore) -> None:
    results = Results(store)
    one = results.once("segment", IDENTITY, Counted()).objects["a.png"].key
    other = results.once("segment", {**IDENTITY, "version": 2}, Counted()).objects["a.png"].key
    third = results.once("render", IDENTITY, Counted()).objects["a.png"].key
    assert len({one, other, third}) == 3
    prefix, operation, digest, name = one.split("/")
    assert (prefix, operation, len(digest), name) == ("results", "segment", 64, "a.png")


def test_what_is_in_the_store_is_found_by_any_number_at_once(store: FolderStore) -> None:
    all_in = threading.Barrier(8, timeout=5)

    class Meets(FolderStore):
        def head(self, key: str) -> StoredObject | None:
            if key.endswith("a.png"):
                all_in.wait()
            return super().head(key)

    Results(store).once("segment", IDENTITY, Counted())
    results = Results(Meets(store._objects.parent))
    with ThreadPoolExecutor(8) as pool:
        assert all(one.cached for one in pool.map(lambda _: results.once("segment", IDENTITY, never), range(8)))


def test_another_version_of_a_library_computes_anew_and_the_record_names_it(store: FolderStore) -> None:
    one, other = ({"numpy": version} for version in ("2.4.0", "2.4.1"))
    first = Results(store, one).once("segment", IDENTITY, Counted())
    assert not Results(store, other).once("segment", IDENTITY, Counted()).cached
    assert not Results(store).once("segment", IDENTITY, Counted()).cached
    assert Results(store, computed_with=one).once("segment", IDENTITY, never).objects == first.objects
    record = json.loads(store.get(first.objects["a.png"].key.replace("a.png", "result.json"), 10_000))
    assert record["computed_with"] == one


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_an_identity_with_a_number_that_is_none_is_the_callers_mistake(store: FolderStore, number: float) -> None:
    with pytest.raises(InvalidArgument, match="expected finite numbers"):
        Results(store).once("segment", {**IDENTITY, "limits": [number]}, never)


def test_a_summary_with_a_number_that_is_none_is_not(store: FolderStore) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Results(store).once("segment", IDENTITY, lambda: Outcome({}, {"mean": float("nan")}))


def test_different_results_are_computed_side_by_side(store: FolderStore) -> None:
    results, both = Results(store), threading.Barrier(2, timeout=5)

    def compute() -> Outcome:
        both.wait()
        return Outcome({"a": b""})

    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(lambda seed: results.once("generate", {"seed": seed}, compute), range(2)))) == 2


def test_of_two_processes_the_first_ones_outcome_stands(store: FolderStore) -> None:
    def slower() -> Outcome:
        Results(store).once("segment", IDENTITY, lambda: Outcome({"a": b"first"}, {"who": "first"}))
        return Outcome({"a": b"second"}, {"who": "second"})

    stored = Results(store).once("segment", IDENTITY, slower)
    assert stored.summary == {"who": "first"}
    assert store.get(stored.objects["a"].key, 100) == b"first"


def test_a_failed_computation_leaves_nothing_and_can_be_asked_again(store: FolderStore) -> None:
    def fail() -> Outcome:
        raise StoreFull("no room")

    results = Results(store)
    with pytest.raises(StoreFull):
        results.once("segment", IDENTITY, fail)
    assert list(store.list("")) == []
    assert not results.once("segment", IDENTITY, Counted()).cached


def test_files_without_a_record_count_for_nothing(store: FolderStore) -> None:
    class FailsAtTheRecord(FolderStore):
        def put(self, key: str, data: bytes, content_type: str) -> StoredObject:
            if key.endswith("result.json"):
                raise StoreFull("no room")
            return super().put(key, data, content_type)

    compute = Counted()
    with pytest.raises(StoreFull):
        Results(FailsAtTheRecord(store._objects.parent)).once("segment", IDENTITY, compute)
    assert len(list(store.list(""))) == 2
    assert not Results(store).once("segment", IDENTITY, compute).cached
    assert compute.runs == 2


def test_a_deleted_file_is_computed_again(store: FolderStore, tmp_path: Path) -> None:
    first = Results(store).once("segment", IDENTITY, Counted())
    (tmp_path / "objects" / first.objects["a.png"].key).unlink()
    again = Results(store).once("segment", IDENTITY, Counted())
    assert not again.cached
    assert again.objects == first.objects


def _overwrite(root: Path, key: str, data: bytes) -> None:
    (root / "objects" / key).write_bytes(data)


def test_a_damaged_file_is_an_error_that_says_what_to_do(store: FolderStore, tmp_path: Path) -> None:
    first = Results(store).once("segment", IDENTITY, Counted())
    _overwrite(tmp_path, first.objects["a.png"].key, b"pixelz")
    with pytest.raises(ResultDamaged, match=r"a\.png with SHA-256 .*, got .*; delete that folder"):
        Results(store).once("segment", IDENTITY, never)


@pytest.mark.parametrize(
    "record", [b"", b"{", b"[]", b"{}", b'{"format":2,"files":{},"summary":{}}', b'"text"', b"\xff"]
)
def test_a_damaged_record_is_an_error_that_says_what_to_do(store: FolderStore, tmp_path: Path, record: bytes) -> None:
    first = Results(store).once("segment", IDENTITY, Counted())
    _overwrite(tmp_path, first.objects["a.png"].key.replace("a.png", "result.json"), record)
    with pytest.raises(ResultDamaged, match=r"record of format 1 in results/.*delete that folder"):
        Results(store).once("segment", IDENTITY, never)


def test_the_record_says_what_it_is_the_result_of(store: FolderStore) -> None:
    first = Results(store).once("segment", IDENTITY, Counted())
    record = json.loads(store.get(first.objects["a.png"].key.replace("a.png", "result.json"), 10_000))
    assert record["identity"] == IDENTITY
    assert record["operation"] == "segment"
    assert record["files"]["a.png"] == {"sha256": first.objects["a.png"].sha256, "size": 6}


def test_an_operation_cannot_leave_its_place(store: FolderStore) -> None:
    with pytest.raises(InvalidKey):
        Results(store).once("../inputs", IDENTITY, Counted())


WRITER = """
import sys
from pathlib import Path
from services.common.storage.results import Outcome, Results
from services.common.storage.folder import FolderStore
results = Results(FolderStore(Path(sys.argv[1])))
print("ready", flush=True)
for seed in range(1000):
    results.once("generate", {"seed": seed}, lambda: Outcome({"image": bytes([seed % 256]) * 500_000}, {"seed": seed}))
"""


def test_a_killed_process_leaves_whole_results_or_none(tmp_path: Path) -> None:
    for round_ in range(4):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.02 + 0.03 * round_)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    store = FolderStore(tmp_path)
    records = [key for key in store.list("") if key.endswith("/result.json")]
    assert records
    for seed in range(len(records)):
        stored = Results(store).once("generate", {"seed": seed}, _seeded(seed))
        assert stored.cached
        assert store.get(stored.objects["image"].key, 500_000) == bytes([seed % 256]) * 500_000


def _seeded(seed: int) -> Callable[[], Outcome]:
    return lambda: pytest.fail(f"result {seed} is incomplete")
