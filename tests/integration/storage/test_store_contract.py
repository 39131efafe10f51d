"""What every store promises, tried on each of them."""

from __future__ import annotations

import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.common.errors import InvalidKey, ObjectNotFound, ObjectTooLarge
from services.common.storage.store import Store, StoredObject

HELLO = StoredObject("", hashlib.sha256(b"hello").hexdigest(), 5)


def test_a_new_store_passes_its_check(store: Store) -> None:
    store.check()
    store.check()


def test_what_was_put_is_there(store: Store, prefix: str) -> None:
    stored = store.put(f"{prefix}/a.bin", b"hello", "application/octet-stream")
    assert stored == StoredObject(f"{prefix}/a.bin", HELLO.sha256, 5)
    assert store.get(stored.key, 5) == b"hello"
    assert store.head(stored.key) == stored


def test_the_first_writer_wins_and_later_ones_are_told_what_is_there(store: Store, prefix: str) -> None:
    first = store.put(f"{prefix}/a", b"first", "text/plain")
    assert store.put(f"{prefix}/a", b"second!", "text/plain") == first
    assert store.put(f"{prefix}/a", b"first", "text/plain") == first
    assert store.get(first.key, 100) == b"first"


def test_of_many_writers_at_once_one_wins_and_all_are_told_the_same(store: Store, prefix: str) -> None:
    contents = [secrets.token_bytes(50_000 + number) for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        stored = set(pool.map(lambda data: store.put(f"{prefix}/race", data, "x/y"), contents))
    assert len(stored) == 1
    winner = stored.pop()
    data = store.get(winner.key, 100_000)
    assert data in contents
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (winner.sha256, winner.size)


def test_keys_with_spaces_and_letters_beyond_ascii_are_kept(store: Store, prefix: str) -> None:
    key = f"{prefix}/Zellen ü+%41&=é 細胞.png"
    store.put(key, b"hello", "image/png")
    assert store.get(key, 5) == b"hello"
    assert list(store.list(prefix)) == [key]


def test_an_empty_object_is_an_object(store: Store, prefix: str) -> None:
    stored = store.put(f"{prefix}/empty", b"", "text/plain")
    assert stored.size == 0
    assert store.get(stored.key, 0) == b""
    assert store.head(stored.key) == stored


def test_an_object_above_5_mib_is_one_put_too(store: Store, prefix: str) -> None:
    data = secrets.token_bytes(6 * 1024**2)
    stored = store.put(f"{prefix}/big", data, "x/y")
    assert store.put(f"{prefix}/big", b"late", "x/y") == stored
    assert store.get(stored.key, len(data)) == data


def test_an_absent_object_is_none_or_an_error(store: Store, prefix: str) -> None:
    assert store.head(f"{prefix}/absent") is None
    with pytest.raises(ObjectNotFound, match=f"none under '{prefix}/absent'"):
        store.get(f"{prefix}/absent", 10)


def test_the_folder_of_an_object_is_no_object(store: Store, prefix: str) -> None:
    store.put(f"{prefix}/a/b", b"hello", "x/y")
    assert store.head(f"{prefix}/a") is None
    with pytest.raises(ObjectNotFound):
        store.get(f"{prefix}/a", 10_000)


def test_an_object_over_the_limit_is_not_read(store: Store, prefix: str) -> None:
    store.put(f"{prefix}/a", b"hello", "x/y")
    with pytest.raises(ObjectTooLarge, match=r"at most 4 bytes, got .* of 5"):
        store.get(f"{prefix}/a", 4)
    assert store.get(f"{prefix}/a", 5) == b"hello"


def test_keys_are_listed_by_prefix_in_order(store: Store, prefix: str) -> None:
    keys = [f"{prefix}/{name}" for name in ("a", "a.b/c", "b/1", "b/10", "b/2", "c")]
    for key in keys:
        store.put(key, b"x", "x/y")
    assert list(store.list(f"{prefix}/")) == sorted(keys, key=str.encode)
    assert list(store.list(f"{prefix}/b/1")) == [f"{prefix}/b/1", f"{prefix}/b/10"]
    assert list(store.list(f"{prefix}/absent")) == []


@pytest.mark.parametrize("key", ["", "/a", "a/../b", "a//b", "a\\b", "a\nb", "x" * 513])
def test_a_bad_key_is_refused_by_every_call(store: Store, key: str) -> None:
    with pytest.raises(InvalidKey):
        store.get(key, 1)
    with pytest.raises(InvalidKey):
        store.put(key, b"", "x/y")
    with pytest.raises(InvalidKey):
        store.head(key)
