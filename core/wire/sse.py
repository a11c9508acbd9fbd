"""Cuts a stream of bytes into server-sent events, however the network split it and however the server writes lines.

Nothing is lost: the `raw` bytes of all events, joined, are the stream, so it can be passed on as it came.
Source: the HTML standard, section 9.2.6, "Interpreting an event stream". One leniency: a last event without
its closing blank line is given by `end`, because some servers forget it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import UpstreamBroken

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""One event larger than this breaks the stream: images come as base64 in a single event, novels do not."""
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_BOM = b"\xef\xbb\xbf"
_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")
LONGEST_BEGINNING = 16
"""Bytes that are enough to tell a stream of events from anything else."""


def begins(data: bytes) -> bool:
    """Whether these bytes are the beginning of a stream of events, whatever the server calls it."""
    return _BEGINS.match(data) is not None


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its data lines joined (empty for pings and comments), its name, and its very bytes."""

    data: bytes
    event: str
    raw: bytes


class Decoder:
    """Takes pieces of a stream, gives the events that are whole."""

    __slots__ = ("_has_cr", "_held", "_is_first", "_limit", "_scan")

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._held = bytearray()
        self._scan = 0
        self._has_cr = False
        self._is_first = True
        self._limit = limit

    def feed(self, data: bytes) -> list[Event]:
        """Add a piece; returns the events it completes.

        Raises:
            UpstreamBroken: "too_large", an event never ends.
        """
        held = self._held
        held += data
        if not self._has_cr and b"\r" in data:
            self._has_cr = True
        events = []
        start = 0
        while True:
            end = self._cut(start, max(start, self._scan))
            if end < 0:
                break
            events.append(self._event(bytes(held[start:end])))
            start = self._scan = end
        if start:
            del held[:start]
        self._scan = max(len(held) - 3, 0)
        if len(held) > self._limit:
            raise UpstreamBroken(
                f"The backend sent one event larger than {self._limit} bytes.",
                code="too_large",
                hint="Ask without streaming, or look at what the backend sends.",
            )
        return events

    def end(self) -> list[Event]:
        """The stream is over: what is left, as the last event."""
        if not self._held:
            return []
        raw = bytes(self._held)
        self._held.clear()
        self._scan = 0
        return [self._event(raw)]

    def _cut(self, start: int, scan: int) -> int:
        """Where the event that begins at `start` ends; -1 if it is not whole. Before `scan` nothing ends."""
        held = self._held
        if not self._has_cr:
            found_at = held.find(b"\n\n", scan)
            return found_at + 2 if found_at >= 0 else -1
        while scan > start and held[scan - 1] in b"\r\n":
            scan -= 1
        found = _BLANK_LINE.search(held, scan)
        if found is None:
            return -1
        end = found.end()
        if end == len(held) and held[found.start() : end] == b"\r\n\r":
            return -1  # the rest of this line end is on its way
        return end

    def _event(self, raw: bytes) -> Event:
        text = raw
        if self._is_first:
            self._is_first = False
            text = raw.removeprefix(_BOM)
        if text.startswith(b"data: ") and text.endswith(b"\n\n") and b"\r" not in text:
            data = text[6:-2]
            if b"\n" not in data:
                return Event(data, "", raw)
        lines = []
        name = ""
        for line in text.splitlines():
            field, _, value = line.partition(b":")
            if field == b"data":
                lines.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ").decode("utf-8", "replace")
        return Event(b"\n".join(lines), name, raw)
