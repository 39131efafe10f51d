"""--appearance on the command line."""

from __future__ import annotations

import argparse
from dataclasses import fields

import pytest

from services.cli.appearance import NAMES, add_appearance, appearance_of
from services.generation.appearance import Appearance


def _parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="biosynth")
    add_appearance(parser)
    return parser.parse_args(arguments)


def test_the_names_are_those_that_the_generator_knows() -> None:
    assert tuple(field.name for field in fields(Appearance)) == NAMES


def test_what_is_ordered_is_set_and_the_rest_is_not() -> None:
    ordered = appearance_of(_parse("--appearance", "noise=0", "--appearance", "background=0.25"))
    assert {field.name: value for field, value in ordered.ListFields()} == {"background": 0.25, "noise": 0.0}
    assert appearance_of(_parse()).ListFields() == []


def test_of_two_orders_for_one_value_the_last_counts() -> None:
    assert appearance_of(_parse("--appearance", "noise=0.1", "--appearance", "noise=0.2")).noise == 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur=1", "a name among background, contrast, spread, noise, sharpness, grain, unevenness; got 'blur=1'"),
        ("noise", "expected a number for noise; got ''"),
        ("noise=loud", "expected a number for noise; got 'loud'"),
        ("noise=5", "expected appearance.noise from 0 to 1; got 5"),
        ("noise=nan", "expected appearance.noise from 0 to 1; got nan"),
        ("=1", "expected NAME=VALUE"),
        ("sampled", "got sampled, which is for `run`"),
    ],
)
def test_a_wrong_order_is_wrong_usage_and_says_what_is_right(
    text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        _parse("--appearance", text)
    assert left.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
