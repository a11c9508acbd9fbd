"""What a policy says, as frozen values read strictly from its JSON: rules of conditions and an act, and settings.

All conditions of a rule must hold. A misspelt field is an error with the rule's name, never a rule that does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import Invalid
from core.guard import shape
from core.guard.findings import Family, Side
from core.guard.wording import Topic


class Act(StrEnum):
    """What is done, from mildest to strictest."""

    PASS = "pass"  # noqa: S105
    FLAG = "flag"
    REDACT = "redact"
    REPLACE = "replace"
    HOLD = "hold"
    REFUSE = "refuse"

    @property
    def strictness(self) -> int:
        return tuple(Act).index(self)


STRICT = frozenset({Act.HOLD, Act.REFUSE})
WHOLE = frozenset(
    {Family.SHAPE, Family.LANGUAGE, Family.LENGTH, Family.TOPIC, Family.JUDGE}
)  # seen on whole texts only
FailSafe = Literal["safe text", "rule-based answer", "pass", "refuse"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OnFinding(_Strict):
    """A detector found this family (and one of these kinds) at least this surely; `newest`: in the newest message."""

    on: Literal["finding"]
    family: Family
    kinds: tuple[str, ...] = ()
    confidence: float = Field(default=0.5, ge=0, le=1)
    side: Side | None = None
    newest: bool = False


class OnTag(_Strict):
    """The call carries this `metadata` pair."""

    on: Literal["tag"]
    name: str
    value: str


class OnSample(_Strict):
    """This share of calls, chosen by their ids (see `rules.sampled`)."""

    on: Literal["sample"]
    percent: float = Field(gt=0, le=100)


class OnNew(_Strict):
    """The prompt or the alias has a version younger than so many days, or fewer calls than so many were made of it."""

    on: Literal["new version"]
    of: Literal["prompt", "alias"]
    days: float = Field(default=0, ge=0)
    calls: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _says_until_when(self) -> OnNew:
        if not self.days and not self.calls:
            raise ValueError("say for how many days, or for how many calls, a version is new")
        return self


class OnScore(_Strict):
    """A score of this name (of any, when empty) is below."""

    on: Literal["score"]
    name: str = ""
    below: float


class OnReport(_Strict):
    """A reader reported the answer, for one of these reasons (for any, when empty)."""

    on: Literal["report"]
    reasons: tuple[str, ...] = ()


Condition = Annotated[OnFinding | OnTag | OnSample | OnNew | OnScore | OnReport, Field(discriminator="on")]


class Rule(_Strict):
    """When what is done. Texts are what a reader gets instead of, or while, an answer waits."""

    name: str = Field(min_length=1, max_length=80)
    when: tuple[Condition, ...] = Field(min_length=1)
    act: Act
    queue: str = ""
    risk: int = Field(default=2, ge=1, le=3)
    severity: int = Field(default=2, ge=1, le=3)
    patience_s: float = Field(default=20, ge=0, le=600)
    deadline_s: float = Field(default=3600, ge=1, le=30 * 86_400)
    fail_safe: FailSafe = "refuse"
    safe_text: str = "Sorry, this answer could not be checked in time. Please ask again later."
    holding_text: str = "A person is checking this answer. Please come back in a while."
    refusal_text: str = "This cannot be answered here."
    replacement: str = "This answer was withheld."

    @model_validator(mode="after")
    def _can_be_done(self) -> Rule:
        if self.act is Act.HOLD and not self.queue:
            raise ValueError("holding needs a queue whose people decide")
        found = [one for one in self.when if isinstance(one, OnFinding)]
        if self.act is Act.REDACT and not found:
            raise ValueError("redacting needs a condition on a finding: only what was found can be redacted")
        if self.act is Act.REDACT and any(one.family in WHOLE for one in found):
            raise ValueError("this finding is about a whole text, of which no part can be redacted")
        return self


class Word(_Strict):
    """A blocked word ("word*": all that begin so; several words: a phrase) and its category."""

    term: str = Field(min_length=1, max_length=200)
    category: str = "blocked"


class TopicWish(_Strict):
    """A topic and the words that belong to it; `needs` of them must occur."""

    name: str = Field(min_length=1, max_length=80)
    terms: tuple[str, ...] = Field(min_length=1, max_length=2_000)
    needs: int = Field(default=1, ge=1)


class JudgeWish(_Strict):
    """A model as a judge: `kind` is the route it is asked on; `categories` maps a name to what it means (chat)."""

    model: str = Field(min_length=1)
    kind: Literal["moderation", "chat"] = "chat"
    categories: dict[str, str] = Field(default_factory=dict)
    side: Side | None = Side.OUTPUT

    @model_validator(mode="after")
    def _knows_what_to_look_for(self) -> JudgeWish:
        if self.kind == "chat" and not self.categories:
            raise ValueError("a chat model as a judge needs the categories to look for, each with its meaning")
        return self


class Settings(_Strict):
    """How the detectors of a policy are set; what is left out is as printed here."""

    personal_kinds: tuple[str, ...] = ()
    names: bool = False
    words: tuple[Word, ...] = Field(default=(), max_length=10_000)
    topics: tuple[TopicWish, ...] = ()
    allowed_words: tuple[str, ...] = ()
    profanity_languages: tuple[str, ...] = ()
    profanity_least: int = Field(default=1, ge=1, le=3)
    languages: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    most_characters: int = Field(default=0, ge=0)
    fewest_characters: int = Field(default=0, ge=0)
    answer_schema: dict[str, Any] | None = None
    canaries: tuple[str, ...] = ()
    judge: JudgeWish | None = None

    @model_validator(mode="after")
    def _schema_can_be_used(self) -> Settings:
        if self.answer_schema is not None and (said := shape.trouble(self.answer_schema)):
            raise ValueError(said)
        return self

    def topics_found(self) -> tuple[Topic, ...]:
        return tuple(Topic(one.name, one.terms, one.needs) for one in self.topics)


@dataclass(frozen=True, slots=True)
class Policy:
    """One wording of a policy, ready to decide by."""

    id: int
    project_id: int
    name: str
    version: int
    routes: tuple[str, ...]
    rules: tuple[Rule, ...]
    settings: Settings

    @property
    def label(self) -> str:
        """What the record names it by: "Private data/2"."""
        return f"{self.name}/{self.version}"

    def applies(self, route: str, *models: str) -> bool:
        """Whether it is for this route and one of these model names; an entry beginning with "/" is a route, others
        are models or aliases, "*" at the end stands for anything; no entry of a sort means all of it."""
        routes = [one for one in self.routes if one.startswith("/")]
        named = [one for one in self.routes if not one.startswith("/")]
        return (not routes or _any(routes, (route,))) and (not named or _any(named, models))

    def families(self) -> frozenset[Family]:
        """What its rules ask for."""
        return frozenset(one.family for rule in self.rules for one in rule.when if isinstance(one, OnFinding))


def because(label: str, rule: str) -> str:
    """Why something happened, as people read it: "Private data, version 2: Hold e-mail"."""
    name, _, version = label.rpartition("/")
    return f"{name}, version {version}: {rule}"


def parse(
    *,
    policy_id: int,
    project_id: int,
    name: str,
    version: int,
    routes: Sequence[str],
    rules: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> Policy:
    """A policy from its JSON. Raises: Invalid naming the rule or setting and what is wrong with it."""
    made = []
    for number, given in enumerate(rules, 1):
        try:
            made.append(Rule.model_validate(given))
        except ValidationError as error:
            called = given.get("name") if isinstance(given, Mapping) else None
            raise _invalid(f"Rule {number}{f' “{called}”' if called else ''}", error) from None
    if not made:
        raise Invalid("A policy needs at least one rule.", code="policy", hint="Say when what is to be done.")
    names = [rule.name for rule in made]
    if len(set(names)) < len(names):
        raise Invalid("Two rules of a policy have the same name.", code="policy", hint="Give each its own.")
    if not all(isinstance(one, str) and one.strip() for one in routes):
        raise Invalid("A route of the policy is empty.", code="policy", hint='Leave it out, or write "*" for all.')
    try:
        chosen = Settings.model_validate(settings)
    except ValidationError as error:
        raise _invalid("The settings", error) from None
    policy = Policy(policy_id, project_id, name, version, tuple(routes), tuple(made), chosen)
    if said := _lacking(policy):
        raise Invalid(said, code="policy", hint="Give the setting, or leave the rule out.")
    return policy


def _lacking(policy: Policy) -> str:
    """Which setting a rule cannot do without; empty when all are there."""
    needs: tuple[tuple[Family, bool, str], ...] = (
        (Family.WORD, bool(policy.settings.words), "A rule on blocked words needs the words."),
        (Family.TOPIC, bool(policy.settings.topics), "A rule on topics needs the topics."),
        (Family.LANGUAGE, bool(policy.settings.languages), "A rule on languages needs the allowed languages."),
        (Family.JUDGE, policy.settings.judge is not None, "A rule on a judge's findings needs the judge."),
        (
            Family.LENGTH,
            bool(policy.settings.most_characters or policy.settings.fewest_characters),
            "A rule on lengths needs the most or the fewest characters.",
        ),
    )
    return next((said for family, has, said in needs if family in policy.families() and not has), "")


def _any(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return any(
        name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in patterns for name in names if name
    )


def _invalid(what: str, error: ValidationError) -> Invalid:
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    where = f" at “{place}”" if place else ""
    return Invalid(f"{what} cannot be used{where}: {said[:1].lower()}{said[1:200]}.".replace("..", "."), code="policy")
