"""Log lines as JSON."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from services.common.serving.logs import REQUEST_ID, configure_logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("info", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_logger_message_and_fields(stream: io.StringIO) -> None:
    logging.getLogger("a.b").warning("low on %s", "room", extra={"fields": {"free_bytes": 12, "level": "hidden"}})
    (line,) = lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "logger": "a.b", "message": "low on room", "free_bytes": 12}


def test_a_line_break_in_a_message_makes_no_second_line(stream: io.StringIO) -> None:
    logging.getLogger("a").error('x\n{"level": "forged"}')
    (line,) = lines(stream)
    assert line["message"] == 'x\n{"level": "forged"}'


def test_a_traceback_and_the_request_id_are_in_the_line(stream: io.StringIO) -> None:
    token = REQUEST_ID.set("request-7")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("a").exception("failed")
    finally:
        REQUEST_ID.reset(token)
    (line,) = lines(stream)
    assert line["request_id"] == "request-7"
    assert line["exception"].endswith("ValueError: why")


def test_lines_below_the_level_and_a_librarys_chatter_are_left_out(stream: io.StringIO) -> None:
    logging.getLogger("a").debug("too low")
    logging.getLogger("grpc._cython").info("chatter")
    logging.getLogger("a").info("kept")
    assert [line["message"] for line in lines(stream)] == ["kept"]


def test_grpcs_words_on_metadata_that_are_no_text_are_not_logged(stream: io.StringIO) -> None:
    logging.getLogger("grpc._cython.cygrpc").error("Invalid encoding on %s", b"Bearer the-token\xff")
    assert stream.getvalue() == ""
