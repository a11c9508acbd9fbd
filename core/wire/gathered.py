"""A stream's chunks added up to the completion they would have been: for the record, the cache, the playground.

The one place that knows how deltas grow: words are joined, lists extended, objects merged, ids and roles kept. What
nobody knows yet is treated so too. Whatever a server sends is taken as far as it goes, never an error.
"""

from __future__ import annotations

from typing import Any

from core.wire import sse
from core.wire.openai import Json, error_of, loads

_KEPT = frozenset({"role", "id", "type"})
"""Texts that a later chunk repeats or leaves out, and does not continue."""
_BODY = frozenset({"choices", "usage", "object", "obfuscation", "error"})
_MOST_CALLS = 128
_MOST_CHOICES = 1_000  # OpenAI's `n` ends at 128; every further index would cost memory of its own
_DEEPEST = 4


class _Words(list[str]):
    """A text as its pieces: joined once, at the end."""


class _Calls(list[Json]):
    """Tool calls that still grow."""


class Gathered:
    """`usage` and `error` are the stream's own, as far as it has sent them."""

    __slots__ = ("_choices", "_head", "_is_named", "error", "usage")

    def __init__(self) -> None:
        self.usage: Any = None
        self.error: Json | None = None
        self._head: Json = {}
        self._is_named = False
        self._choices: dict[int, Json] = {}

    def add(self, chunk: Json) -> bool:
        """Take one chunk in; True when it brought the reader something (words, a tool call, a refusal)."""
        if not self._is_named:
            self._name(chunk)
        if chunk.get("usage"):
            self.usage = chunk["usage"]
        choices = chunk.get("choices")
        brought = False
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict):
                    brought = self._take(choice) or brought
        return brought

    def _name(self, chunk: Json) -> None:
        """The fields beside the choices; the first that say something count, for Azure's first chunk has them empty."""
        head = self._head
        for name, value in chunk.items():
            if name not in _BODY and not head.get(name):
                head[name] = value
        self._is_named = bool(head.get("id") and head.get("model"))

    def _take(self, choice: Json) -> bool:
        index = choice.get("index")
        if not isinstance(index, int):
            index = 0
        kept: Json | None = self._choices.get(index)
        if kept is None:
            if len(self._choices) >= _MOST_CHOICES:
                return False
            kept = {"index": index, "message": {"role": "assistant", "content": None}, "finish_reason": None}
            self._choices[index] = kept
        if choice.get("finish_reason"):
            kept["finish_reason"] = choice["finish_reason"]
        if isinstance(logprobs := choice.get("logprobs"), dict):
            _grow(kept.setdefault("logprobs", {}), logprobs, 1)
        delta = choice.get("delta")
        return _grow(kept["message"], delta, 1) if isinstance(delta, dict) else False

    @property
    def is_finished(self) -> bool:
        """Whether every choice seen said why it ended."""
        return bool(self._choices) and all(choice["finish_reason"] for choice in self._choices.values())

    def completion(self) -> Json:
        """The chat completion these chunks amount to."""
        choices = [_joined(choice, 0) for _, choice in sorted(self._choices.items())]
        whole = {**self._head, "object": "chat.completion", "choices": choices}
        if self.usage is not None:
            whole["usage"] = self.usage
        return whole


def of_events(body: bytes) -> Gathered:
    """A stream's bytes added up, cut or broken ones as far as they can be read."""
    gathered = Gathered()
    decoder = sse.Decoder(limit=len(body))
    for event in (*decoder.feed(body), *decoder.end()):
        try:
            chunk = loads(event.data)
        except ValueError:
            continue
        if isinstance(chunk, dict):
            gathered.error = error_of(chunk) or gathered.error
            gathered.add(chunk)
    return gathered


def _grow(kept: Json, delta: Json, depth: int) -> bool:
    """Add a delta to what is kept; whether it brought something to read."""
    brought = False
    for name, piece in delta.items():
        if isinstance(piece, str):
            if name in _KEPT:
                kept[name] = piece or kept.get(name)
                continue
            words = kept.get(name)
            if type(words) is not _Words:
                words = kept[name] = _Words()
            if piece:
                words.append(piece)
                brought = True
        elif name == "tool_calls" and isinstance(piece, list):
            brought = _add_calls(kept, piece, depth) or brought
        elif isinstance(piece, dict) and depth < _DEEPEST:
            inner = kept.get(name)
            if not isinstance(inner, dict):
                inner = kept[name] = {}
            brought = _grow(inner, piece, depth + 1) or brought
        elif isinstance(piece, list):
            before = kept.get(name)
            if type(before) is list:
                before.extend(piece)
            else:
                kept[name] = list(piece)
        elif piece is not None or name not in kept:
            kept[name] = piece
    return brought


def _add_calls(message: Json, deltas: list[Any], depth: int) -> bool:
    """Tool calls by their `index`; one without is a call of its own (some servers send each whole)."""
    calls = message.get("tool_calls")
    if type(calls) is not _Calls:
        calls = message["tool_calls"] = _Calls()
    for delta in deltas:
        if not isinstance(delta, dict):
            continue
        place = delta.get("index")
        if not isinstance(place, int):
            place = len(calls)
        while len(calls) <= place and len(calls) < _MOST_CALLS:
            calls.append({"id": None, "type": "function"})
        if 0 <= place < len(calls):
            _grow(calls[place], {name: piece for name, piece in delta.items() if name != "index"}, depth + 1)
    return bool(deltas)


def _joined(value: Any, depth: int) -> Any:
    """A copy that no later chunk changes, with its words joined; what was sent deeper than we add up stays as it is."""
    kind = type(value)
    if kind is _Words:
        return "".join(value)
    if kind is dict and depth <= _DEEPEST + 2:
        return {name: _joined(piece, depth + 1) for name, piece in value.items()}
    if kind is _Calls:
        return [_joined(call, depth + 1) for call in value]
    return list(value) if kind is list else value
