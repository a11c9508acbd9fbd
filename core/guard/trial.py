"""A dry run: what a policy would have done with calls that are on record, before it is switched on.

Bounded: at most `limit` calls are looked at. Where there are more, each hour gives a block of neighbouring calls in
proportion to how many it had, from a point in it that the policy's id decides; the share that was looked at is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session, col, select

from core import ids
from core.calls import queries as calls
from core.calls.tables import Call, Feedback, UsageHour
from core.catalog.tables import Alias, AliasVersion
from core.clock import hour_of
from core.guard import detecting, rules
from core.guard.findings import Family, Finding, passages_of_answer, passages_of_request
from core.guard.policies import OnNew, Policy
from core.guard.rules import Context, Made
from core.prompts.tables import PromptVersion

LIMIT = 2_000
EXAMPLES = 10
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls, and the newest few of them."""

    calls: int = 0
    examples: tuple[int, ...] = ()

    def plus(self, call_id: int) -> Count:
        return Count(self.calls + 1, (*self.examples, call_id) if len(self.examples) < EXAMPLES else self.examples)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a policy would have done. `looked` of `calls` were looked at; `is_complete` when it was not stopped early.

    `not_looked` are families that a dry run does not ask (a judge costs calls of its own); rules on scores see none,
    since scores are made later than calls.
    """

    calls: int
    looked: int
    is_complete: bool
    acts: dict[str, Count]
    rules: dict[str, Count]
    failed: Count
    not_looked: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        return min(self.looked / self.calls, 1.0) if self.calls else 1.0


def dry_run(
    session: Session,
    policy: Policy,
    *,
    since: datetime,
    until: datetime,
    limit: int = LIMIT,
    goes_on: Callable[[Trial], bool] = lambda _: True,
) -> Trial:
    """Decide on recorded calls of the policy's project as if it had been on; nothing is changed.

    It begins with the hour of `since`, as sums are by the hour.
    `goes_on` is told after every hundred calls what was seen so far, newest first; False ends the run with that.
    """
    since = hour_of(since)
    hours = _hours(session, policy.project_id, since, until)
    total = sum(count for _, count in hours)
    acts: dict[str, Count] = {}
    fired: dict[str, Count] = {}
    failed, looked = Count(), 0
    not_looked = tuple(sorted(policy.families() & {Family.JUDGE}))

    def seen(*, is_complete: bool) -> Trial:
        # calls of the running hour may be on record before they are in its sum
        return Trial(max(total, looked), looked, is_complete, dict(acts), dict(fired), failed, not_looked)

    for page in _pages(session, policy, hours, since, until, total, limit):
        if looked and not goes_on(so_far := seen(is_complete=False)):
            return so_far
        for decision, call_id in _decided(session, policy, page):
            looked += 1
            acts[decision.act.value] = acts.get(decision.act.value, Count()).plus(call_id)
            for name in dict.fromkeys(one.rule for one in decision.fired):
                fired[name] = fired.get(name, Count()).plus(call_id)
            if decision.failures:
                failed = failed.plus(call_id)
    return seen(is_complete=True)


def _hours(session: Session, project_id: int, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    query = (
        select(UsageHour.hour, UsageHour.calls)
        .where(UsageHour.project_id == project_id, UsageHour.dimension == "all")
        .where(col(UsageHour.hour) >= since, col(UsageHour.hour) < until)
        .order_by(col(UsageHour.hour).desc())
    )
    return [(hour, int(count)) for hour, count in session.exec(query)]


def _pages(
    session: Session,
    policy: Policy,
    hours: Sequence[tuple[datetime, int]],
    since: datetime,
    until: datetime,
    total: int,
    limit: int,
) -> Iterator[list[Call]]:
    """Calls to look at, newest first, a hundred at a time by keyset."""
    left = limit
    for hour, count in hours:
        first, end = max(hour, since), min(hour + timedelta(hours=1), until)
        wanted = min(left, count if total <= limit else math.ceil(limit * count / total))
        high, low = ids.first_at(end), ids.first_at(first)
        if total > limit and count > wanted:
            # the block begins so that it fits into the hour
            free = (1 - wanted / count) * rules.point(low, salt=f"dry run:{policy.id}")
            high = ids.first_at(end - (end - first) * free)
        left -= wanted
        while wanted > 0:
            size = min(wanted, _PAGE)
            page = _page(session, policy.project_id, low, high, size)
            if not page:
                break
            yield page
            high, wanted = page[-1].id, wanted - len(page)
            if len(page) < size:
                break


def _page(session: Session, project_id: int, low: int, high: int, size: int) -> list[Call]:
    query = (
        select(Call)
        .where(col(Call.project_id) == project_id, col(Call.id) >= low, col(Call.id) < high)
        .order_by(col(Call.id).desc())
        .limit(size)
    )
    return list(session.exec(query))


def _decided(session: Session, policy: Policy, page: Sequence[Call]) -> Iterator[tuple[rules.Decision, int]]:
    numbers = [call.id for call in page]
    payloads = calls.payloads(session, numbers, [policy.project_id])
    tags = calls.tags(session, numbers)
    reports: dict[int, tuple[str, ...]] = {}
    down = select(Feedback).where(col(Feedback.call_id).in_(numbers), col(Feedback.thumb) < 0)
    for feedback in session.exec(down):
        reports[feedback.call_id] = (*reports.get(feedback.call_id, ()), feedback.reason)
    ages = Ages(session, [policy], policy.project_id)
    for call in page:
        payload = payloads.get(call.id)
        request = payload.request if payload and isinstance(payload.request, dict) else {}
        answer = payload.response if payload else None
        asked = passages_of_request(request)
        answered = passages_of_answer(answer) if isinstance(answer, dict) else ()
        named = Named(call.alias, call.alias_version, call.prompt_id, call.prompt_version)
        newness = ages.of(named, call.id)
        context = Context(
            call_id=call.id,
            route=call.route,
            at=call.at,
            models=tuple(name for name in _models(call) if name),
            tags=frozenset(tags.get(call.id, ())),
            prompt=newness.prompt,
            alias=newness.alias,
            reports=reports.get(call.id, ()),
            newest=newest(request),
        )
        if not policy.applies(call.route, *context.models):
            yield rules.PASSED, call.id
            continue
        scanned = detecting.scan(detecting.detectors([policy], asked, request), [*asked, *answered])
        found: Sequence[Finding] = scanned.findings
        yield rules.decide([policy], found, context, scanned.failures), call.id


def _models(call: Call) -> tuple[str, ...]:
    """The names a policy may know a call's model by; a prompt is known without its label, too."""
    named = (call.alias, call.model_asked, call.model_served)
    return named if call.prompt_id is None else (*named, call.model_asked.partition("@")[0])


def newest(request: object) -> str:
    """The place of the newest message of a request."""
    messages = request.get("messages") if isinstance(request, dict) else None
    return f"messages.{len(messages) - 1}" if isinstance(messages, list) and messages else ""


@dataclass(frozen=True, slots=True)
class Named:
    """The alias and the prompt a call was asked by, and which versions they were."""

    alias: str = ""
    alias_version: int | None = None
    prompt_id: int | None = None
    prompt_version: int | None = None


@dataclass(frozen=True, slots=True)
class Newness:
    """How new both versions are; None where no rule asks, and for what was not asked by one."""

    prompt: Made | None = None
    alias: Made | None = None


NOT_ASKED = Newness()


class Ages:
    """Since when a version counted and how many calls of it came before a call; counted up to a bound."""

    def __init__(self, session: Session, policies: Sequence[Policy], project_id: int) -> None:
        self._session, self._project = session, project_id
        wanted = [one for policy in policies for rule in policy.rules for one in rule.when if isinstance(one, OnNew)]
        self._most: dict[str, int] = {}
        for one in wanted:
            self._most[one.of] = max(self._most.get(one.of, 0), one.calls)
        self._since: dict[tuple[str | int, int], datetime | None] = {}

    def of(self, named: Named, call_id: int) -> Newness:
        """How new the versions were when this call was made."""
        return Newness(self._prompt(named, call_id), self._alias(named, call_id))

    def _prompt(self, named: Named, call_id: int) -> Made | None:
        number, version = named.prompt_id, named.prompt_version
        if "prompt" not in self._most or number is None or version is None:
            return None
        key = (number, version)
        if key not in self._since:
            query = select(PromptVersion.made_at).where(
                PromptVersion.prompt_id == number, PromptVersion.number == version
            )
            self._since[key] = self._session.exec(query).first()
        where = "project_id = :project AND prompt_id = :of AND prompt_id IS NOT NULL AND prompt_version = :version"
        return self._made("prompt", key, where, call_id)

    def _alias(self, named: Named, call_id: int) -> Made | None:
        alias, version = named.alias, named.alias_version
        if "alias" not in self._most or not alias or version is None:
            return None
        key = (alias, version)
        if key not in self._since:
            query = (
                select(AliasVersion.made_at)
                .join(Alias, col(Alias.id) == col(AliasVersion.alias_id))
                .where(Alias.name == alias, AliasVersion.version == version)
            )
            self._since[key] = self._session.exec(query).first()
        where = "project_id = :project AND alias = :of AND alias <> '' AND alias_version = :version"
        return self._made("alias", key, where, call_id)

    def _made(self, kind: str, key: tuple[str | int, int], where: str, call_id: int) -> Made | None:
        since, most = self._since[key], self._most[kind]
        if since is None or not most:
            return None if since is None else Made(since, 0)
        query = text(f"SELECT count(*) FROM (SELECT 1 FROM call WHERE {where} AND id < :id LIMIT :most) AS earlier")  # noqa: S608
        bound = {"project": self._project, "of": key[0], "version": key[1], "id": call_id, "most": most}
        return Made(since, int(self._session.execute(query, bound).scalar_one()))
