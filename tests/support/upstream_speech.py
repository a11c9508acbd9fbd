"""One answer of the upstream double on its way out, as well or as badly as the request asked for."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from tests.support import upstream_answers as answers

if TYPE_CHECKING:
    from tests.support.upstream import Behaviour, Request, _Wire

JSON = b"application/json"
HTML = b"<!doctype html><title>Gateway</title><h1>Please sign in</h1>"
_PACKED = {
    "gzip": (b"gzip", gzip.compress),
    "bomb": (b"gzip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "raw_deflate": (b"deflate", lambda data: zlib.compress(data)[2:-4]),
    "gzip_garbage": (b"gzip", lambda data: b"\x1f\x8b\x08\x00garbage" + data),
    "gzip_cut": (b"gzip", lambda data: gzip.compress(data)[:-12]),
    "brotli": (b"br", bytes),
}


class Speech:
    """Says one answer on one connection."""

    def __init__(self, wire: _Wire, request: Request, body: dict[str, Any], how: Behaviour, *, is_last: bool) -> None:
        self.wire = wire
        self.request = request
        self.body = body
        self.how = how
        self.is_last = is_last or how.kind == "say_close"
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def begin(self) -> None:
        """Answer at once where nothing has to be waited for; else in a task of its own."""
        how = self.how
        if how.kind == "hang":
            return
        if how.latency_s or self.body.get("stream"):
            self.task = asyncio.get_running_loop().create_task(self._later())
        else:
            self._answer()

    async def _later(self) -> None:
        if self.how.latency_s:
            await asyncio.sleep(self.how.latency_s)
        if (
            self.body.get("stream")
            and self.request.path.partition("?")[0].endswith("/chat/completions")
            and not self._fails()
        ):
            if self.how.kind in ("html", "malformed_json", "wrong_type", "close", "reset_head", "empty"):
                self._answer()
            else:
                await self._stream()
        else:
            self._answer()

    def _fails(self) -> bool:
        how = self.how
        if how.fail_first:
            return self.wire.double.failures[self.request.text] < how.fail_first
        return how.status >= 400

    def _answer(self) -> None:
        how, path = self.how, self.request.path.partition("?")[0]
        if self._fails():
            self.wire.double.failures[self.request.text] += 1
            status = how.status if how.status >= 400 else 503
            payload = orjson.dumps(answers.failure(status, how.message, how.code or None))
            self.say(payload, status=status, extra=self._waits())
        elif path.endswith("/chat/completions"):
            self.say(orjson.dumps(answers.completion(self.body, self.request.text, how.kind, how.size)))
        elif path.endswith("/embeddings"):
            self.say(orjson.dumps(answers.embeddings(self.body)))
        elif path.endswith("/moderations"):
            self.say(orjson.dumps(answers.moderations(self.body)))
        elif path.endswith("/models"):
            self.say(orjson.dumps(answers.models(self.wire.double.owner)))
        else:
            self.say(orjson.dumps(answers.failure(404, f"Unknown request URL: {path}", "unknown_url")), status=404)

    def _waits(self) -> bytes:
        how = self.how
        named = {
            "retry-after": how.retry_after,
            "retry-after-ms": how.retry_after_ms,
            "x-ratelimit-reset-requests": how.reset_requests,
            "x-ratelimit-reset-tokens": how.reset_tokens,
        }
        return b"".join(f"{name}: {value}\r\n".encode() for name, value in named.items() if value)

    def say(self, payload: bytes, *, status: int = 200, extra: bytes = b"") -> None:
        """Send a whole body with its length, or spoil it as asked."""
        kind, transport = self.how.kind, self.wire.transport
        content_type = JSON
        if kind != "echo":
            if kind in ("reset", "close"):
                self._drop(is_reset=kind == "reset")
                return
            if kind == "bad_http":
                transport.write(b"SMTP/1.0 220 hello\r\n\r\n")
                self._finish()
                return
            if kind == "html":
                payload, content_type = HTML, b"text/html; charset=utf-8"
            elif kind == "wrong_type":
                content_type = b"text/plain"
            elif kind == "truncated_json":
                payload = payload[: len(payload) // 2]
            elif kind == "malformed_json":
                payload = payload.replace(b'":', b'"=', 3)
            elif kind == "empty":
                payload = b""
            elif kind == "no_content":
                status, payload = 204, b""
            elif kind == "bomb":
                payload = b"0" * self.how.size
            elif kind == "huge_header":
                extra += b"x-long: " + b"y" * 100_000 + b"\r\n"
            elif kind == "interim":
                transport.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
            if kind in _PACKED:
                coding, pack = _PACKED[kind]
                payload = pack(payload)
                extra += b"content-encoding: %s\r\n" % coding
        if self.is_last:
            extra += b"connection: close\r\n"
        head = b"HTTP/1.1 %d X\r\ncontent-type: %s\r\nx-request-id: req_double\r\n%s" % (status, content_type, extra)
        if kind in ("chunked", "cut_chunked"):
            half = len(payload) // 2
            parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (payload[:half], payload[half:]))
            transport.write(head + b"transfer-encoding: chunked\r\n\r\n" + parts)
            if kind == "cut_chunked":
                self._drop()
                return
            transport.write(b"0\r\n\r\n")
        elif kind == "until_close":
            transport.write(head + b"\r\n" + payload)
            self.is_last = True
        elif status == 204:
            transport.write(head + b"\r\n")
        else:
            head += b"content-length: %d\r\n\r\n" % len(payload)
            if kind == "head_only":
                transport.write(head)
                return
            if kind in ("cut", "reset_mid"):
                transport.write(head + payload[: len(payload) // 2])
                asyncio.get_running_loop().call_later(0.02, self._drop, kind == "reset_mid")
                return
            transport.write(head if self.request.method == "HEAD" else head + payload)
        self._finish()

    def _finish(self) -> None:
        """The answer is out: keep the connection, or do what was asked behind it."""
        self.wire.done()
        if self.is_last or self.how.kind == "close_after":
            self.wire.transport.close()
        elif self.how.kind == "unsolicited":
            late = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
            asyncio.get_running_loop().call_later(0.02, self.wire.transport.write, late)

    def _drop(self, is_reset: bool = False) -> None:
        """End the connection in the middle, politely or with a reset."""
        if self.wire.speech is not self:
            return
        self.wire.done()
        if is_reset:
            sock = self.wire.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.wire.transport.abort()
        else:
            self.wire.transport.close()

    async def _stream(self) -> None:
        how = self.how
        is_html = how.kind == "stream_html"
        content_type = b"text/html" if is_html else b"text/event-stream; charset=utf-8"
        end = b"connection: close\r\n" if self.is_last else b""
        self.wire.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nx-request-id: req_double\r\n%stransfer-encoding: chunked\r\n\r\n"
            % (content_type, end)
        )
        if how.first_s:
            await asyncio.sleep(how.first_s)
        for number, event in enumerate(self._events()):
            if number > 1 and how.gap_s:
                await asyncio.sleep(how.gap_s)
            if number == how.at and how.kind in ("stall", "break", "reset", "stop_early"):
                if how.kind == "stall":
                    return
                if how.kind == "stop_early":
                    break
                await asyncio.sleep(0.02)
                self._drop(is_reset=how.kind == "reset")
                return
            if how.kind in ("one_byte", "split_utf8"):
                for start in range(len(event)):
                    self._chunk(event[start : start + 1])
                    await asyncio.sleep(0)
            else:
                self._chunk(event)
            await self.wire.writable.wait()
        self.wire.transport.write(b"0\r\n\r\n")
        self._finish()

    def _chunk(self, data: bytes) -> None:
        self.wire.transport.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _events(self) -> Iterator[bytes]:
        how = self.how
        line_end = {"crlf": b"\r\n", "cr": b"\r"}.get(how.kind, b"\n")
        prefix = b"data:" if how.kind == "no_space" else b"data: "
        stop = line_end + line_end
        if how.kind in ("error_first", "nothing"):
            if how.kind == "error_first":
                yield prefix + orjson.dumps(answers.failure(500, how.message, how.code or "double_error")) + stop
            return
        for number, chunk in enumerate(answers.chunks(self.body, self.request.text, how.kind, how.tokens)):
            if how.kind == "pings":
                yield b": ping\n\n"
            if how.kind == "error" and number == how.at:
                yield prefix + orjson.dumps(answers.failure(500, how.message, how.code or "double_error")) + stop
                return
            yield prefix + orjson.dumps(chunk) + stop
        if how.kind not in ("no_done", "stop_early"):
            yield prefix + b"[DONE]" + (b"" if how.kind == "no_blank_end" else stop)
