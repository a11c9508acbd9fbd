"""What a comparison may be, which answers give themselves away, and who stands on which side.

Pure: time and chance are arguments. Sides are drawn for each pair anew, so that a preference for a place is no
preference for a contestant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import orjson

from core.errors import Invalid
from core.prompts import serving
from core.prompts.rules import BOUNDS
from core.statistics.votes import Choice

COMPARISON_TAG = "comparison"
"""What the calls that make answers are tagged with; its value is the comparison's id."""
MARK = "votes"
"""How a comparison is named among what speaks for a version of a prompt: `votes_…`."""
LEAST, MOST = 2, 20
"""Contestants."""
MOST_QUESTIONS = 200
LONGEST_QUESTION = 200_000
MOST_REASONS = 12
LONGEST_COMMENT = 2_000
GOOD_FOR = timedelta(minutes=30)
"""How long a pair is before its voter; later they look at it anew."""
REASONS = ("more correct", "clearer", "more complete", "to the point", "friendlier", "safer")
_KEPT = ("role", "content", "name")
PARAMETERS = ("temperature", "top_p", "max_tokens", "seed")

VENDORS = (
    "openai", "chatgpt", "gpt", "anthropic", "claude", "gemini", "deepmind", "gemma", "llama", "vicuna", "mistral",
    "mixtral", "codestral", "qwen", "tongyi", "deepseek", "grok", "xai", "cohere", "copilot", "chatglm", "ernie bot",
    "moonshot ai", "nemotron",
)  # fmt: skip
"""Names of models and of who makes nothing else. Those that many texts have for other reasons count only in a
sentence about who made the answer: `_MAKERS`."""
_MAKERS = "google|meta|microsoft|amazon|apple|nvidia|ibm|alibaba|baidu|tencent|bytedance"
_MADE_BY = re.compile(
    rf"\b(?:made|trained|developed|built|created|provided|designed)\s+by\s+(?:the\s+)?({_MAKERS})\b", re.IGNORECASE
)
_SHORTEST_NAME = 3


class State(StrEnum):
    """Where an answer is."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who is to contend, as it is put in: `model` is a model, an alias, or `prompt:name@3`, pinned to a number."""

    name: str
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What everybody is asked, as chat messages, and where it comes from.

    `variables` fill the prompts among the contestants; a question that only fills them has no messages.
    """

    messages: Sequence[Mapping[str, Any]]
    source: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What tells it from others, wherever it comes from."""
        messages = [dict(one) for one in self.messages]
        return digest([messages, dict(self.variables)] if self.variables else messages)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An answer that is there already: what was said, or why nothing was; the call that made it, and `served`, the
    models that the call went to."""

    text: str = ""
    error: str = ""
    call_id: int | None = None
    served: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Draws:
    """Chance, once for each decision (0 ≤ draw < 1): which of equally good pairs, which question, which side."""

    pair: float
    question: float
    side: float


def name(text: str, what: str) -> str:
    """A name of a comparison or contestant. Raises: Invalid."""
    words = " ".join(text.split())
    if not 1 <= len(words) <= 64 or not words.isprintable():
        raise Invalid(
            f"A {what}'s name is 1 to 64 characters.", code="comparison", param="name", hint="Give it a short name."
        )
    return words


def sentence(text: str) -> str:
    """What a voter decides on. Raises: Invalid."""
    words = " ".join(text.split())
    if not 1 <= len(words) <= 200 or not words.isprintable():
        raise Invalid(
            "What voters decide on is a sentence of 1 to 200 characters.",
            code="comparison",
            param="question",
            hint="For example: Which answer helps the customer more?",
        )
    return words


def reasons(given: Iterable[str]) -> tuple[str, ...]:
    """The reasons a voter can give, each once. Raises: Invalid."""
    found = tuple(dict.fromkeys(words for one in given if (words := " ".join(one.split()))))
    if len(found) > MOST_REASONS or any(len(one) > 40 or not one.isprintable() for one in found):
        raise Invalid(
            f"There are at most {MOST_REASONS} reasons, each of at most 40 characters.",
            code="comparison",
            param="reasons",
            hint="Keep the few that matter; a comment takes the rest.",
        )
    return found


def entrants(given: Sequence[Entrant]) -> tuple[Entrant, ...]:
    """Two to twenty that differ in their name. Raises: Invalid."""
    found = tuple(_entrant(one) for one in given)
    if not LEAST <= len(found) <= MOST:
        raise Invalid(
            f"A comparison has {LEAST} to {MOST} contestants.",
            code="comparison",
            hint="Choose models or versions of prompts.",
        )
    if len({one.name.casefold() for one in found}) < len(found):
        raise Invalid("Two contestants have one name.", code="comparison", hint="Give each a name of its own.")
    same = {(one.model, orjson.dumps(dict(one.parameters), option=orjson.OPT_SORT_KEYS)) for one in found}
    if len(same) < len(found):
        raise Invalid(
            "Two contestants are the same model with the same parameters.",
            code="comparison",
            hint="Take one of them out.",
        )
    return found


def _entrant(given: Entrant) -> Entrant:
    model = given.model.strip()
    wanted = serving.asked(model)
    if not 1 <= len(model) <= 200 or not model.isprintable() or (wanted is not None and wanted.number is None):
        raise Invalid(
            "A prompt contends in one version." if wanted is not None else "A contestant has no model.",
            code="comparison",
            param="model",
            hint="Name a model, or a version by its number, such as prompt:support@3: what a label means may change.",
        )
    return Entrant(name(given.name or model, "contestant"), model, parameters(given.parameters))


def parameters(given: Mapping[str, Any]) -> dict[str, float | int]:
    """Those that are set, within the protocol's limits. Raises: Invalid."""
    found: dict[str, float | int] = {}
    for key, value in given.items():
        if value is None:
            continue
        low, high = BOUNDS[key] if key in PARAMETERS else (1.0, 0.0)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise Invalid(
                f"A contestant cannot have {key} {value!r}.", code="comparison", param=key,
                hint=f"It can have {', '.join(PARAMETERS)}, within what the protocol allows.",
            )  # fmt: skip
        found[key] = int(value) if key in ("max_tokens", "seed") else value
    return found


def question(given: Question) -> Question:
    """A conversation in words, as every contestant is asked it.

    Raises: Invalid where it has pictures, files or tools (a voter could not see what the answer is about), no words,
    or ends with an answer.
    """
    messages = []
    for message in given.messages:
        content = message.get("content")
        if isinstance(content, list) and all(isinstance(one, dict) and one.get("type") == "text" for one in content):
            content = "\n".join(str(one.get("text") or "") for one in content)
        if message.get("role") not in ("system", "developer", "user", "assistant") or not isinstance(content, str):
            raise _no_question("A question in a comparison is in words, without pictures, files or tools.")
        messages.append({key: message[key] for key in _KEPT if message.get(key)} | {"content": content})
    is_asked = bool(messages) and messages[-1]["role"] == "user" and bool(messages[-1]["content"].strip())
    if not is_asked and (messages or not given.variables):
        raise _no_question("A question ends with what a user says.")
    variables = {str(name): _value(value) for name, value in given.variables.items()}
    if len(orjson.dumps([messages, variables])) > LONGEST_QUESTION:
        raise _no_question(f"A question has at most {LONGEST_QUESTION:,} bytes.")
    return Question(tuple(messages), given.source[:80], variables)


def _value(given: Any) -> Any:
    """What a variable is filled with, as it can be kept. Raises: Invalid."""
    try:
        return orjson.loads(orjson.dumps(given))
    except (TypeError, ValueError):
        raise _no_question("A variable is filled with text, numbers, or lists and objects of them.") from None


def check_filled(model: str, needs: Collection[str] | None, questions: Sequence[Question]) -> None:
    """Whether a contestant can be asked every question. `needs`: the variables its prompt cannot do without; None:
    it is a model, which needs words. Raises: Invalid.
    """
    if needs is None:
        bare = sum(1 for one in questions if not one.messages)
        if bare:
            raise Invalid(
                f"{model} is no prompt, and {bare} of {len(questions)} questions only fill one.", code="comparison",
                param="contestants", hint="Let versions of prompts contend on them, or choose questions with words.",
            )  # fmt: skip
        return
    for variable in needs:
        missing = sum(1 for one in questions if one.variables.get(variable) in (None, ""))
        if missing:
            raise Invalid(
                f"{model} needs a value for {variable!r}, and {missing} of {len(questions)} questions have none.",
                code="comparison", param="questions",
                hint=f"Take the questions from a dataset whose examples fill {variable!r}.",
            )  # fmt: skip


def is_usable(given: Question) -> bool:
    """Whether it can be asked here."""
    try:
        question(given)
    except Invalid:
        return False
    return True


def _no_question(what: str) -> Invalid:
    return Invalid(what, code="comparison", param="questions", hint="Leave this one out.")


def typed(text: str) -> list[Question]:
    """One question a line; an empty line is none."""
    return [Question(({"role": "user", "content": line.strip()},)) for line in text.splitlines() if line.strip()]


def without_instructions(given: Question) -> Question:
    """The same without system messages: each contestant brings its own."""
    kept = tuple(one for one in given.messages if one.get("role") not in ("system", "developer"))
    return Question(kept, given.source, given.variables)


def said(messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> str:
    """A question in a line: its last turn, else what it fills prompts with."""
    if messages:
        return str(messages[-1].get("content") or "")
    return ", ".join(f"{name}: {value}" for name, value in variables.items())


def digest(value: object) -> str:
    """Of a question's messages, or of an answer as people read it: blanks at line ends and forms of one letter do not
    count."""
    if isinstance(value, str):
        lines = (line.rstrip() for line in unicodedata.normalize("NFC", value).strip().splitlines())
        value = "\n".join(lines)
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def own_names(model: str) -> tuple[str, ...]:
    """The words by which an answer would give a model away: its name without its backend's, with hyphens and without.

    A prompt's name is no model's, and a name that is an ordinary word says nothing.
    """
    last = model.rpartition("/")[2].casefold().strip()
    if model.startswith(serving.PREFIX) or len(last) < _SHORTEST_NAME or last in _ORDINARY:
        return ()
    return tuple(dict.fromkeys((last, " ".join(re.split(r"[-_:\s]+", last)))))


_ORDINARY = frozenset({
    "answer", "assistant", "best", "bot", "chat", "cheap", "code", "default", "extract", "fast", "help", "large",
    "main", "model", "production", "rules", "sales", "small", "smart", "support", "test", "text", "tiny",
})  # fmt: skip


def named(text: str, own: Iterable[str]) -> tuple[str, ...]:
    """The models and vendors an answer names, in small letters: the contestants' own, those that are well known."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = sorted({*VENDORS, *(one.casefold() for one in own)}, key=lambda one: (-len(one), one))
    pattern = "|".join(re.escape(word) for word in words)
    found = [match[1] for match in re.finditer(rf"(?<![^\W\d_])({pattern})(?![^\W\d_])", folded)]
    found += [match[1].casefold() for match in _MADE_BY.finditer(folded)]
    return tuple(dict.fromkeys(found))


def sides(low: int, high: int, draw: float) -> tuple[int, int]:
    """Who stands left and who right."""
    return (low, high) if draw < 0.5 else (high, low)


def as_if_low_left(choice: Choice, *, low_is_left: bool) -> Choice:
    """The vote, turned so that the contestant with the lower number stands left."""
    turned = {Choice.LEFT: Choice.RIGHT, Choice.RIGHT: Choice.LEFT}
    return choice if low_is_left else turned.get(choice, choice)


def is_constant(same: int, ready: int) -> bool:
    """Whether a contestant says the same to everything: to three questions or more, and to half of all."""
    return same >= 3 and 2 * same >= ready


def typed_entrants(text: str) -> list[Entrant]:
    """One contestant a line: a model, then parameters, such as `openai/gpt-4o temperature=0.2`. Raises: Invalid."""
    found = []
    for line in text.splitlines():
        model, *rest = line.split() or [""]
        told: dict[str, Any] = {}
        for word in rest:
            key, _, value = word.partition("=")
            try:
                if key not in PARAMETERS:
                    raise ValueError(key)
                told[key] = int(value) if key in ("max_tokens", "seed") else float(value)
            except ValueError:
                raise Invalid(
                    f"{word!r} is no parameter.", code="comparison", param="contestants",
                    hint=f"Write {', '.join(f'{one}=…' for one in PARAMETERS)} after the model.",
                ) from None  # fmt: skip
        if model:
            found.append(Entrant(" ".join(line.split())[:64], model, told))
    return found
