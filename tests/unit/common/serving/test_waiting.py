"""Waiting at start."""

from __future__ import annotations

import logging

import pytest

from services.common.errors import ConfigError, InvalidImage, StoreUnavailable
from services.common.serving.waiting import wait_until


class Answers:
    """Raises these errors, one a call, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "there"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.serving.waiting._PAUSE_SECONDS", 0.01)


def test_it_goes_on_once_what_was_missing_is_there_and_says_what_it_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bucket = ConfigError("the bucket is not there")
    with caplog.at_level(logging.WARNING):
        assert wait_until(Answers(StoreUnavailable("no answer"), bucket, bucket, bucket), 30) == "there"
    assert [record.message.split(": ")[1] for record in caplog.records] == ["no answer", "the bucket is not there"]


def test_without_time_the_first_error_is_the_answer() -> None:
    with pytest.raises(StoreUnavailable, match="no answer"):
        wait_until(Answers(StoreUnavailable("no answer")), 0)


def test_when_the_time_is_over_the_last_error_is_the_answer() -> None:
    def never() -> None:
        raise ConfigError("no models")

    with pytest.raises(ConfigError, match="no models"):
        wait_until(never, 0.05)


def test_what_waiting_cannot_mend_is_told_at_once() -> None:
    with pytest.raises(InvalidImage):
        wait_until(Answers(InvalidImage("not an image")), 30)
