"""How far long work is, told in lines."""

from __future__ import annotations

import sys

import pytest

from services.cli.console import Console
from services.cli.pace import Pace


def test_a_log_is_told_how_far_it_is_and_how_long_the_rest_takes(capsys: pytest.CaptureFixture[str]) -> None:
    pace = Pace(Console(as_json=False, quiet=False), 2, "images", every_s=0.0)
    pace.step()
    pace.step()
    assert capsys.readouterr().err.splitlines() == ["1 of 2 images; 0 s left", "2 of 2 images; 0 s left"]


def test_nothing_is_told_before_its_time_when_quiet_or_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Pace(Console(as_json=False, quiet=False), 2, "images").step()
    Pace(Console(as_json=False, quiet=True), 2, "images", every_s=0.0).step()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Pace(Console(as_json=False, quiet=False), 2, "images", every_s=0.0).step()
    assert capsys.readouterr().err == ""
