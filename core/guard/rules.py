"""What a policy makes of findings: one decision, the strictest of all rules that fired.

Pure: the same policies, findings and context always give the same decision; more findings never give a milder one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.guard.findings import Failure, Family, Finding, Side
from core.guard.policies import (
    STRICT,
    WHOLE,
    Act,
    Condition,
    FailSafe,
    OnFinding,
    OnNew,
    OnReport,
    OnSample,
    OnScore,
    OnTag,
    Policy,
    Rule,
    because,
)


@dataclass(frozen=True, slots=True)
class Made:
    """A version of a prompt or an alias: since when it counts, and how many calls were made of it."""

    since: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a call besides its texts; `newest` is the place of its newest message ("messages.4")."""

    call_id: int
    route: str
    at: datetime
    models: tuple[str, ...] = ()
    tags: frozenset[tuple[str, str]] = frozenset()
    prompt: Made | None = None
    alias: Made | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    reports: tuple[str, ...] = ()
    newest: str = ""


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that fired; `error` is that of a broken detector where it fired because of one."""

    policy: str
    rule: str
    act: Act
    error: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding and what comes of it: the strictest act of a rule that fired on it, and of which policy."""

    finding: Finding
    act: Act
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with a call. Texts, times and the queue are those of the first of the strictest rules.

    `redact` are the findings to replace, also when something stricter is done with the whole. `failures` are
    detectors that broke; `failed_closed` says that a strict rule fired because nobody knows what was there, `unknown`
    that the leading rule did, for want of a result of this family.
    """

    act: Act = Act.PASS
    fired: tuple[Fired, ...] = ()
    findings: tuple[Judged, ...] = ()
    redact: tuple[Finding, ...] = ()
    failures: tuple[Failure, ...] = ()
    failed_closed: str = ""
    unknown: Family | None = None
    policy: str = ""
    rule: str = ""
    source: str = ""
    queue: str = ""
    risk: int = 1
    severity: int = 1
    patience_s: float = 0.0
    deadline_s: float = 0.0
    fail_safe: FailSafe = "refuse"
    safe_text: str = ""
    holding_text: str = ""
    refusal_text: str = ""
    replacement: str = ""

    @property
    def reason(self) -> str:
        """The leading rule in words, for the queue and the record; where nobody knows whether it holds, that."""
        if not self.rule or self.unknown is None:
            return because(self.policy, self.rule) if self.rule else ""
        broken = "its judge gave no verdict" if self.unknown is Family.JUDGE else "a detector broke"
        return because(self.policy, f"{broken}, so nobody knows whether this rule holds: {self.rule}")


PASSED = Decision()


@dataclass(slots=True)
class _Firing:
    policy: Policy
    rule: Rule
    matched: list[Finding]
    error: str
    unknown: Family | None = None


def decide(
    policies: Sequence[Policy], findings: Iterable[Finding], context: Context, failures: Sequence[Failure] = ()
) -> Decision:
    """The decision on a call with these findings so far. It may be asked before the model is (input only), again over
    all findings when the answer is there, and again when a score or a report comes in."""
    found = list(findings)
    firing = [
        fired
        for policy in policies
        if policy.applies(context.route, *context.models)
        for rule in policy.rules
        if (fired := _fires(policy, rule, found, context, failures)) is not None
    ]
    judged = {id(one): Judged(one, Act.PASS) for one in found}
    redact: dict[int, Finding] = {}
    for one in firing:
        for finding in one.matched:
            if one.rule.act.strictness > judged[id(finding)].act.strictness:
                judged[id(finding)] = Judged(finding, one.rule.act, one.policy.label)
            if one.rule.act is Act.REDACT:
                redact[id(finding)] = finding
    told = Decision(
        fired=tuple(Fired(one.policy.label, one.rule.name, one.rule.act, one.error) for one in firing),
        findings=tuple(judged.values()),
        redact=tuple(redact.values()),
        failures=tuple(failures),
        failed_closed=next((one.error for one in firing if one.error), ""),
    )
    return _led(told, firing)


def _led(told: Decision, firing: Sequence[_Firing]) -> Decision:
    """The decision with what its strictest rules say."""
    if not firing:
        return told
    strictest = max(firing, key=lambda one: one.rule.act.strictness).rule.act
    leading = [one for one in firing if one.rule.act is strictest]
    first = leading[0]
    queued = next((one for one in firing if one.rule.queue), None)
    return Decision(
        act=strictest,
        fired=told.fired,
        findings=told.findings,
        redact=told.redact,
        failures=told.failures,
        failed_closed=told.failed_closed,
        unknown=first.unknown,
        policy=first.policy.label,
        rule=first.rule.name,
        source=_source(first.rule),
        queue=first.rule.queue or (queued.rule.queue if queued else ""),
        risk=max(one.rule.risk for one in leading),
        severity=max(one.rule.severity for one in leading),
        patience_s=first.rule.patience_s,
        deadline_s=min(one.rule.deadline_s for one in leading),
        fail_safe=first.rule.fail_safe,
        safe_text=first.rule.safe_text,
        holding_text=first.rule.holding_text,
        refusal_text=first.rule.refusal_text,
        replacement=first.rule.replacement,
    )


def _source(rule: Rule) -> str:
    """Why an item waits, in the words of a review queue."""
    kinds = {type(one) for one in rule.when}
    if OnReport in kinds:
        return "report"
    if OnScore in kinds:
        return "score"
    return "sample" if kinds == {OnSample} else "policy"


def _fires(
    policy: Policy, rule: Rule, findings: Sequence[Finding], context: Context, failures: Sequence[Failure]
) -> _Firing | None:
    matched: dict[int, Finding] = {}
    error, unknown = "", None
    for one in rule.when:
        if isinstance(one, OnFinding):
            fitting = [finding for finding in findings if _fits(one, finding, policy, context)]
            if not fitting:
                broken = next((failure for failure in failures if _may_hide(one, failure)), None)
                if rule.act not in STRICT or broken is None:
                    return None
                error = error or f"{broken.detector} broke: {broken.error}"
                unknown = unknown or broken.family
            matched |= {id(finding): finding for finding in fitting}
        elif not holds(one, context, salt=f"{policy.id}:{rule.name}"):
            return None
    return _Firing(policy, rule, list(matched.values()), error, unknown)


def _fits(wanted: OnFinding, found: Finding, policy: Policy, context: Context) -> bool:
    return (
        found.family is wanted.family
        and found.policy in (0, policy.id)
        and (not wanted.kinds or found.kind in wanted.kinds)
        and found.confidence >= wanted.confidence
        and (wanted.side is None or found.side is wanted.side)
        and not (wanted.newest and found.side is Side.INPUT and not _within(found.place, context.newest))
    )


def _within(place: str, message: str) -> bool:
    return not message or place == message or place.startswith(f"{message}.")


def _may_hide(wanted: OnFinding, failure: Failure) -> bool:
    return failure.family is wanted.family and (wanted.side is None or failure.side is wanted.side)


def holds(condition: Condition, context: Context, *, salt: str) -> bool:
    """Whether a condition on the call itself holds; `salt` makes the samples of different rules independent."""
    if isinstance(condition, OnTag):
        return (condition.name, condition.value) in context.tags
    if isinstance(condition, OnSample):
        return sampled(context.call_id, condition.percent, salt=salt)
    if isinstance(condition, OnNew):
        made = context.prompt if condition.of == "prompt" else context.alias
        if made is None:
            return False
        return context.at - made.since < timedelta(days=condition.days) or made.calls < condition.calls
    if isinstance(condition, OnScore):
        scores = context.scores if not condition.name else {condition.name: context.scores.get(condition.name)}
        return any(score is not None and score < condition.below for score in scores.values())
    if isinstance(condition, OnReport):
        return bool(context.reports) and (
            not condition.reasons or any(reason in condition.reasons for reason in context.reports)
        )
    return False


def sampled(call_id: int, percent: float, *, salt: str) -> bool:
    """Whether a call is in a sample of so many percent: its point on [0, 1) lies below the percentage.

    The point is the first 64 bits of BLAKE2b over salt and call id, so it depends on nothing else: raising the
    percentage adds calls and moves none out, and every process agrees. The salt is the policy's id and the rule's name.
    """
    return point(call_id, salt=salt) < percent / 100


def point(call_id: int, *, salt: str) -> float:
    """Where a call lies between 0 and 1, by chance that everybody can repeat."""
    digest = hashlib.blake2b(f"{salt}:{call_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def families(policies: Iterable[Policy]) -> frozenset[Family]:
    """What these policies want looked for; detectors of other families need not run."""
    return frozenset().union(*(policy.families() for policy in policies))


def waits_for_end(policies: Sequence[Policy], context: Context, findings: Iterable[Finding] = ()) -> str:
    """Why a stream may not be passed on before its end; empty when a window over it is enough.

    It must wait when it is held or replaced by what is known already, and when a rule that would hold, replace or
    refuse it looks at whole answers only (shape, language, length, topic, judge). Names are found in whole texts too,
    so redacting them waits as well.
    """
    known = decide(policies, findings, context)
    if known.act.strictness >= Act.REPLACE.strictness:
        return known.reason
    for policy in policies:
        if not policy.applies(context.route, *context.models):
            continue
        for rule in policy.rules:
            if rule.act.strictness < Act.REDACT.strictness:
                continue
            whole = WHOLE | ({Family.PERSONAL} if policy.settings.names else set())
            about = [one for one in rule.when if isinstance(one, OnFinding) and one.side is not Side.INPUT]
            others = [one for one in rule.when if not isinstance(one, OnFinding)]
            if any(one.family in whole for one in about) and all(
                holds(one, context, salt=f"{policy.id}:{rule.name}") for one in others
            ):
                return because(policy.label, rule.name)
    return ""
