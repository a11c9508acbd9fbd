"""Why readers were unhappy or happy: reasons by how often they were given; one is opened and dealt with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core import clock, runtime
from core.calls import feedback_queries
from core.calls.feedback_queries import Group, Mood, Summary
from core.people.rules import Permission, Principal
from core.review import queries, reported
from core.review.tables import ReviewQueue
from pages.parts import acting, amounts, feedback_entries, feedback_numbers, hostile, reads
from pages.parts.links import POLICIES

GROUP, BEFORE = "group", "before"
EVERYTHING = "all"
_STEP = 25
"""Answers sent in one transaction: callers of the gateway wait no longer than that takes."""
_PAGE = 20


def draw(said: Summary, *, by: Principal, project_ids: Sequence[int], since: datetime, until: datetime) -> None:
    """The reasons under their moods, then everything in the order it came."""
    queue = _queue(by, project_ids)
    sent = reads.fresh(reported.reviewed, said.groups, project_ids=project_ids, since=since, until=until)
    for mood, words in feedback_numbers.MOODS.items():
        groups = [group for group in said.groups if group.mood is mood]
        if not groups:
            continue
        st.subheader(f"{feedback_numbers.ICONS[mood]} {words}", anchor=False)
        for group in groups:
            with st.container(border=True, key=f"feedback_group_{group.token}"):
                if _row(group, said, sent.get(group.token, 0)):
                    _entries(group, queue, by=by, project_ids=project_ids, since=since, until=until)
    st.subheader(":material/forum: Everything", anchor=False)
    with st.container(border=True, key="feedback_group_all"):
        told = f"{amounts.count(said.count, 'time')}, newest first"
        if said.unlisted:
            told += f" · with {said.unlisted:,} for reasons too rare to be listed above"
        if _head("**All that readers said**", told, EVERYTHING):
            _entries(None, queue, by=by, project_ids=project_ids, since=since, until=until)


def _row(group: Group, said: Summary, sent: int) -> bool:
    """One reason and its numbers; whether it is opened."""
    change = amounts.change(group.count, group.before)
    compared = "none before" if change is None and said.before else change
    parts = [
        f"{amounts.count(group.count, 'time')}, {amounts.share(group.count, said.count)}",
        *([compared] if compared else []),
        f"{_how_many(sent, group.calls)} sent to review",
    ]
    return _head(f"**{reason(group.reason)}**", " · ".join(parts), group.token)


def reason(text: str) -> str:
    """A reason as a reader wrote it, or that there is none."""
    return hostile.sentence(hostile.line(text)) or "No reason given"


def _how_many(sent: int, of: int) -> str:
    if sent in (0, of):
        return "all" if sent else "none"
    return f"{sent:,} of {amounts.count(of, 'answer')}"


def _head(title: str, told: str, token: str) -> bool:
    is_opened = st.query_params.get(GROUP) == token
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(width="stretch", gap=None):
            st.markdown(title)
            st.caption(told)
        label, icon = ("Close", ":material/expand_less:") if is_opened else ("Open", ":material/expand_more:")
        st.button(
            label, key=f"feedback_open_{token}", icon=icon, type="tertiary", on_click=_open,
            args=("" if is_opened else token,),
        )  # fmt: skip
    return is_opened


def _open(token: str) -> None:
    st.query_params.pop(BEFORE, None)
    if token:
        st.query_params[GROUP] = token
    else:
        st.query_params.pop(GROUP, None)


def _queue(by: Principal, project_ids: Sequence[int]) -> ReviewQueue | None:
    """Where answers are sent; asked only where there is a choice."""
    if not any(by.may(Permission.REVIEW_SEND, number) for number in project_ids):
        return None
    found = [row for row in reads.fresh(queries.queues, project_ids=project_ids) if row.is_open]
    if not found:
        may_open = any(by.may(Permission.REVIEW_CHANGE, number) for number in project_ids)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("There is no open review queue to send answers to.", width="content")
            if may_open:
                st.page_link(POLICIES, label="Open a queue", query_params={"show": "queues"})
        return None
    if len(found) == 1:
        return found[0]
    names = {row.id: row.name for row in found}
    chosen = st.selectbox(
        "Send answers to the queue", list(names), key="feedback_queue", width=320,
        format_func=lambda one: hostile.line(names[one]),
    )  # fmt: skip
    return next(row for row in found if row.id == chosen)


def _ahead(
    group: Group, queue: ReviewQueue, *, project_ids: Sequence[int], since: datetime, until: datetime
) -> tuple[tuple[int, ...], bool]:
    """A button for what is not in the queue yet; pressed, the newest `reported.MOST`, and if there are more."""
    ahead = reads.fresh(
        reported.unsent, group, queue_id=queue.id or 0, project_ids=project_ids, since=since, until=until,
        limit=reported.MOST + 1,
    )  # fmt: skip
    name = hostile.label(queue.name)
    if not ahead:
        st.caption(f":material/check: All of these answers are in {name}.", width="content")
        return (), False
    calls, is_more = ahead[: reported.MOST], len(ahead) > reported.MOST
    words = f"the newest {reported.MOST}" if is_more else (f"all {len(calls)}" if len(calls) > 1 else "the one left")
    pressed = st.button(
        f"Send {words} to review", key=f"feedback_send_all_{group.token}", icon=":material/rate_review:",
        help=f"People will look at them in {name}.",
    )  # fmt: skip
    return (calls if pressed else ()), is_more


def _send(group: Group, queue: ReviewQueue, calls: Sequence[int], by: Principal, *, is_more: bool) -> None:
    """Send them, some at a time, and say what came of it."""
    sent = 0
    with st.spinner("Sending …"):
        for start in range(0, len(calls), _STEP):
            here = acting.do(
                reported.send_all, queue_id=queue.id or 0, call_ids=calls[start : start + _STEP], by=by,
                reason=feedback_entries.why(group.mood, group.reason), at=clock.now(), ids=runtime.current().ids,
            )  # fmt: skip
            if here is None:
                return
            sent += here
    already = len(calls) - sent if is_more else group.calls - sent
    told = f"{amounts.count(sent, 'answer')} {'waits' if sent == 1 else 'wait'} in {hostile.label(queue.name)}."
    if already > 0:
        told += f" {already:,} {'was' if already == 1 else 'were'} there already."
    acting.tell(f"{told} There are more: send again for the next." if is_more else told)


def _entries(
    group: Group | None,
    queue: ReviewQueue | None,
    *,
    by: Principal,
    project_ids: Sequence[int],
    since: datetime,
    until: datetime,
) -> None:
    calls: Sequence[int] = ()
    is_more = False
    with st.container(horizontal=True, vertical_alignment="center"):
        if group is not None and queue is not None:
            calls, is_more = _ahead(group, queue, project_ids=project_ids, since=since, until=until)
        only = st.toggle("Only with a better answer", key="feedback_corrected", on_change=_first)
    if group is not None and queue is not None and calls:
        _send(group, queue, calls, by, is_more=is_more)
    before = st.query_params.get(BEFORE, "")
    page = reads.fresh(
        feedback_queries.entries,
        project_ids=project_ids,
        since=since,
        until=until,
        mood=None if group is None else Mood(group.mood),
        reason=None if group is None else group.reason,
        has_correction=True if only else None,
        before=int(before) if before.isdecimal() and len(before) < 20 else None,
        limit=_PAGE,
    )
    if not page.rows:
        st.caption("Nobody wrote a better answer here." if only else "There is nothing older.")
    feedback_entries.draw(page.rows, queue, by=by, project_ids=project_ids, has_reason=group is None)
    with st.container(horizontal=True):
        if before:
            st.button("Newest", key="feedback_newest", icon=":material/first_page:", on_click=_first)
        if page.next_before is not None:
            st.button(
                "Older", key="feedback_older", icon=":material/chevron_right:", icon_position="right",
                on_click=_older, args=(page.next_before,),
            )  # fmt: skip


def _first() -> None:
    st.query_params.pop(BEFORE, None)


def _older(number: int) -> None:
    st.query_params[BEFORE] = str(number)
