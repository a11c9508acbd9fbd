"""A guarded stream: its texts pass through windows, chunk by chunk, and what a policy withholds never leaves.

Words go through a window each (content, reasoning, refusals); tool calls wait until their choice is whole; tokens'
probabilities are left out, for they spell words before the window has seen them.
"""

from __future__ import annotations

from typing import Any

from core.guard import detecting, redaction
from core.guard.findings import Finding, Passage, Side
from core.guard.policies import Act
from core.guard.redaction import PuttingBack
from core.guard.rules import Decision
from core.guard.window import Window
from core.serve.guarding import Guarding, marked

Json = dict[str, Any]
TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


class _Text:
    """One text of one choice: a window, then the caller's own words put back."""

    def __init__(self, guarding: Guarding, place: str) -> None:
        self.window = Window(
            guarding.detectors, guarding.policies, guarding.context, place=place, before=guarding.asked_findings
        )
        self.putting_back = PuttingBack(guarding.made)

    def feed(self, text: str, ms: float) -> str:
        return self.putting_back.feed(self.window.feed(text, ms=ms).text)

    def end(self, ms: float) -> str:
        return self.putting_back.feed(self.window.end(ms=ms).text) + self.putting_back.end()


class Sieve:
    """What of a stream's chunks may be passed on; `ended` is the decision that ends it early."""

    def __init__(self, guarding: Guarding) -> None:
        self._guarding = guarding
        self._texts: dict[tuple[int, str], _Text] = {}
        self._calls: dict[int, list[Json]] = {}
        self._open: dict[int, None] = {}
        self._head: Json = {}
        self._tools: list[Finding] = []
        self.ended: Decision | None = None

    @property
    def is_over(self) -> bool:
        return self.ended is not None

    def pass_on(self, chunk: Json, ms: float) -> list[Json]:
        """The chunks that may go to the caller now."""
        if self.ended is not None:
            return []
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            return [chunk]
        self._head = {name: value for name, value in chunk.items() if name not in ("choices", "usage")}
        out: list[Json] = []
        kept: list[Json] = []
        for choice in choices:
            if not isinstance(choice, dict):
                continue
            number = choice.get("index", 0)
            number = number if isinstance(number, int) else 0
            self._open.setdefault(number)
            delta = self._delta(number, choice.get("delta"), ms)
            if choice.get("finish_reason") is None:
                if delta:
                    kept.append(self._choice(choice, delta))
                continue
            out += self._last(number, delta, choice, ms)
        if kept:
            out.insert(0, {**chunk, "choices": kept})
        elif chunk.get("usage"):
            out.append({**chunk, "choices": []})
        return [*out, *self._cut()]

    def end(self, ms: float) -> list[Json]:
        """What still waits of choices that never said that they were finished."""
        if self.ended is not None:
            return []
        out = [self._chunk(number, rest) for number in list(self._open) if (rest := self._rest(number, ms))]
        return [*out, *self._cut()]

    def findings(self) -> list[Finding]:
        """Everything found in the answer."""
        texts = [one for text in self._texts.values() for one in text.window.findings if one.side is Side.OUTPUT]
        return [*texts, *self._tools]

    def finish(self) -> None:
        """Tell the call what the windows know: broken detectors, and how long characters waited."""
        windows = [text.window for text in self._texts.values()]
        for window in windows:
            self._guarding.fail(window.failures)
        if characters := sum(one.delay.characters for one in windows):
            mean = sum(one.delay.total_ms for one in windows) / characters
            self._guarding.delay = (mean, max(one.delay.most_ms for one in windows))

    def _delta(self, number: int, given: Any, ms: float) -> Json:
        """What of a delta may pass; {} when nothing of it."""
        if not isinstance(given, dict):
            return {}
        delta: Json = {}
        for name, value in given.items():
            if name in TEXTS and isinstance(value, str):
                if text := self._text(number, name).feed(value, ms):
                    delta[name] = text
                elif not value and name == "content" and "role" in given:
                    delta[name] = value
            elif name == "tool_calls" and isinstance(value, list):
                self._calls.setdefault(number, []).extend(one for one in value if isinstance(one, dict))
            else:
                delta[name] = value
        self._note()
        return delta

    def _text(self, number: int, name: str) -> _Text:
        key = (number, name)
        if key not in self._texts:
            self._texts[key] = _Text(self._guarding, f"choices.{number}.message.{name}")
        return self._texts[key]

    def _last(self, number: int, delta: Json, choice: Json, ms: float) -> list[Json]:
        """The end of a choice: what waited of it, then its finish."""
        rest = self._rest(number, ms)
        for name, value in rest.items():
            delta[name] = delta.get(name, "") + value if isinstance(value, str) else value
        if self.ended is not None:
            return [self._chunk(number, delta)] if delta else []
        del self._open[number]
        said = [self._chunk(number, delta)] if delta else []
        return [*said, {**self._head, "choices": [self._choice(choice, {})]}]

    def _rest(self, number: int, ms: float) -> Json:
        rest: Json = {}
        for (own, name), text in self._texts.items():
            if own == number and (more := text.end(ms)):
                rest[name] = more
        self._note()
        if self.ended is None and (calls := self._tool_calls(number)):
            rest["tool_calls"] = calls
        return rest

    def _tool_calls(self, number: int) -> list[Json]:
        """The tool calls of a choice, each in one piece, looked at like every other text."""
        whole: dict[int, Json] = {}
        for piece in self._calls.pop(number, ()):
            index = piece.get("index", 0)
            call = whole.setdefault(index if isinstance(index, int) else 0, {"function": {"arguments": ""}})
            function = piece.get("function")
            call |= {name: value for name, value in piece.items() if name != "function" and value is not None}
            if isinstance(function, dict):
                more = function.get("arguments")
                call["function"]["arguments"] += more if isinstance(more, str) else ""
                call["function"] |= {k: v for k, v in function.items() if k != "arguments" and v is not None}
        guarding = self._guarding
        for index, call in whole.items():
            arguments = call["function"]["arguments"]
            place = f"choices.{number}.message.tool_calls.{index}.function.arguments"
            scanned = detecting.scan(
                [one for one in guarding.detectors if Side.OUTPUT in one.sides],
                [Passage(Side.OUTPUT, place, arguments, "assistant")],
            )
            guarding.fail(scanned.failures)
            self._tools += scanned.findings
            decision = guarding.known_with(self.findings())
            if decision.act.strictness >= Act.REPLACE.strictness:
                self.ended = decision
                return []
            redact = [one for one in decision.redact if one.place == place]
            call["function"]["arguments"] = redaction.put_back(marked(arguments, redact), guarding.made, in_json=True)
        return list(whole.values())

    def _note(self) -> None:
        ended = next((text.window.ended for text in self._texts.values() if text.window.ended is not None), None)
        self.ended = self.ended or ended

    def _cut(self) -> list[Json]:
        """The finish of every open choice, once a policy has ended the stream."""
        if self.ended is None:
            return []
        ends = [{"index": number, "delta": {}, "finish_reason": "content_filter"} for number in self._open]
        self._open.clear()
        return [{**self._head, "choices": [end]} for end in ends]

    def _chunk(self, number: int, delta: Json) -> Json:
        return {**self._head, "choices": [{"index": number, "delta": delta, "finish_reason": None}]}

    @staticmethod
    def _choice(choice: Json, delta: Json) -> Json:
        return {**{name: value for name, value in choice.items() if name != "logprobs"}, "delta": delta}
