"""The client reads whole answers of every form, and calls each way of breaking by its name."""

from __future__ import annotations

import gc
import socket
import time

import orjson
import pytest

from core.errors import BackendUnavailable, GreenroomError, Invalid, UpstreamBroken, UpstreamTimeout
from core.wire.client import Client, Timeouts
from tests.support.upstream import Double
from tests.wire.conftest import LIMIT, Asking

pytestmark = pytest.mark.anyio
QUICK = Timeouts(connect_s=0.2, first_byte_s=0.2, between_s=0.2, total_s=5)


def content(answer: bytes) -> str:
    return orjson.loads(answer)["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "kind", ["echo", "chunked", "until_close", "interim", "gzip", "deflate", "raw_deflate", "say_close", "close_after"]
)
async def test_an_answer_of_any_framing_and_packing_is_read_whole(asking: Asking, kind: str) -> None:
    for number in range(3):
        assert content(await asking.read(f"mark {number}", kind=kind)) == f"echo: mark {number}"


async def test_one_connection_serves_question_after_question(asking: Asking) -> None:
    for _ in range(20):
        await asking.read()
    assert asking.double.stats.connections == 1
    assert asking.pool.idle_count == 1


async def test_status_and_headers_are_there_before_the_body(asking: Asking) -> None:
    reply = await asking.send(status=429, retry_after="7")
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert orjson.loads(await reply.read(LIMIT))["error"]["type"] == "invalid_request_error"


async def test_what_the_caller_sends_arrives_and_his_framing_headers_do_not(asking: Asking) -> None:
    await asking.client.send(
        "POST",
        f"{asking.double.url}/embeddings?a=1",
        headers=[("X-Team", "search"), ("Content-Length", "999"), ("Transfer-Encoding", "chunked"), ("Host", "evil")],
        content=b'{"input": "x"}',
    )
    (seen,) = asking.double.stats.seen
    assert seen.path == "/v1/embeddings?a=1"
    assert seen.headers["x-team"] == "search"
    assert seen.headers["content-length"] == "14"
    assert seen.headers["host"] == f"127.0.0.1:{asking.double.port}"
    assert "transfer-encoding" not in seen.headers


async def test_a_stream_arrives_piece_by_piece(asking: Asking) -> None:
    reply = await asking.send("one two", stream=True, gap_s=0.02, tokens=5)
    arrived = [time.monotonic() async for _ in reply.chunks()]
    assert len(arrived) >= 5
    assert arrived[-1] - arrived[0] > 0.05
    assert asking.pool.idle_count == 1


async def test_twenty_megabytes_go_out_and_come_back(asking: Asking) -> None:
    text = "z" * 20_000_000
    assert content(await asking.read(text)) == f"echo: {text}"
    assert len(content(await asking.read("big", kind="big"))) == 20_000_000
    assert asking.double.stats.connections == 1


async def test_a_slow_reader_slows_the_backend_and_not_the_memory(asking: Asking) -> None:
    reply = await asking.send(kind="big")
    pieces = reply.chunks()
    await anext(pieces)
    await _moments()
    assert reply._exchange._unread_bytes < 2_000_000
    rest = [len(piece) async for piece in pieces]
    assert sum(rest) > 19_000_000
    assert asking.pool.idle_count == 1


async def _moments() -> None:
    from anyio import sleep

    await sleep(0.1)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_an_answer_without_a_body_is_empty_and_not_awaited(asking: Asking, method: str) -> None:
    how = orjson.dumps({"x_double": {"kind": "no_content" if method == "GET" else "echo"}})
    reply = await asking.client.send(method, f"{asking.double.url}/models", content=how, timeouts=QUICK)
    assert await reply.read(LIMIT) == b""


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("cut", "reset"),
        ("cut_chunked", "reset"),
        ("reset", "reset"),
        ("reset_mid", "reset"),
        ("close", "reset"),
        ("bad_http", "protocol"),
        ("huge_header", "protocol"),
        ("brotli", "protocol"),
        ("gzip_garbage", "bad_gzip"),
        ("gzip_cut", "bad_gzip"),
    ],
)
async def test_an_answer_that_breaks_is_never_taken_for_a_whole_one(asking: Asking, kind: str, code: str) -> None:
    with pytest.raises(UpstreamBroken) as broken:
        await asking.read(kind=kind)
    assert broken.value.code == code
    assert asking.pool.idle_count == 0 or code == "bad_gzip"  # its bytes were all read: only their packing is bad
    assert content(await asking.read("next")) == "echo: next"


@pytest.mark.parametrize("kind", ["break", "reset"])
async def test_what_came_before_a_break_is_given_before_the_error(asking: Asking, kind: str) -> None:
    reply = await asking.send("one two three four", stream=True, kind=kind, at=3)
    got: list[bytes] = []

    async def gather() -> None:
        async for piece in reply.chunks():
            got.append(piece)

    with pytest.raises(UpstreamBroken) as broken:
        await gather()
    assert broken.value.code == "reset"
    assert b"echo:" in b"".join(got)


@pytest.mark.parametrize(
    ("how", "stream", "code"),
    [
        ({"kind": "hang"}, False, "first_token_timeout"),
        ({"kind": "head_only"}, False, "first_token_timeout"),
        ({"first_s": 3.0}, True, "first_token_timeout"),
        ({"kind": "stall"}, True, "stalled"),
    ],
)
async def test_each_kind_of_lateness_has_its_name(asking: Asking, how: dict, stream: bool, code: str) -> None:
    began = time.monotonic()
    with pytest.raises(UpstreamTimeout) as late:
        await (await asking.send(stream=stream, timeouts=QUICK, **how)).read(LIMIT)
    assert late.value.code == code
    assert time.monotonic() - began < 1
    assert asking.pool.idle_count == 0


async def test_a_stream_that_moves_but_never_ends_meets_the_total(asking: Asking) -> None:
    short = Timeouts(first_byte_s=0.4, between_s=0.4, total_s=0.5)
    with pytest.raises(UpstreamTimeout) as late:
        await (await asking.send(stream=True, timeouts=short, tokens=1000, gap_s=0.02)).read(LIMIT)
    assert late.value.code == "total_timeout"


async def test_a_body_above_the_limit_is_refused_and_a_bomb_stays_small(asking: Asking) -> None:
    for how in ({"kind": "big", "size": 2_000_000}, {"kind": "bomb", "size": 200_000_000}):
        reply = await asking.send(**how)
        with pytest.raises(UpstreamBroken) as refused:
            await reply.read(1_000_000)
        assert refused.value.code == "too_large"
    assert asking.pool.idle_count == 0


async def test_a_port_where_nobody_listens_is_unavailable_at_once(asking: Asking) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(BackendUnavailable) as refused:
        await asking.client.send("GET", f"http://127.0.0.1:{port}/v1/models")
    assert refused.value.code == "connect_failed"


async def test_a_name_nobody_knows_is_unavailable(asking: Asking) -> None:
    with pytest.raises(BackendUnavailable) as refused:
        await asking.client.send("GET", "http://no-such-host.invalid/v1/models")
    assert refused.value.code in ("connect_failed", "connect_timeout")


async def test_a_connection_that_is_not_accepted_in_time_is_a_connect_timeout(asking: Asking) -> None:
    url = asking.double.url.replace("http://", "https://")  # the double waits for HTTP, the client for a handshake
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        with pytest.raises(BackendUnavailable) as refused:
            await asking.client.send("GET", f"https://127.0.0.1:{silent.getsockname()[1]}/", timeouts=QUICK)
    assert refused.value.code == "connect_timeout", url


@pytest.mark.parametrize("url", ["", "ftp://x/y", "http://", "/v1/models", "http://[::1", "http://a b/"])
async def test_an_address_that_cannot_be_asked_is_invalid(asking: Asking, url: str) -> None:
    with pytest.raises(GreenroomError) as refused:
        await asking.client.send("GET", url)
    assert refused.value.code in ("bad_url", "connect_failed")


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\0b", "“quoted”"])
async def test_a_header_that_would_smuggle_is_never_sent(asking: Asking, value: str) -> None:
    with pytest.raises(Invalid):
        await asking.client.send("GET", f"{asking.double.url}/models", headers=[("authorization", value)])
    assert asking.double.stats.requests == 0


async def test_a_closed_client_leaves_no_connection(double: Double) -> None:
    client = Client()
    asking = Asking(client, double)
    await asking.read()
    reply = await asking.send(kind="head_only")
    pool = asking.pool
    await client.aclose()
    with pytest.raises(UpstreamBroken):
        await reply.read(LIMIT)
    assert pool.open_count == 0
    gc.collect()
