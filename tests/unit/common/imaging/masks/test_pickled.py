"""Pickles are read as data: nothing that they name is imported or called."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidImage
from services.common.imaging.masks.pickled import Call, read_pickle
from services.common.imaging.masks.reading import read_masks
from tests.support.mask_files import cellpose_seg, separate

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(PLAIN, st.sampled_from([2, 3, 4, 5]))
def test_plain_values_come_back_as_they_are(value: Any, protocol: int) -> None:
    read = read_pickle(pickle.dumps(value, protocol))
    if protocol > 2:  # protocol 2 has no bytes: they are a call
        assert read == value


class Runs:
    """What a malicious file holds: unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_a_file_that_would_run_code_when_unpickled_runs_none(tmp_path: Path) -> None:
    made = tmp_path / "made"
    pickle.loads(pickle.dumps(Runs(made)))  # noqa: S301  (shows that the trap works)
    assert made.is_dir()
    made.rmdir()
    data = cellpose_seg(separate(), extra=Runs(made))
    np.testing.assert_array_equal(read_masks(data, "cells").labels("cells"), separate())
    with pytest.raises(InvalidImage, match="expected masks as an array of numbers"):
        read_masks(cellpose_seg(separate(), masks=Runs(made)), "cells")
    assert not made.exists()


def test_a_call_is_kept_with_its_arguments_and_state() -> None:
    call = read_pickle(pickle.dumps(np.dtype("<i4")))
    assert isinstance(call, Call) and call.function == "numpy.dtype" and call.arguments[0] == "i4"


class Crafted:
    """An array whose content is named as objects, so that NumPy would follow it as addresses."""

    def __init__(self, code: str, content: bytes) -> None:
        self.code, self.content = code, content

    def __reduce__(self) -> Any:
        whole = np.zeros((2, 2), np.int64).__reduce__()
        assert isinstance(whole, tuple)
        return whole[0], whole[1], (1, (2, 2), np.dtype(self.code), False, self.content)


@pytest.mark.parametrize(("code", "content"), [("O", b"\x41" * 32), ("V8", b"\x41" * 32), ("i8", b"\x41" * 31)])
def test_arrays_of_addresses_and_of_too_few_bytes_are_refused(code: str, content: bytes) -> None:
    with pytest.raises(InvalidImage, match="expected"):
        read_masks(cellpose_seg(separate(), masks=Crafted(code, content)), "cells")


@pytest.mark.parametrize("data", [b"", b".", b"\x80\x04.", b"\x80\x04R.", b"\x80\x04Nb.", b"cos\nsystem\n"])
def test_damage_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage, match="expected an intact file of Python objects"):
        read_pickle(data)
