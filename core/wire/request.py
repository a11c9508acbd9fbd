"""Writes the head of a request: our own framing headers, the caller's others, nothing that could smuggle."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import Invalid

OURS = frozenset(
    {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"upgrade",
        b"te",
        b"trailer",
        b"expect",
    }
)
"""Headers about this connection; a caller's are left out."""
_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


def head(method: str, path_and_host: bytes, headers: Iterable[tuple[bytes, bytes]], content_length: int) -> bytes:
    """The bytes before the body. `path_and_host` is ` /path HTTP/1.1\\r\\nhost: name\\r\\n`.

    Raises:
        Invalid: a header or the method holds what would end its line.
    """
    names = set()
    lines = [method.encode("latin-1"), path_and_host]
    count = 3
    for name, value in headers:
        lower = name.lower()
        if lower in OURS:
            continue
        names.add(lower)
        lines += (name, b": ", value, b"\r\n")
        count += 1
    if b"accept-encoding" not in names:
        lines.append(b"accept-encoding: gzip, deflate\r\n")
        count += 1
    if b"user-agent" not in names:
        lines.append(b"user-agent: greenroom\r\n")
        count += 1
    if content_length or method not in _BODILESS:
        lines.append(b"content-length: %d\r\n" % content_length)
        count += 1
    lines.append(b"\r\n")
    text = b"".join(lines)
    if not text.count(b"\r\n") == text.count(b"\n") == text.count(b"\r") == count or b"\0" in text:
        raise Invalid(
            "A header holds a line break or a null character.",
            code="bad_header",
            hint="Look at the backend's key: it may have been pasted with a line break.",
        )
    return text
