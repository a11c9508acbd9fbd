"""Unpacks gzip and deflate answers piece by piece, so that a small answer cannot become a large memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from core.errors import UpstreamBroken

PIECE_BYTES = 64 * 1024
"""Unpacked bytes leave in pieces of at most this."""
CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_HINT = "Turn compression off at the backend, or ask again."


class Inflater:
    """Takes packed pieces, gives unpacked ones; knows whether the packed body was whole."""

    def __init__(self, coding: str) -> None:
        self._is_deflate = coding == "deflate"
        self._unpacker = None if self._is_deflate else zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._held = b""
        self._has_begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Unpack the next piece; one answer may be several gzip members in a row."""
        if self._unpacker is None:
            data = self._held + data
            if len(data) < 2:
                self._held = data
                return
            self._held = b""
            self._unpacker = zlib.decompressobj(_window(data))
        while data:
            if self._unpacker.eof:
                if self._is_deflate:
                    raise _bad("has bytes after its end")
                self._unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
            try:
                piece = self._unpacker.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise _bad("cannot be unpacked") from error
            self._has_begun = True
            data = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            if piece:
                yield piece
            if not data and len(piece) == PIECE_BYTES:
                yield from self._rest()

    def end(self) -> None:
        """Say whether the body may end here: a packed body that stops early is broken."""
        if self._held or (self._has_begun and self._unpacker is not None and not self._unpacker.eof):
            raise _bad("stops before its end")

    def _rest(self) -> Iterator[bytes]:
        """What the unpacker still holds after a full piece."""
        assert self._unpacker is not None
        while not self._unpacker.eof:
            try:
                piece = self._unpacker.decompress(b"", PIECE_BYTES)
            except zlib.error as error:
                raise _bad("cannot be unpacked") from error
            if not piece:
                return
            yield piece


def inflater(content_encoding: str) -> Inflater | None:
    """The inflater for a `Content-Encoding`, None where nothing is packed.

    Raises:
        UpstreamBroken: packed in a way we did not ask for.
    """
    coding = content_encoding.strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in CODINGS:
        raise UpstreamBroken(
            f"The backend packed its answer as {coding[:40]!r}, which nobody asked for.",
            code="protocol",
            hint=_HINT,
        )
    return Inflater(coding)


def _window(data: bytes) -> int:
    """Deflate comes with zlib's header (RFC 1950) from most servers and without it from some."""
    has_header = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _bad(what: str) -> UpstreamBroken:
    return UpstreamBroken(f"The backend's packed answer {what}.", code="bad_gzip", hint=_HINT)
