"""Log lines as JSON, each with the id of the request that it belongs to."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

# Set by the server for each call; carried into worker threads by Workers.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")


class JsonFormatter(logging.Formatter):
    """One line for each record: time, level, logger, message, request_id, the extra `fields`, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON; line breaks inside values are escaped."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        fields = getattr(record, "fields", None)  # logger.info("...", extra={"fields": {...}})
        if isinstance(fields, dict):
            line.update({name: value for name, value in fields.items() if name not in line})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logs(level: str, stream: TextIO) -> None:
    """Send log records from `level` (debug, info, warning, error) up to `stream`; libraries' from warning up."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in ("asyncio", "grpc", "urllib3"):
        logging.getLogger(library).setLevel(max(logging.getLogger().level, logging.WARNING))
    # It quotes metadata that are not text, maybe a token with one wrong byte; and any caller could fill the disk so.
    logging.getLogger("grpc._cython.cygrpc").setLevel(logging.CRITICAL)
