"""Server-sent events come out the same however the network cut the stream and the server ended its lines."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UpstreamBroken
from core.wire.sse import Decoder, Event

FILE = Path(__file__).parents[1] / "data" / "wire" / "recorded_streams.jsonl.gz"
RECORDED = [json.loads(line) for line in gzip.decompress(FILE.read_bytes()).splitlines()]
PIECES = st.lists(
    st.sampled_from(
        ["data: a", "data:b", "data", "event: x", ": ping", "id: 1", "é😀", "\n", "\r\n", "\r", "\n\n", "\r\n\r\n"]
    )
)


def decoded(pieces: list[bytes]) -> list[Event]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.end()


def said(events: list[Event]) -> list[tuple[str, bytes]]:
    return [(event.event, event.data) for event in events if event.data]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


@given(PIECES, st.lists(st.integers(min_value=0)))
def test_any_cut_of_any_stream_says_the_same_and_loses_no_byte(parts: list[str], places: list[int]) -> None:
    stream = "".join(parts).encode()
    whole, pieces = decoded([stream]), decoded(cut(stream, places))
    assert said(whole) == said(pieces)
    assert b"".join(event.raw for event in whole) == b"".join(event.raw for event in pieces) == stream


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_given_back_whole_when_fed_one_by_one(stream: bytes) -> None:
    events = decoded([stream[i : i + 1] for i in range(len(stream))])
    assert b"".join(event.raw for event in events) == stream
    assert said(events) == said(decoded([stream]))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda row: row["uri"].split("/")[2])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_recorded_streams_of_providers_decode_with_every_line_end(
    recorded: dict[str, str], line_end: bytes, size: int
) -> None:
    stream = recorded["response"].encode().replace(b"\n", line_end)
    events = decoded([stream[i : i + size] for i in range(0, len(stream), size)])
    assert b"".join(event.raw for event in events) == stream
    bodies = [event.data for event in events if event.data]
    expected = [line[5:].strip() for line in recorded["response"].splitlines() if line.startswith("data:")]
    assert [body.decode() for body in bodies] == expected
    for body in bodies:
        if body != b"[DONE]":
            json.loads(body)


def test_a_comment_is_an_event_without_data_that_can_be_passed_on() -> None:
    assert decoded([b": ping\n\n"]) == [Event(b"", "", b": ping\n\n")]


def test_no_space_after_the_colon_and_several_data_lines() -> None:
    assert said(decoded([b"event:delta\ndata:one\ndata: two\ndata\n\n"])) == [("delta", b"one\ntwo\n")]


def test_an_event_is_given_at_once_when_its_blank_line_is_there() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: 1\n") == []
    assert [event.data for event in decoder.feed(b"\ndata: 2\n\nda")] == [b"1", b"2"]
    assert [event.data for event in decoder.feed(b"ta: 3\r\n\r\n")] == [b"3"]


def test_a_byte_order_mark_is_not_part_of_the_first_event() -> None:
    assert said(decoded([b"\xef\xbb\xbfdata: x\n\n"])) == [("", b"x")]


def test_a_character_split_between_two_pieces_stays_whole() -> None:
    stream = "data: 😀é\n\n".encode()
    assert said(decoded([stream[:8], stream[8:11], stream[11:]])) == [("", "😀é".encode())]


def test_the_last_event_without_a_blank_line_is_still_given() -> None:
    assert said(decoded([b"data: 1\n\ndata: [DONE]"])) == [("", b"1"), ("", b"[DONE]")]


def test_an_event_without_end_is_refused_at_the_limit() -> None:
    decoder = Decoder(limit=1000)
    decoder.feed(b"data: " + b"x" * 900)
    with pytest.raises(UpstreamBroken) as refused:
        decoder.feed(b"x" * 100)
    assert refused.value.code == "too_large"
