"""Examples from production: some of the calls that meet a filter, chosen so that the same can be chosen again.

A call's rank is the first 8 bytes of BLAKE2b over the seed and its id; the calls with the lowest ranks are taken. That
is a sample without replacement in which every call has the same chance (bottom-k sampling: Cohen and Kaplan,
"Summarizing Data using Bottom-k Sketches", 2007), and a seed draws the same ones as long as the filter meets the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlmodel import Session

from core.calls import queries
from core.calls.filters import Filters
from core.calls.views import Payload
from core.datasets import rules
from core.datasets.rules import Entry, Kind
from core.errors import GreenroomError, Invalid
from core.ids import shown

MOST = 500
MOST_SEEN = 20_000
_PER_READ = 500
_PER_LOOK = 50

Private = Callable[..., Mapping[int, Any]]
"""Which of these calls have private words: `(session, call_ids, *, project_ids)` (core.guard.queries.private)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The examples that were drawn, each with its call, and what was passed over on the way and why."""

    picks: tuple[tuple[int, Entry], ...]
    seen: int
    without_body: int = 0
    private: int = 0
    unusable: int = 0
    is_cut: bool = False


def draw(
    session: Session,
    filters: Filters,
    *,
    kind: Kind,
    count: int,
    seed: str,
    project_ids: Sequence[int],
    at: datetime,
    private: Private,
    revealed: Collection[int] = (),
) -> Sample:
    """Draw `count` calls among the newest `MOST_SEEN` that meet the filters; relative times count from `at`.

    Passed over: calls whose bodies were not kept, those with private words that this person did not reveal, and those
    of which no example can be made. Words of a filter do not find masked calls: their number would answer a guess.
    Raises: Invalid.
    """
    if not 1 <= count <= MOST:
        raise Invalid(f"Between 1 and {MOST} calls are drawn at once.", param="count", hint="Draw again for more.")
    if kind is Kind.PREFERENCE:
        raise Invalid("A call has one answer: there is nothing to prefer.", hint="Draw items, or rows to fine-tune on.")

    def masked(session: Session, call_ids: Sequence[int]) -> Collection[int]:
        return private(session, call_ids, project_ids=project_ids).keys() - set(revealed)

    found: list[int] = []
    before: int | None = None
    while True:
        page = queries.page(
            session, filters, project_ids=project_ids, before=before, limit=_PER_READ, at=at, masked=masked
        )
        found += [row.id for row in page.rows]
        before = page.next_before
        if before is None or len(found) >= MOST_SEEN:
            break
    found.sort(key=lambda number: rank(seed, number))
    picks: list[tuple[int, Entry]] = []
    passed = {"without_body": 0, "private": 0, "unusable": 0}
    for start in range(0, len(found), _PER_LOOK):
        some = found[start : start + _PER_LOOK]
        payloads = queries.payloads(session, some, project_ids)
        hidden = masked(session, some)
        for call_id in some:
            if len(picks) == count:
                return Sample(tuple(picks), len(found), is_cut=before is not None, **passed)
            made = _made(kind, call_id, payloads.get(call_id), is_hidden=call_id in hidden)
            if isinstance(made, str):
                passed[made] += 1
            else:
                picks.append((call_id, made))
    return Sample(tuple(picks), len(found), is_cut=before is not None, **passed)


def rank(seed: str, call_id: int) -> int:
    """Where a call stands among those that could be drawn with this seed."""
    digest = blake2b(f"{seed}:{call_id}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest)


def _made(kind: Kind, call_id: int, said: Payload | None, *, is_hidden: bool) -> Entry | str:
    """The example, or the reason why there is none."""
    if said is None or not said.raw_request or not said.raw_response:
        return "without_body"
    if is_hidden:
        return "private"
    messages, tools = rules.asked(said.request) if isinstance(said.request, dict) else ([], [])
    answer = said.answers[0].text if said.answers else ""
    try:
        example = rules.make(kind, messages, original=answer, final=answer, tools=tools)
    except GreenroomError:
        return "unusable"
    return Entry(example, source=shown("call", call_id))
