"""How answers are scored: named, strict settings by kind, read from JSON or YAML.

A misspelt field is an error with the scorer's name, never a scorer that does nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import regex
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from core.errors import Invalid
from core.evals import differences
from core.evals.amounts import Mark, Which
from core.evals.overlap import Rouge
from core.evals.wording import Blanks
from core.prompts import schemas

MOST_SCORERS = 100
# counts within counts are multiplied out, and nothing bounds the time that takes
_MOST_REPEATS = 1_000_000
_COUNTED, _DIGITS = regex.compile(r"\{[^{}a-zA-Z]*[0-9][^{}a-zA-Z]*\}"), regex.compile("[0-9]{1,20}")
Share = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _readable(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError("a name has letters, and none that cannot be seen")
    return name


class Named(Strict):
    """What every scorer has. `negated` turns `passed` around, and a share into what is missing to 1; `weight` counts
    where several scores are put together."""

    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_readable)]
    negated: bool = False
    weight: float = Field(default=1.0, ge=0, le=1000)


class Exact(Named):
    """The answer is the expected text. `expected` stands in place of the example's own, here and below."""

    kind: Literal["exact"]
    expected: Any = None
    case_matters: bool = True
    blanks: Blanks = "trimmed"
    punctuation_matters: bool = True


class Contains(Named):
    """Any, all or none of the texts occur in the answer; without `texts`, the expected one."""

    kind: Literal["contains"]
    texts: tuple[Annotated[str, Field(min_length=1, max_length=10_000)], ...] = Field(default=(), max_length=1_000)
    which: Literal["any", "all", "none"] = "all"
    case_matters: bool = True


class Regex(Named):
    """A regular expression (the syntax of Python's `regex`) occurs in the answer, or describes the `whole` of it."""

    kind: Literal["regex"]
    pattern: str = Field(min_length=1, max_length=1_000)
    whole: bool = False
    case_matters: bool = True

    @field_validator("pattern")
    @classmethod
    def _is_one(cls, pattern: str) -> str:
        counts = (max(map(int, _DIGITS.findall(one))) for one in _COUNTED.findall(pattern))
        if math.prod(max(1, count) for count in counts) > _MOST_REPEATS:
            raise ValueError("the pattern's counts, multiplied, are more than a million")
        try:
            regex.compile(pattern)
        except (regex.error, OverflowError, RecursionError, MemoryError) as error:
            raise ValueError(f"the pattern is none: {error}") from None
        return pattern


class JsonSchema(Named):
    """The answer is JSON of this schema; of any, when there is none."""

    kind: Literal["json schema"]
    answer_schema: dict[str, Any] = Field(default_factory=dict)
    fenced: bool = False
    """Whether JSON within ``` … ``` is JSON."""

    @field_validator("answer_schema")
    @classmethod
    def _can_be_used(cls, schema: dict[str, Any]) -> dict[str, Any]:
        try:
            schemas.check(schema, "The schema")
        except Invalid as error:
            raise ValueError(str(error)) from None
        return schema


class _Paths(Named):
    ignored: tuple[str, ...] = Field(default=(), max_length=200)
    tolerance: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @field_validator("ignored")
    @classmethod
    def _are_paths(cls, ignored: tuple[str, ...]) -> tuple[str, ...]:
        for one in ignored:
            differences.path_of(one)
        return ignored


class JsonDiff(_Paths):
    """The share of the expected JSON's leaves that are as expected; those that are too many count against it."""

    kind: Literal["json diff"]
    expected: Any = None
    fenced: bool = False
    more_is_fine: bool = False
    least: Share = 1.0


class Number(Named):
    """A number taken from the answer is near the expected one: within `absolute`, or `relative` to the expected."""

    kind: Literal["number"]
    expected: Any = None
    which: Which = "last"
    mark: Mark = "."
    unit: str = Field(default="", max_length=20)
    absolute: Decimal = Field(default=Decimal(0), ge=0, allow_inf_nan=False)
    relative: Decimal = Field(default=Decimal(0), ge=0, allow_inf_nan=False)


class Levenshtein(Named):
    """How alike two texts are: 1 − edits / length of the longer. Enough is a share, or a number of edits."""

    kind: Literal["levenshtein"]
    expected: Any = None
    case_matters: bool = True
    least: Share | None = None
    most_edits: int | None = Field(default=None, ge=0)


class RougeOverlap(Named):
    """Words in common with the expected text."""

    kind: Literal["rouge"]
    expected: Any = None
    variant: Rouge = "L"
    measure: Literal["f", "precision", "recall"] = "f"
    least: Share | None = None


class Bleu(Named):
    """BLEU of one answer against the expected text, smoothed."""

    kind: Literal["bleu"]
    expected: Any = None
    least: Share | None = None


class Chrf(Named):
    """Runs of characters in common with the expected text."""

    kind: Literal["chrf"]
    expected: Any = None
    least: Share | None = None


class Similarity(Named):
    """The cosine of the embeddings of answer and expected text, by this model."""

    kind: Literal["similarity"]
    model: str = Field(min_length=1)
    expected: Any = None
    least: float | None = Field(default=None, ge=-1, le=1)


class Latency(Named):
    kind: Literal["latency"]
    most_ms: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class FirstToken(Named):
    kind: Literal["first token"]
    most_ms: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class Cost(Named):
    kind: Literal["cost"]
    most_usd: Decimal | None = Field(default=None, ge=0, allow_inf_nan=False)


class TokenCount(Named):
    kind: Literal["tokens"]
    of: Literal["output", "input", "total"] = "output"
    most: int | None = Field(default=None, ge=0)


class Refusal(Named):
    """Whether the model declined; `wanted` where it should have."""

    kind: Literal["refusal"]
    wanted: bool = False


class Language(Named):
    """The answer is in one of these languages (ISO 639-1)."""

    kind: Literal["language"]
    languages: tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...] = Field(min_length=1, max_length=97)


class Length(Named):
    kind: Literal["length"]
    unit: Literal["words", "characters"] = "words"
    least: int | None = Field(default=None, ge=0)
    most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _can_be_met(self) -> Length:
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("the least is more than the most")
        return self


class WantedCall(Strict):
    """A tool that should be called; without `arguments`, with any."""

    name: str = Field(min_length=1)
    arguments: dict[str, Any] | None = None


class ToolCalls(_Paths):
    """The tools that should be called were; without `calls`, those the example expects. An empty list: none at all."""

    kind: Literal["tool calls"]
    calls: tuple[WantedCall, ...] | None = Field(default=None, max_length=50)
    order_matters: bool = False
    more_is_fine: bool = False
    """Whether other tools may be called besides."""


class Function(Named):
    """A Python function of the operator's: `file.py:function`, within the directory the operator names.

    It is given the case as one dictionary, or (as promptfoo's are) the answer's text and a dictionary of the context.
    """

    kind: Literal["function"]
    call: str = Field(pattern=r"^[^:\x00]{1,200}\.py:[A-Za-z_]\w{0,79}$")
    given: Literal["case", "output and context"] = "case"
    timeout_s: float = Field(default=10.0, gt=0, le=300)
    memory_mb: int = Field(default=512, ge=64, le=16_384)
    least: Share | None = None


class Judge(Named):
    """A model that grades by a rubric: from 1 to 5, or pass or fail. `anchors` say what the grades mean."""

    kind: Literal["judge"]
    model: str = Field(min_length=1)
    rubric: str = Field(min_length=1, max_length=20_000)
    scale: Literal["1 to 5", "pass or fail"] = "1 to 5"
    anchors: dict[Literal["1", "2", "3", "4", "5", "pass", "fail"], str] = Field(default_factory=dict)
    passes_at: int = Field(default=4, ge=1, le=5)
    with_question: bool = True
    with_expected: bool = False
    repeats: int = Field(default=1, ge=1, le=15)
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    most_tokens: int = Field(default=600, ge=50, le=20_000)

    @model_validator(mode="after")
    def _anchors_are_of_the_scale(self) -> Judge:
        if other := [one for one in self.anchors if one.isdigit() is not (self.scale == "1 to 5")]:
            raise ValueError(f"the anchor “{other[0]}” is not of the scale {self.scale}")
        return self


class PairwiseJudge(Named):
    """A model that says which of two answers is better, asked twice with their places changed."""

    kind: Literal["pairwise judge"]
    model: str = Field(min_length=1)
    rubric: str = Field(min_length=1, max_length=20_000)
    with_question: bool = True
    with_expected: bool = False
    repeats: int = Field(default=1, ge=1, le=15)
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    most_tokens: int = Field(default=600, ge=50, le=20_000)


class Human(Named):
    """People of a review queue judge, by its rubric. `edited_counts` is what an answer they had to mend is worth."""

    kind: Literal["human"]
    queue: str = Field(min_length=1, max_length=80)
    rubric: str = Field(default="", max_length=80)
    edited_counts: Share = 0.0


class Checks(Named):
    """What the example itself asks for: it expects {"checks": [scorers], "least": share}, and passes when it meets each
    of them, or, with `least`, when their weighted mean is at least that."""

    kind: Literal["checks"]


Computed = (
    Exact
    | Contains
    | Regex
    | JsonSchema
    | JsonDiff
    | Number
    | Levenshtein
    | RougeOverlap
    | Bleu
    | Chrf
    | Latency
    | FirstToken
    | Cost
    | TokenCount
    | Refusal
    | Language
    | Length
    | ToolCalls
)
"""Those that need nothing but the case."""
Scorer = Computed | Similarity | Function | Judge | PairwiseJudge | Human | Checks
_ONE: TypeAdapter[Scorer] = TypeAdapter(Annotated[Scorer, Field(discriminator="kind")])


def parse(given: object) -> tuple[Scorer, ...]:
    """Scorers from their JSON. Raises: Invalid naming the scorer and what is wrong with it."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise Invalid("The scorers must be a list.", code="scorer")
    if len(given) > MOST_SCORERS:
        raise Invalid(f"A run has at most {MOST_SCORERS} scorers.", code="scorer", hint="Leave some out.")
    made = tuple(one(scorer, f"Scorer {number}") for number, scorer in enumerate(given, 1))
    names = [scorer.name for scorer in made]
    if twice := next((name for place, name in enumerate(names) if name in names[:place]), ""):
        raise Invalid(f"Two scorers are called “{twice}”.", code="scorer", hint="Give each its own name.")
    return made


def checks_of(expected: object) -> tuple[tuple[Scorer, ...], float | None] | None:
    """The scorers an example has of its own, and how much is enough; None when it has none. Raises: Invalid."""
    if not isinstance(expected, Mapping) or "checks" not in expected:
        return None
    least = expected.get("least")
    found = parse(expected["checks"])
    if wrong := next((one for one in found if isinstance(one, Checks | Human | PairwiseJudge)), None):
        raise Invalid(f"“{wrong.name}” cannot be a check of one example.", code="scorer")
    return found, float(least) if isinstance(least, int | float) and not isinstance(least, bool) else None


def one(given: object, what: str = "The scorer") -> Scorer:
    """One scorer. Raises: Invalid."""
    try:
        return _ONE.validate_python(given)
    except ValidationError as error:
        called = given.get("name") if isinstance(given, Mapping) else None
        named = f"{what} “{called[:80]}”" if isinstance(called, str) and called else what
        raise Invalid(sentence(named, error), code="scorer") from None


def sentence(what: str, error: ValidationError) -> str:
    """The first mistake pydantic found, said of `what`."""
    first = error.errors()[0]
    kinds = {str(one) for one in (first.get("ctx") or {}).get("expected_tags", "").replace("'", "").split(", ")} - {""}
    place = ".".join(str(step) for step in first["loc"][1:])  # the first is the kind
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "union_tag_invalid":
        said = f"there is no kind “{str(first['ctx']['tag'])[:60]}”; the kinds are {', '.join(sorted(kinds))}"
    elif first["type"] == "union_tag_not_found":
        said = "it does not say its kind"
    where = f" at “{place}”" if place else ""
    return f"{what} cannot be used{where}: {said[:1].lower()}{said[1:600].rstrip('.')}."
