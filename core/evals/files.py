"""An eval file: what CI runs, on which examples, how it is scored, and what it must reach. YAML or JSON, strict.

    greenroom: eval/1
    name: Refunds                       # the run's name; runs of one name are each other's baseline
    dataset: Refunds, approved@3        # or `items:` here, or `file: questions.jsonl` (or .csv) beside this file
    split: test
    variants:                           # A, B, … in this order
      - {prompt: support/refund@production, model: openai/gpt-5-mini, parameters: {temperature: 0}}
    repeats: 1
    scorers:
      - {kind: contains, name: says refund, texts: [refund], case_matters: false}
    thresholds:
      - {on: pass share, scorer: says refund, least: 0.9, surely: true}
      - {on: regression, scorer: says refund, margin: 0.02}
    baseline: last passing              # or `run exp_…`, or the letter of a variant
    cap_usd: 0.50

A mistake is told with its line and place; a field that is not known is a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated, Any, BinaryIO, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import ids
from core.datasets import intake, mapping, reading
from core.datasets.mapping import Columns
from core.datasets.rules import Entry, Kind
from core.errors import GreenroomError, Invalid
from core.evals import measuring, scorers, thresholds, yaml
from core.evals.scorers import Human, Scorer
from core.evals.thresholds import Limit
from core.evals.yaml import Node
from core.experiments.rules import LETTERS

FORMAT = "eval/1"
ORIGIN = "eval_"
"""How the sources of examples begin that are from an eval file."""
MOST_ITEMS = 10_000
LAST_PASSING = "last passing"
_RESERVED = frozenset({"model", "messages", "stream", "tools"})
_ITEM = Columns(input="input", expected="expected", notes="notes", tags="tags")


@dataclass(frozen=True, slots=True)
class Variant:
    """What is asked: a prompt of the library (`name@label` or `name@version`), a model, or both. `messages` are a
    prompt that stands in the file itself, as (role, template), `prompt` is then its name there."""

    prompt: str = ""
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file asks for. Examples are a dataset's, in a version or its newest, or stand in `entries`: those the file
    has, or has from the file beside it (`beside`: its name, still to be read). `titles` name examples by source."""

    name: str
    variants: tuple[Variant, ...]
    scorers: tuple[Scorer, ...]
    limits: tuple[Limit, ...] = ()
    dataset: str = ""
    version: int | None = None
    split: str | None = None
    entries: tuple[Entry, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    beside: str = ""
    repeats: int = 1
    at_once: int = 8
    cap_usd: Decimal | None = None
    baseline_run: int | None = None
    baseline_letter: str = ""
    takes_last_passing: bool = False

    @property
    def needs_a_baseline(self) -> bool:
        """Whether a threshold compares with one."""
        return measuring.needs_a_baseline(self.limits)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Variant(_Strict):
    prompt: str = Field(default="", max_length=200)
    model: str = Field(default="", max_length=300)
    parameters: dict[str, Any] = Field(default_factory=dict)


class _Item(_Strict):
    input: Any = None
    variables: dict[str, Any] | None = None
    expected: Any = None
    notes: str = ""
    tags: list[str] | str = ""


class _File(_Strict):
    greenroom: Literal["eval/1"]
    name: str = Field(min_length=1, max_length=120)
    dataset: str | None = Field(default=None, min_length=1, max_length=80)
    split: str | None = None
    items: list[_Item] | None = Field(default=None, min_length=1, max_length=MOST_ITEMS)
    file: str | None = Field(default=None, min_length=1, max_length=500)
    variants: list[_Variant] = Field(min_length=1, max_length=len(LETTERS))
    repeats: int = Field(default=1, ge=1, le=20, strict=True)
    at_once: int = Field(default=8, ge=1, le=64, strict=True)
    cap_usd: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None = None
    scorers: list[Any] = Field(min_length=1)
    thresholds: list[Any] = Field(default_factory=list)
    baseline: str = Field(default="", max_length=80)


def is_ours(top: Node) -> bool:
    """Whether a document is an eval file of Greenroom's, whatever mistakes it may have."""
    return isinstance(top.value, dict) and "greenroom" in top.value


def document(text: str) -> Node:
    """A file as values with lines. JSON may be indented with tabs, which YAML does not allow. Raises: Invalid."""
    if text.lstrip().startswith("{"):
        try:
            return _of_json(orjson.loads(text))
        except orjson.JSONDecodeError:
            pass
    try:
        return yaml.read(text)
    except Invalid as error:
        raise _bad(error.message) from None


def read(top: Node) -> Wanted:
    """What an eval file says. Raises: Invalid (code "eval_file") with the line and the place of the first mistake."""
    try:
        told = _File.model_validate(top.plain)
    except ValidationError as error:
        raise _bad(_mistake(top, error)) from None
    sources = [name for name in ("dataset", "items", "file") if getattr(told, name) is not None]
    if len(sources) != 1:
        raise _bad("The file names its examples once: as “dataset”, “items” or “file”.")
    if told.split is not None and told.dataset is None:
        raise _bad(f"{_at(top, 'split')}: only a dataset has splits.")
    dataset, version = _dataset(top, told.dataset) if told.dataset else ("", None)
    made = _scorers(top, told.scorers)
    run, letter, takes_last = _baseline(top, told)
    wanted = Wanted(
        name=told.name,
        variants=tuple(_variant(top, place, one) for place, one in enumerate(told.variants)),
        scorers=made,
        limits=_limits(top, told, made),
        dataset=dataset,
        version=version,
        split=told.split,
        entries=sourced([_entry(top, place, one) for place, one in enumerate(told.items or ())]),
        beside=told.file or "",
        repeats=told.repeats,
        at_once=told.at_once,
        cap_usd=told.cap_usd,
        baseline_run=run,
        baseline_letter=letter,
        takes_last_passing=takes_last,
    )
    if wanted.needs_a_baseline and not told.baseline:
        raise _bad("A threshold on a regression needs a “baseline”.")
    return wanted


def sourced(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The examples with sources that say what is in them: the same content has the same source in every run."""
    seen: dict[str, int] = {}
    made = []
    for entry in entries:
        said = orjson.dumps([entry.example.line, entry.notes, entry.tags], option=orjson.OPT_SORT_KEYS)
        mark = blake2b(said, digest_size=12).hexdigest()
        seen[mark] = seen.get(mark, 0) + 1
        source = f"{ORIGIN}{mark}" if seen[mark] == 1 else f"{ORIGIN}{mark}_{seen[mark]}"
        made.append(Entry(entry.example, entry.notes, entry.tags, entry.split, source))
    return tuple(made)


def beside(wanted: Wanted, data: BinaryIO) -> Wanted:
    """With the examples of the file beside it, all or none. Raises: Invalid naming the row, TooLarge."""
    head = intake.first(data, wanted.beside)
    columns = mapping.guess(intake.names(head))
    entries = []
    for row in reading.rows(data, wanted.beside):
        made = row.trouble or next(iter(intake.outcomes([row], columns, Kind.ITEM)))
        if isinstance(made, str):
            raise _bad(f"{wanted.beside}: {intake.sentence(row.number, made)}")
        if made.example.kind is not Kind.ITEM:
            raise _bad(f"{wanted.beside}: {intake.sentence(row.number, 'is no example to test with')}")
        entries.append(replace(made, source=None))
        if len(entries) > MOST_ITEMS:
            raise _bad(f"{wanted.beside} has more than {MOST_ITEMS:,} examples: import it as a dataset.")
    return replace(wanted, entries=sourced(entries))


def _variant(top: Node, place: int, told: _Variant) -> Variant:
    if not told.prompt and not told.model:
        raise _bad(f"{_at(top, 'variants', place)}: it names neither a prompt nor a model.")
    if wrong := sorted(_RESERVED & told.parameters.keys()):
        raise _bad(f"{_at(top, 'variants', place, 'parameters', wrong[0])}: this is no parameter.")
    return Variant(told.prompt, told.model, told.parameters)


def _entry(top: Node, place: int, told: _Item) -> Entry:
    given = told.input
    if told.variables is not None:
        given = {"variables": told.variables}
        if told.input is not None:
            asked = told.input if isinstance(told.input, list) else [{"role": "user", "content": told.input}]
            given["messages"] = asked
    values = {"input": given, "expected": told.expected, "notes": told.notes, "tags": told.tags}
    try:
        return mapping.entry(values, _ITEM, Kind.ITEM, source="")
    except GreenroomError as error:
        raise _bad(f"{_at(top, 'items', place)}: {error.message.rstrip('.')}.") from None


def _dataset(top: Node, told: str) -> tuple[str, int | None]:
    name, mark, number = told.rpartition("@")
    if not mark:
        return told.strip(), None
    if not number.isascii() or not number.isdigit() or not name.strip() or len(number) > 9:
        raise _bad(f"{_at(top, 'dataset')}: write it as Name or Name@3.")
    return name.strip(), int(number)


def _scorers(top: Node, given: Sequence[Any]) -> tuple[Scorer, ...]:
    for place, one in enumerate(given):
        try:
            made = scorers.one(one)
        except Invalid as error:
            raise _bad(f"{_at(top, 'scorers', place)}: {error.message}") from None
        if isinstance(made, Human):
            raise _bad(
                f"{_at(top, 'scorers', place)}: people cannot be waited for here; start such a run in the console."
            )
    try:
        return scorers.parse(given)
    except Invalid as error:
        raise _bad(f"{_at(top, 'scorers')}: {error.message}") from None


def _limits(top: Node, told: _File, made: Sequence[Scorer]) -> tuple[Limit, ...]:
    known = {one.name for one in made}
    letters = LETTERS[: len(told.variants)]
    limits: list[Limit] = []
    for place, one in enumerate(told.thresholds):
        try:
            (limit,) = thresholds.parse([one])
        except Invalid as error:
            raise _bad(f"{_at(top, 'thresholds', place)}: {error.message}") from None
        if limit.scorer not in known:
            raise _bad(f"{_at(top, 'thresholds', place)}: there is no scorer “{limit.scorer}”.")
        if limit.variant and limit.variant not in letters:
            raise _bad(f"{_at(top, 'thresholds', place)}: there is no variant {limit.variant}.")
        limits.append(limit)
    if len(limits) > thresholds.MOST:
        raise _bad(f"{_at(top, 'thresholds')}: at most {thresholds.MOST}.")
    return tuple(limits)


def _baseline(top: Node, told: _File) -> tuple[int | None, str, bool]:
    """A run, the letter of a variant (of that run, or of this one), or the last run that passed."""
    said = " ".join(told.baseline.split())
    if not said or said == LAST_PASSING:
        return None, "", bool(said)
    if said in LETTERS[: len(told.variants)]:
        if len(told.variants) < 2:
            raise _bad(f"{_at(top, 'baseline')}: there is no other variant to compare {said} with.")
        return None, said, False
    kind, _, rest = said.partition(" ")
    number, _, letter = rest.partition(" ")
    run = ids.read("exp", number) if kind == "run" else None
    if run is None or (letter and letter not in LETTERS):
        raise _bad(f"{_at(top, 'baseline')}: write “{LAST_PASSING}”, “run exp_…” or the letter of a variant.")
    return run, letter, False


def _mistake(top: Node, error: ValidationError) -> str:
    found = error.errors()  # a field misspelt is one that is not known and one that is missing: the first has its line
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    loc = [step for step in first["loc"] if isinstance(step, str | int)]
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        said = "this is not known here"
    elif first["type"] == "missing":
        said = "this is missing"
    elif first["type"] == "model_type" or not isinstance(top.value, dict):
        said = "this is not a map"
    return f"{_at(top, *loc)}: {said[:1].lower()}{said[1:300].rstrip('.')}."


def _at(top: Node, *path: str | int) -> str:
    """“Line 7, variants 2, model”: members of lists are counted from one."""
    node = top
    for step in path:
        inside: Any = dict(enumerate(node.value)) if isinstance(node.value, list) else node.value
        if not isinstance(inside, dict) or step not in inside:
            break
        node = inside[step]
    place = ""
    for step in path:
        place += f" {step + 1}" if isinstance(step, int) else f", {step}"
    place = place.lstrip(", ") or "the file"
    return f"Line {node.line}, {place}" if node.line else place


def _of_json(value: Any) -> Node:
    if isinstance(value, dict):
        return Node({name: _of_json(item) for name, item in value.items()}, 0)
    return Node([_of_json(item) for item in value] if isinstance(value, list) else value, 0)


def _bad(message: str) -> Invalid:
    return Invalid(message, code="eval_file", hint="`greenroom eval --help` shows how a file looks.")
