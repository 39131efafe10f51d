"""Models by name and version, as commands take them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from services.cli.model_names import ANY, model_name
from tests.support.commands import runner


@pytest.mark.parametrize(
    ("text", "name", "version"), [("fluo", "fluo", ""), ("fluo/2", "fluo", "2"), ("fluo/1/2", "fluo", "1/2")]
)
def test_a_model_is_a_name_and_perhaps_a_version_and_is_told_as_it_was_typed(
    text: str, name: str, version: str
) -> None:
    model = model_name(text)
    assert (model.name, model.version, str(model)) == (name, version, text)


def test_no_model_is_told_as_nothing() -> None:
    assert str(ANY) == ""


@pytest.mark.parametrize("text", ["", "/", "/2"])
def test_a_model_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected NAME or NAME/VERSION"):
        model_name(text)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "a.png", "--out", "o", "--model", ""),
        ("generate", "a.png", "--like", "b.png", "--out", "o", "--model", ""),
        ("synthesize", "--masks", "m", "--out", "o", "--model", "/2"),
        ("models", ""),
    ],
)
def test_every_command_says_what_it_takes_for_a_model(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = runner(capsys)(*words)
    assert code == 2 and "expected NAME or NAME/VERSION; got" in said
    assert list(tmp_path.iterdir()) == []
