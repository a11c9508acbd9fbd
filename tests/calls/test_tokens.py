"""Tokens are counted as OpenAI counts them, without a network, and an estimate says that it is one."""

from __future__ import annotations

import lzma
import socket
from pathlib import Path
from typing import Any

import pytest
import tiktoken
import tiktoken.registry

from core.calls import tokens

_EXAMPLES = (  # OpenAI cookbook, "How to count tokens with tiktoken"
    ("", "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."),
    ("example_user", "New synergies will help drive top-line growth."),
    ("example_assistant", "Things working well together will increase revenue."),
    (
        "example_user",
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    ),
    ("example_assistant", "Let's talk later when we're less busy about how to do better."),
)
COOKBOOK: list[dict[str, Any]] = [
    {"role": "system", "content": text} | ({"name": name} if name else {}) for name, text in _EXAMPLES
]
COOKBOOK.append(
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    }
)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No encoding is loaded yet, and nothing can be fetched."""

    def refuse(*_args: Any, **_more: Any) -> None:
        raise OSError("network is off")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("cl100k_base", "hello world", [15339, 1917]),
        ("o200k_base", "hello world", [24912, 2375]),
        ("cl100k_base", "rer", [38149]),
        ("cl100k_base", "'rer", [2351, 81]),
        ("cl100k_base", "today\n ", [31213, 198, 220]),
        ("cl100k_base", "today\n \n", [31213, 27907]),
        ("cl100k_base", "today\n  \n", [31213, 14211]),
        ("cl100k_base", "👍", [9468, 239, 235]),
    ],
)
def test_published_vectors_are_met(name: str, text: str, expected: list[int]) -> None:
    assert tokens.encoding(name).encode(text) == expected


@pytest.mark.parametrize(("model", "expected"), [("gpt-4", 129), ("gpt-4o", 124), ("openai/gpt-4o", 124)])
def test_the_cookbooks_conversation_has_its_published_count(model: str, expected: int) -> None:
    assert tokens.count_messages(model, COOKBOOK) == (expected, True)


def test_tiktoken_itself_finds_the_encodings() -> None:
    assert tiktoken.get_encoding("o200k_base") is tokens.encoding("o200k_base")


@pytest.mark.parametrize("model", ["gpt-5", "gpt-4.1", "o3", "gpt-3.5-turbo", "text-embedding-3-small", "gpt-oss-120b"])
def test_a_model_of_openai_is_counted_exactly(model: str) -> None:
    assert tokens.count_text(model, "hello world") == (2, True)


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "llama-3", "builtin/extract", ""])
def test_another_model_is_an_estimate(model: str) -> None:
    assert tokens.count_text(model, "hello world") == (2, False)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
        {"role": "user", "content": [3, None]},
    ],
)
def test_what_is_not_text_makes_an_estimate(message: dict[str, Any]) -> None:
    count, is_exact = tokens.count_messages("gpt-4o", [message])
    assert count > 6
    assert not is_exact


def test_special_tokens_in_a_text_are_text() -> None:
    assert tokens.count_text("gpt-4o", "<|endoftext|>")[0] > 1


def test_a_text_too_long_to_count_is_estimated() -> None:
    count, is_exact = tokens.count_text("gpt-4o", "word " * 200_000)
    assert count == pytest.approx(200_000, rel=0.01)
    assert not is_exact


def test_damaged_ranks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cl100k_base.tiktoken.xz").write_bytes(lzma.compress(b"IQ== 0\n"))
    monkeypatch.setattr(tokens, "FOLDER", tmp_path)
    monkeypatch.delitem(tiktoken.registry.ENCODINGS, "cl100k_base", raising=False)
    with pytest.raises(ValueError, match="differ"):
        tokens.encoding("cl100k_base")
