"""Masks are shared out to splits by their groups."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.synthesis.splits import assign_splits, group_of


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=60),
    st.sampled_from([(80, 20), (8, 1, 1)]),
    st.integers(0, 9),
)
def test_no_group_is_in_two_splits_and_no_split_is_empty(groups: list[str], shares: tuple[int, ...], seed: int) -> None:
    if len(set(groups)) < len(shares):
        with pytest.raises(InvalidArgument, match=f"at least {len(shares)} groups"):
            assign_splits(groups, shares, seed)
        return
    splits = assign_splits(groups, shares, seed)
    assert splits == assign_splits(groups, shares, seed)
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))
    assert set(splits) == set(range(len(shares)))


def test_the_shares_are_met_and_another_seed_shares_out_otherwise() -> None:
    groups = [str(number) for number in range(50)]
    splits = assign_splits(groups, (80, 20), 0)
    assert splits.count(0) == 40
    assert splits != assign_splits(groups, (80, 20), 1)


def test_a_group_is_what_the_pattern_names_or_matches() -> None:
    assert group_of("day1/plate2_w3.tif", re.compile(r"(plate\d+)_")) == "plate2"
    assert group_of("day1/plate2_w3.tif", re.compile("^[^/]+")) == "day1"
    with pytest.raises(InvalidArgument, match=r"match the name of every mask; 'well' is not in 'a\.png'"):
        group_of("a.png", re.compile("well"))
