"""Shares of splits, as `synthesize`, `dataset` and `train` take them."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from services.cli.order_options import shares, two_shares
from tests.support.commands import runner


@pytest.mark.parametrize("parse", [shares, two_shares])
@pytest.mark.parametrize(
    ("text", "percents"), [("80/20", [80, 20]), ("0.8", [80, 20]), (".65", [65, 35]), ("1/99", [1, 99])]
)
def test_two_shares_are_percents_or_the_first_as_a_fraction(
    parse: Callable[[str], list[int]], text: str, percents: list[int]
) -> None:
    assert parse(text) == percents


def test_three_shares_are_for_orders_alone() -> None:
    assert shares("80/10/10") == [80, 10, 10]
    with pytest.raises(argparse.ArgumentTypeError, match=r"expected two shares.*; got '80/10/10'"):
        two_shares("80/10/10")


@pytest.mark.parametrize("parse", [shares, two_shares])
@pytest.mark.parametrize(("text", "total"), [("80/30", 110), ("8/2", 10)])
def test_shares_of_another_sum_than_100_are_refused(parse: Callable[[str], list[int]], text: str, total: int) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"expected shares that sum to 100, .*; got '{text}', {total}"):
        parse(text)


@pytest.mark.parametrize("parse", [shares, two_shares])
@pytest.mark.parametrize("text", ["80", "1.5", "nan", "0", "0.001", "a/b", "100/0", "80/-20", "80/20/", "40/20/20/20"])
def test_what_are_no_shares_is_refused(parse: Callable[[str], list[int]], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"expected (two )?shares"):
        parse(text)


def test_an_order_whose_shares_exceed_the_whole_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("synthesize", "--masks", "m", "--model", "fluo-nuclei", "--out", "o", "--split", "80/30")
    code, _, said = runner(capsys)(*given)
    assert code == 2 and "expected shares that sum to 100, such as 80/20; got '80/30', 110" in said
