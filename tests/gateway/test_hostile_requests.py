"""What an application sends, or a stranger through it, cannot break the answer, its headers or the record."""

from __future__ import annotations

import asyncio
import random

import pytest

from core.gateway.exchange import raw_headers
from tests.support.house import House

pytestmark = pytest.mark.anyio

DEEP = "[" * 300 + "]" * 300
ASKED = '"model":"double/m","messages":[{"role":"user","content":"hello"}]'


@pytest.mark.parametrize(
    "body",
    [
        f'{{{ASKED},"x":{DEEP}}}',
        f'{{{ASKED},"metadata":{{"a":{DEEP}}}}}',
        f'{{"model":"double/m","messages":[{{"role":"user","content":{DEEP}}}]}}',
        f'{{{ASKED},"stream":true,"tools":{DEEP}}}',
        f'{{{ASKED},"x":{"[" * 100_000}',
    ],
    ids=["field", "metadata", "content", "tools", "endless"],
)
async def test_a_body_nested_without_end_is_refused_with_a_sentence(house: House, body: str) -> None:
    headers = {"content-type": "application/json"}
    response = await house.client.post("/v1/chat/completions", content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_json"
    assert house.double.stats.requests == 0


@pytest.mark.parametrize(
    "name",
    ["m\r\nset-cookie: a=b", "m\0", "\u202em", "m m", "m" * 201, "".join(random.Random(1).choices("abcdef", k=9_000))],
    ids=["line break", "zero byte", "direction", "space", "long", "longer than an index takes"],
)
async def test_a_model_name_that_cannot_be_one_is_nowhere(house: House, name: str) -> None:
    response = await house.ask("hello", model=f"double/{name}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert house.double.stats.requests == 0
    assert [row.status for row in house.calls()] == ["refused"]


async def test_the_bytes_of_an_answer_hold_no_header_the_caller_wrote(house: House) -> None:
    body = b'{"model":"double/m\\r\\nx-planted: 1","messages":[{"role":"user","content":"hello"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer %s\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(house.url.rsplit(":", 1)[1]))
    writer.write(head % house.key.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
    raw = await reader.read()
    writer.close()
    assert b"\nx-planted" not in raw.split(b"\r\n\r\n")[0]


def test_no_header_ends_its_own_line() -> None:
    assert raw_headers([("a", "b\r\nc: d\0\x1b"), ("e", "ü→")]) == [(b"a", b"b  c: d  "), (b"e", b"\xfc?")]
