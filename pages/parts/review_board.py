"""The board: every queue, what waits in it, who is at work, whether its promise will be kept. It keeps itself fresh."""

from __future__ import annotations

from datetime import datetime, timedelta

import streamlit as st

from core import clock, runtime
from core.people import queries as people
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from core.review import counting, judgements, quality, rules, workload
from core.review.rules import Lane
from core.review.views import QueueRow
from pages.parts import actors, amounts, hostile, moments, reads, review_desk, states

QUEUE, LANE = "queue", "lane"
LANES = {
    Lane.REVIEW: ("Review", ":material/rate_review:", "What nobody has looked at yet."),
    Lane.ADJUDICATION: ("Disagreements", ":material/gavel:", "Reviewers differ: somebody else decides."),
    Lane.ESCALATION: ("Escalations", ":material/priority_high:", "A reviewer asks for a lead."),
    Lane.APPEAL: ("Appeals", ":material/balance:", "Somebody disagrees with a verdict: a third person looks."),
}
AGREED_BY = 1_000  # the newest verdicts that agreement is counted over
ENOUGH = 5  # decisions of a day that a forecast needs
PROMISED = 0.95  # the share of answers that should not wait longer than the queue promises


def draw(by: Principal, project: ProjectView) -> None:
    """All queues of the project."""
    _live(by, project)


@st.fragment(run_every=1.5)
def _live(by: Principal, project: ProjectView) -> None:
    at = clock.now()
    rows = reads.fresh(counting.board, project_ids=(project.id,), at=at, by=by, since=moments.day_start(at))
    if not rows:
        may = by.may(Permission.REVIEW_CHANGE, project.id)
        states.empty(
            "There is no review queue yet.",
            "A queue is where answers wait for people: those a policy holds, samples, and what users report."
            if may
            else "A lead opens the first one; then answers that need a person wait here.",
            button="Open a queue" if may else "",
            page="review_policies.py" if may else "",
            params={"show": "queues"} if may else None,
            icon=":material/inbox:",
        )
        return
    names = reads.fresh(people.names, {who for row in rows for who in row.hands})
    is_lead = by.may(Permission.REVIEW_LEAD, project.id)
    for row in rows:
        _queue(row, names, at, by, project, is_lead=is_lead)


def _queue(
    row: QueueRow, names: dict[str, str], at: datetime, by: Principal, project: ProjectView, *, is_lead: bool
) -> None:
    with st.container(border=True, key=f"rv_queue_{row.id}"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                st.subheader(hostile.sentence(row.name), anchor=False, width="content")
                if not row.is_open:
                    st.badge("Closed", icon=":material/lock:", color="gray")
                elif row.overdue:
                    st.badge(f"{amounts.count(row.overdue)} overdue", icon=":material/alarm:", color="red")
            if by.may(Permission.REVIEW_DECIDE, project.id):
                _buttons(row, is_lead=is_lead)
        with st.container(horizontal=True, gap="medium"):
            several = "An answer that two people look at counts twice." if row.reviewers > 1 else None
            st.metric("To review", amounts.count(row.to_review), width="content", help=several)
            oldest = "–" if row.oldest_at is None else moments.relative(row.oldest_at, at).removesuffix(" ago")
            promise = (
                moments.span(timedelta(seconds=row.service_level_s))
                if row.service_level_s >= 3600
                else (f"{row.service_level_s // 60} min")
            )
            st.metric("Oldest waits", oldest, width="content", help=f"The promise of this queue is {promise}.")
            st.metric("Decided today", amounts.count(row.decided), width="content", help="In the last 24 hours.")
            if row.reviewers > 1:
                _agreement(row.id)
        st.caption(_hands(row, names))
        st.caption(forecast(row))


def _agreement(queue_id: int) -> None:
    items, same = _agreed(queue_id, id(runtime.current().db))
    st.metric(
        "Reviewers agree", "–" if same is None else amounts.percent(same), width="content",
        help=f"On {amounts.count(items, 'answer')} of the last four weeks that several people judged.",
    )  # fmt: skip


@st.cache_data(ttl="60s", max_entries=500, show_spinner=False)
def _agreed(queue_id: int, store: int) -> tuple[int, float | None]:
    """How many answers several people judged, and how often they say the same; kept, for boards ask all the time."""
    now = clock.now()
    judged = reads.fresh(
        judgements.of_queue, queue_id=queue_id, since=now - timedelta(days=28), until=now, limit=AGREED_BY
    )
    return quality.agreed(judged)


def _buttons(row: QueueRow, *, is_lead: bool) -> None:
    with st.container(horizontal=True, width="content", gap="small"):
        for lane, (title, icon, told) in LANES.items():
            count = row.waiting.get(lane, 0)
            if lane is not Lane.REVIEW and (not is_lead or not count):
                continue
            label = "Start reviewing" if lane is Lane.REVIEW else f"{title} ({count})"
            pressed = st.button(
                label,
                key=f"rv_open_{row.id}_{lane}",
                icon=icon,
                help=told,
                type="primary" if lane is Lane.REVIEW and count else "secondary",
                on_click=go,
                args=(row.id, lane),
            )
            if pressed:
                st.rerun()
        if is_lead and row.to_review > rules.sample_size(row.to_review):
            pressed = st.button(
                "Decide many", key=f"rv_many_{row.id}", icon=":material/done_all:", on_click=go_many, args=(row.id,),
                help="One verdict for all that are alike, after a look at some of them.",
            )  # fmt: skip
            if pressed:
                st.rerun()


def go(queue_id: int, lane: str) -> None:
    """Open a queue's focus view."""
    st.query_params[QUEUE] = str(queue_id)
    st.query_params[LANE] = str(lane)


def go_many(queue_id: int) -> None:
    """Decide many of a queue."""
    st.query_params[review_desk.MANY] = str(queue_id)


def _hands(row: QueueRow, names: dict[str, str]) -> str:
    if not row.hands:
        return ":material/person_off: Nobody is reviewing here now."
    people_here = [
        hostile.sentence(actors.name(who, names)) + (f" ({count})" if count > 1 else "")
        for who, count in sorted(row.hands.items())
    ]
    return f":material/person: In review by {', '.join(people_here)}."


def forecast(row: QueueRow) -> str:
    """Whether the promise will be kept, in a sentence."""
    if row.decided < ENOUGH or row.handling_s is None:
        return ":material/query_stats: Too few decisions in the last day for a forecast."
    people_here = max(1, len(row.hands))
    arriving, handling_s = row.arrivals / counting.PACE_HOURS, max(row.handling_s, 1.0)
    promise_s = row.service_level_s
    told = workload.forecast(
        arrivals_per_h=arriving, handling_s=handling_s, reviewers=people_here, service_level_s=promise_s
    )
    who, kept = amounts.count(people_here, "reviewer"), 1 - told.breaches
    if not told.is_stable:
        said = f":material/trending_up: Unstable: more comes in than {who} can decide, so waits grow without end."
    else:
        keep = "keeps" if people_here == 1 else "keep"
        said = (
            f":material/query_stats: At this pace {who} {keep} the promise for {amounts.percent(kept)} of new answers."
        )
    if told.is_stable and kept >= PROMISED:
        return said
    fewest = workload.needed(arrivals_per_h=arriving, handling_s=handling_s, service_level_s=promise_s, share=PROMISED)
    return said if fewest is None else f"{said} {fewest:,} would keep it for {amounts.percent(PROMISED)}."
