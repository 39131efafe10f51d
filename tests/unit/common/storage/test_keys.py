"""Object keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidKey, KeyNotAllowed
from services.common.storage.keys import check_key, check_readable


@pytest.mark.parametrize("key", ["inputs/a.png", "a", "results/x/ab ü/1..2", ".hidden", "a/" + "b" * 255])
def test_common_keys_are_accepted(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "empty one"),
        ("/inputs/a", "slash in front"),
        ("inputs/", "empty name"),
        ("inputs//a", "empty name"),
        ("inputs/../secrets", "name of dots"),
        ("..", "name of dots"),
        ("inputs/./a", "name of dots"),
        ("inputs\\a", "backslash"),
        ("inputs/a\nb", "control character"),
        ("inputs/\0", "control character"),
        ("inputs/\x7f", "control character"),
        ("é" * 257, "at most 512 bytes, got 514"),
        ("a/" + "b" * 256, "more than 255 bytes"),
        ("inputs/\udcff", "valid Unicode"),
    ],
)
def test_other_keys_are_refused_with_the_reason(key: str, message: str) -> None:
    with pytest.raises(InvalidKey, match=message):
        check_key(key)


@given(st.text(max_size=40))
def test_an_accepted_key_stays_inside_any_folder(key: str) -> None:
    try:
        check_key(key)
    except InvalidKey:
        return
    assert not key.startswith("/")
    assert not {"", ".", ".."} & set(key.split("/"))


@pytest.mark.parametrize("key", ["inputs/a", "results/a/b", "datasets/x"])
def test_callers_may_name_inputs_results_and_datasets(key: str) -> None:
    check_readable(key)


@pytest.mark.parametrize("key", ["models/weights", "input/a", "inputs", "x/inputs/a", "Inputs/a"])
def test_callers_may_name_nothing_else(key: str) -> None:
    with pytest.raises(KeyNotAllowed, match="under inputs/, results/, datasets/, got"):
        check_readable(key)


def test_a_bad_key_is_bad_before_it_is_forbidden() -> None:
    with pytest.raises(InvalidKey):
        check_readable("models/../inputs/a")
