"""Structured logs: one JSON object a line in a pod, short coloured lines on a terminal.

Call sites pass fields, never formatted text, and never values of rows or secrets:
`log.info("ingested", extra={"source": "transactions", "rows": 1469307})`.
"""

import json
import logging
import os
import sys
import time
from typing import Any

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The `extra` fields of a record."""
    return {k: v for k, v in vars(record).items() if k not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, event, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`; values that JSON does not know are written as text."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """`event key=value …` for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record` on one line, the exception below it."""
        extra = " ".join(f"{k}={v}" for k, v in fields(record).items())
        mark = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        text = f"{mark}{record.getMessage()} {extra}".rstrip()
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(*, json_lines: bool | None = None, level: str | None = None) -> None:
    """Send Evergreen's logs to standard error; JSON unless that is a terminal (EVERGREEN_LOG=json|text)."""
    wish = os.environ.get("EVERGREEN_LOG", "")
    if json_lines is None:
        json_lines = wish == "json" or (wish != "text" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if json_lines else TextFormatter())
    root = logging.getLogger("evergreen")
    root.handlers[:] = [handler]
    root.propagate = False
    # Its retry warnings would stand before our own message, which says more.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    root.setLevel(level or os.environ.get("EVERGREEN_LOG_LEVEL", "INFO").upper())


def get(name: str) -> logging.Logger:
    """The logger of a module: `log = evergreen.log.get(__name__)`."""
    return logging.getLogger(name)
