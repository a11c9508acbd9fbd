"""A promptfoo file, read: its prompts, models, examples and assertions, as far as they have a counterpart here.

Nothing is left out silently: every field and assertion that is not understood is named with its line, and whoever reads
the file decides whether the rest is worth running. Field names and what assertions mean: promptfoo's documentation,
"Configuration reference" and "Assertions & metrics".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import regex

from core.errors import Invalid
from core.evals import assertions, yaml
from core.evals.assertions import NotUnderstood
from core.evals.scorers import Scorer
from core.evals.yaml import Node

MOST_TESTS = 2_000
MOST_FILE = 1_000_000
_TAGS = regex.compile(r"\{\{[^{}]*+\}\}|\{%|\{#")
_NAME = regex.compile(r"\{\{\s*+([A-Za-z_]\w*+)\s*+\}\}")
_PARAMETERS = frozenset({"temperature", "max_tokens", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty"})
_ROUTES = frozenset({"chat", "messages", "completion", "responses"})
_NO_MODELS = ("exec", "python", "file", "http", "https", "webhook", "ws", "wss", "package", "golang", "ruby", "echo")
Read = Callable[[str], str]
"""The text of a file the configuration names. Raises: Invalid when it may not or cannot be read."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is not understood, on which line, where, and why."""

    line: int
    place: str
    said: str

    def __str__(self) -> str:
        return f"Line {self.line}, {self.place}: {self.said}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template: one text, or the messages of a chat as (role, text)."""

    label: str
    messages: tuple[tuple[str, str], ...]
    line: int


@dataclass(frozen=True, slots=True)
class Model:
    """A provider. `name` is what is behind its prefix: openai:chat:gpt-5 → gpt-5."""

    label: str
    name: str
    parameters: Mapping[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class Test:
    """An example: what the prompts are filled with, and how answers are scored. With `threshold`, the weighted mean of
    the scores decides (see `scoring.together`), else each of them."""

    __test__ = False  # its name is promptfoo's word

    description: str
    variables: Mapping[str, Any]
    scorers: tuple[Scorer, ...]
    threshold: float | None
    line: int


@dataclass(frozen=True, slots=True)
class File:
    """What the file says; `not_understood` in the order of its lines."""

    description: str
    prompts: tuple[Prompt, ...]
    models: tuple[Model, ...]
    tests: tuple[Test, ...]
    not_understood: tuple[Remark, ...]


def within(directory: Path) -> Read:
    """Reads the files of a directory and below, and no others."""

    def read_file(name: str) -> str:
        home = directory.resolve()
        try:
            file = (home / name).resolve(strict=True)
            if not file.is_relative_to(home) or not file.is_file() or file.stat().st_size > MOST_FILE:
                raise Invalid(f"“{name[:120]}” is not a small file in this directory.", code="promptfoo")
            return file.read_text(encoding="utf-8")
        except (OSError, RuntimeError, ValueError):
            raise Invalid(f"“{name[:120]}” cannot be read.", code="promptfoo", hint="Is it there?") from None

    return read_file


def read(text: str, *, files: Read, judge: str = "", embedder: str = "") -> File:
    """What a configuration says. `judge` and `embedder` are the models that grade and embed where it names none.

    Raises: Invalid when it is not YAML, not a map, or of more than 2,000 examples.
    """
    top = yaml.read(text)
    if not isinstance(top.value, dict):
        raise Invalid("A promptfoo file is a map with “prompts”, “providers” and “tests”.", code="promptfoo")
    return _Reading(files, judge, embedder).file(top.value)


@dataclass(slots=True)
class _Reading:
    files: Read
    judge: str
    embedder: str
    remarks: list[Remark] = field(default_factory=list)

    def file(self, top: dict[str, Node]) -> File:
        self._known(top, "the file", {"description", "prompts", "providers", "targets", "tests", "defaultTest"})
        prompts = [made for node in self._list(top, "prompts") for made in self._prompts(node)]
        listed = [*self._list(top, "providers"), *self._list(top, "targets")]
        models = [made for node in listed if (made := self._model(node)) is not None]
        default = top.get("defaultTest", Node({}, 1))
        if not isinstance(default.value, dict):
            self._remark(default, "defaultTest", "only a map is read")
            default = Node({}, 1)
        tests: list[Test] = []
        for node in self._list(top, "tests") if "tests" in top else [default] if default.value else []:
            tests += self._tests(node, {} if node is default else default.value)
            if len(tests) > MOST_TESTS:
                raise Invalid(f"The file has more than {MOST_TESTS:,} examples.", code="promptfoo")
        remarks = sorted(set(self.remarks), key=lambda one: (one.line, one.place, one.said))
        return File(self._text(top.get("description")), tuple(prompts), tuple(models), tuple(tests), tuple(remarks))

    def _prompts(self, node: Node) -> Iterator[Prompt]:
        label, given = "", node
        if isinstance(node.value, dict):
            self._known(node.value, "a prompt", {"id", "label", "raw"})
            label = self._text(node.value.get("label"))
            given = node.value.get("raw") or node.value.get("id") or node
        text = given.value
        if not isinstance(text, str):
            self._remark(node, "a prompt", "only texts and file:// are read")
            return
        name = text.removeprefix("file://")
        if text.startswith("file://"):
            if any(sign in name for sign in "*?[") or not name.endswith((".txt", ".md", ".json", ".j2")):
                self._remark(given, "a prompt", f"{name[:80]} is not read: only .txt, .md, .j2 and .json files are")
                return
            try:
                text = self.files(name)
            except Invalid as error:
                self._remark(given, "a prompt", error.message)
                return
            # promptfoo parts the prompts of a text file by lines of three hyphens
            for number, part in enumerate([text] if name.endswith(".json") else regex.split(r"(?m)^---\s*$", text), 1):
                if part.strip():
                    yield self._prompt(label or (name if number == 1 else f"{name} {number}"), part.strip(), given.line)
            return
        yield self._prompt(label or text[:60], text, given.line)

    def _prompt(self, label: str, text: str, line: int) -> Prompt:
        return Prompt(label, _chat(text) or (("user", text),), line)

    def _model(self, node: Node) -> Model | None:
        ident, told = node.value, {}
        if isinstance(node.value, dict):
            told = node.value
            if "id" not in told and len(told) == 1:  # the short form: {openai:gpt-5: {config: …}}
                ident, inner = next(iter(told.items()))
                told = inner.value if isinstance(inner.value, dict) else {}
            else:
                ident = self._text(told.get("id"))
        if not isinstance(ident, str) or not ident:
            self._remark(node, "a provider", "it has no id")
            return None
        prefix, _, rest = ident.partition(":")
        if prefix in _NO_MODELS:
            self._remark(node, "a provider", f"{ident[:80]} is not a model: programs and addresses are not called")
            return None
        self._known(told, f"provider {ident[:80]}", {"id", "label", "config"})
        config = told.get("config", Node({}, node.line))
        settings = config.value if isinstance(config.value, dict) else {}
        self._known(settings, f"provider {ident[:80]}", _PARAMETERS)
        parameters = {name: one.plain for name, one in settings.items() if name in _PARAMETERS}
        route, _, after = rest.partition(":")
        name = after if route in _ROUTES and after else rest or ident
        return Model(self._text(told.get("label")) or ident, name, parameters, node.line)

    def _tests(self, node: Node, default: dict[str, Node]) -> Iterator[Test]:
        if not isinstance(node.value, dict):
            self._remark(node, "a test", "only maps are read, no files of tests")
            return
        told = node.value
        known = {"description", "vars", "assert", "threshold"}
        self._known(told, "a test", known)
        self._known(default, "defaultTest", known)
        variables = {**self._vars(default), **self._vars(told)}
        threshold = self._number(told.get("threshold") or default.get("threshold"), "threshold")
        wanted = [*self._list(default, "assert"), *self._list(told, "assert")]
        combined = list(_combinations(variables))
        for one in combined:
            scorers: list[Scorer] = []
            for item in wanted:
                if (made := self._assertion(item, one, len(scorers) + 1)) is not None:
                    scorers.append(made)
            yield Test(self._text(told.get("description")), one, tuple(scorers), threshold, node.line)

    def _assertion(self, node: Node, variables: Mapping[str, Any], number: int) -> Scorer | None:
        if not isinstance(node.value, dict):
            self._remark(node, "an assertion", "it is not a map")
            return None
        told = node.value
        kind = self._text(told.get("type"))
        place = f"assertion {kind or number}"
        self._known(told, place, {"type", "value", "threshold", "weight", "metric", "provider"})
        try:
            value = self._filled(told["value"], variables) if "value" in told else None
            provider = self._text(told.get("provider"))
            return assertions.scorer(
                kind,
                value,
                threshold=self._number(told.get("threshold"), place),
                weight=self._number(told.get("weight"), place),
                name=self._text(told.get("metric")) or f"{number} {kind}",
                judge=provider.rpartition(":")[2] or self.judge,
                embedder=provider.rpartition(":")[2] or self.embedder,
            )
        except NotUnderstood as why:
            self._remark(node, place, str(why))
            return None

    def _filled(self, node: Node, variables: Mapping[str, Any]) -> Any:
        """The value with its variables put in; of templates only `{{ name }}` is understood."""
        value = node.value
        if isinstance(value, dict):
            return {name: self._filled(item, variables) for name, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, variables) for item in value]
        if not isinstance(value, str):
            return value

        def put(match: regex.Match[str]) -> str:
            if match[1] not in variables:
                raise NotUnderstood(f"there is no variable {match[1]}")
            given = variables[match[1]]
            return given if isinstance(given, str) else orjson.dumps(given).decode()

        for tag in _TAGS.findall(value):
            if not _NAME.fullmatch(tag):
                raise NotUnderstood(f"of templates only {{{{ name }}}} is read, not {tag[:60]}")
        return _NAME.sub(put, value)

    def _vars(self, told: dict[str, Node]) -> dict[str, Any]:
        node = told.get("vars")
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self._remark(node, "vars", "only a map is read")
            return {}
        made = {}
        for name, item in node.value.items():
            value = item.plain
            if isinstance(value, str) and value.startswith("file://"):
                try:
                    if not value.endswith((".txt", ".md")):
                        raise Invalid(f"{value[:80]} is not read: only .txt and .md files are", code="promptfoo")
                    value = self.files(value.removeprefix("file://")).strip()
                except Invalid as error:
                    self._remark(item, f"variable {name}", error.message)
                    continue
            made[name] = value
        return made

    def _list(self, told: dict[str, Node], name: str) -> list[Node]:
        node = told.get(name)
        if node is None:
            return []
        if isinstance(node.value, list):
            listed: list[Node] = node.value
            return listed
        if isinstance(node.value, str) and name in ("prompts", "providers", "targets"):
            return [node]
        self._remark(node, name, "only a list is read")
        return []

    def _known(self, told: Mapping[str, Node], place: str, names: Sequence[str] | set[str] | frozenset[str]) -> None:
        for name, node in told.items():
            if name not in names:
                self._remark(node, place, f"“{name[:60]}” is not understood")

    def _number(self, node: Node | None, place: str) -> float | None:
        if node is None or node.value is None:
            return None
        if isinstance(node.value, int | float) and not isinstance(node.value, bool) and math.isfinite(node.value):
            return float(node.value)
        self._remark(node, place, f"{str(node.value)[:40]} is not a number")
        return None

    def _text(self, node: Node | None) -> str:
        return node.value if node is not None and isinstance(node.value, str) else ""

    def _remark(self, node: Node, place: str, said: str) -> None:
        self.remarks.append(Remark(node.line, place, said.rstrip(".") + "."))


def _combinations(variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A variable that is a list stands for one example each, as promptfoo has it."""
    lists = [value if isinstance(value, list) and value else [value] for value in variables.values()]
    if math.prod(map(len, lists)) > MOST_TESTS:
        raise Invalid(f"The lists of variables make more than {MOST_TESTS:,} examples.", code="promptfoo")
    for chosen in itertools.product(*lists):
        yield dict(zip(variables, chosen, strict=True))


def _chat(text: str) -> tuple[tuple[str, str], ...]:
    """The messages of a prompt that is a chat in JSON; () when it is none."""
    if not text.lstrip().startswith("["):
        return ()
    try:
        given = orjson.loads(text)
        made = tuple((one["role"], one["content"]) for one in given)
    except (ValueError, TypeError, KeyError):
        return ()
    return made if made and all(isinstance(part, str) for pair in made for part in pair) else ()
