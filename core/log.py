"""Logging: one line per event on standard error, plain for people, JSON where `GREENROOM_LOG=json`.

What is logged may quote a stranger. No text begins a line of its own or steers the terminal that shows it.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import orjson


def plain(text: str) -> str:
    """The text with every sign that is not seen (line ends, escape codes, directions) spelled out."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)


class PlainLines(logging.Formatter):
    """`E greenroom.gateway: the message`, and the stack, where there is one, indented below it."""

    def format(self, record: logging.LogRecord) -> str:
        lines = [f"{record.levelname[:1]} {record.name}: {plain(record.getMessage())}"]
        if record.exc_info:
            lines += [f"  {plain(line)}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, and the stack where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _storable(record.getMessage()),
        }
        if record.exc_info:
            line["stack"] = _storable(self.formatException(record.exc_info))
        return orjson.dumps(line).decode()


def _storable(text: str) -> str:
    """Without half surrogate pairs, which JSON in UTF-8 has no bytes for."""
    return text.encode("utf-8", "replace").decode()


def configure(*, json: bool = False, level: str = "INFO") -> None:
    """Set up the `greenroom` logger once; other libraries' loggers stay as they are."""
    logger = logging.getLogger("greenroom")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json else PlainLines())
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
