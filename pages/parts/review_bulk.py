"""Decide many at once: choose which, look at a random sample one by one, then let the rest follow."""

from __future__ import annotations

import streamlit as st

from core import clock, ids, runtime
from core.errors import GreenroomError
from core.people.queries import ProjectView
from core.people.rules import Principal
from core.review import bulk, queries, rubrics, rules
from core.review.bulk import BulkView, Filter
from core.review.rules import Lane, Verdict
from core.review.tables import ReviewQueue
from pages.parts import acting, amounts, hostile, reads, review_board, review_desk, review_focus, review_rubric

VERBS = {
    Verdict.APPROVE: ("Approve", "approved"),
    Verdict.REJECT: ("Reject", "rejected"),
    Verdict.UNREVIEWABLE: ("Mark as unreviewable", "marked as unreviewable"),
}
FILTERS = {"source": "Why it waits", "policy": "Policy", "reason": "Reason"}
_ANY, _RUNNING = "", "rv_many_running"


def draw(by: Principal, project: ProjectView, queue_id: int) -> None:
    """What this person has begun, or a new beginning in this queue."""
    begun = reads.fresh(bulk.begun, by=by, project_ids=(project.id,))
    try:
        queue = reads.fresh(queries.queue_of, queue_id if begun is None else begun.queue_id, project_ids=(project.id,))
    except GreenroomError as error:
        _top("Decide many", by)
        acting.show(error)
        return
    _top(f"{hostile.sentence(queue.name)} · Decide many", by)
    review_desk.told()
    if begun is None:
        if st.session_state.get(review_desk.DECIDED) == queue_id:
            st.success(
                "You find each under Decided by me. What somebody else has in hand stays with them.",
                title="All of them are decided.", icon=":material/done_all:",
            )  # fmt: skip
        review_focus.undo_bar(by)
        _new(by, queue_id)
    elif (running := st.session_state.pop(_RUNNING, None)) is not None and running[0] == begun.id:
        _go_on(begun, by, running[1], running[2])
    else:
        review_focus.undo_bar(by)
        _begun(begun, by, queue)


def is_looking(by: Principal, project: ProjectView) -> bool:
    """Whether the sample that is open in the focus view still has something to look at."""
    begun = reads.fresh(bulk.begun, by=by, project_ids=(project.id,))
    return (
        begun is not None
        and begun.id == ids.read("bulk", st.query_params.get(review_desk.SAMPLE, ""))
        and bool(begun.left)
        and not begun.otherwise
    )


def progress(by: Principal, project: ProjectView) -> str:
    """How far one is with the sample."""
    begun = reads.fresh(bulk.begun, by=by, project_ids=(project.id,))
    return "" if begun is None else f"{len(begun.looked_at) + 1} of {len(begun.sample)} of the sample"


def _top(title: str, by: Principal) -> None:
    st.button(
        "All queues", key="rv_many_leave", icon=":material/arrow_back:", type="tertiary", on_click=review_desk.leave,
        args=(by, True),
    )  # fmt: skip
    st.subheader(title, anchor=False)


def _new(by: Principal, queue_id: int) -> None:
    choices = reads.fresh(bulk.choices, queue_id)
    st.markdown(
        "Give one verdict to all waiting answers that are alike. First you look at some of them, drawn at random; only "
        "when each of those gets the verdict do the others get it too."
    )
    with st.container(border=True, gap="small"):
        verdict = Verdict(
            st.segmented_control(
                "Verdict for all", list(VERBS), key="rv_many_verdict", default=Verdict.APPROVE, required=True,
                format_func=lambda one: VERBS[one][0],
            )
        )  # fmt: skip
        chosen = dict.fromkeys(FILTERS, _ANY)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for name, label in FILTERS.items():
                if choices[name]:
                    chosen[name] = st.selectbox(
                        label, [_ANY, *choices[name]], key=f"rv_many_{name}_{queue_id}", width=260,
                        format_func=_meant,
                    )  # fmt: skip
        meant = Filter(**chosen)
        count = reads.fresh(bulk.meeting, queue_id=queue_id, meant=meant, by=by, at=clock.now())
        size = rules.sample_size(count)
        if count > size:
            st.markdown(
                f"**{amounts.count(count, 'waiting answer')}** meet this. You look at **{size}** of them first; then "
                f"the other {amounts.count(count - size)} can be {VERBS[verdict][1]} without a look."
                + (" More may wait: the rest is for another time." if count == bulk.MOST else "")
            )
        elif count:
            st.markdown(f"Only {amounts.count(count, 'waiting answer')} meet this: decide them one by one.")
        else:
            st.markdown("No waiting answer meets this.")
        pressed = st.button(
            f"Draw {size} to look at", key="rv_many_begin", type="primary", icon=":material/casino:",
            disabled=count <= size,
        )  # fmt: skip
    st.caption(
        "Grave answers that a reader waits for are never part of it, and what somebody has in hand stays with them."
    )
    if pressed and acting.done(
        bulk.begin, queue_id=queue_id, verdict=verdict, meant=meant, by=by, at=clock.now(), ids=runtime.current().ids
    ):
        st.rerun()


def _begun(row: BulkView, by: Principal, queue: ReviewQueue) -> None:
    verb, past = VERBS[Verdict(row.verdict)]
    looked, size = len(row.looked_at), len(row.sample)
    st.markdown(_which(row))
    st.progress(looked / size, text=f"{looked} of {size} of the sample looked at")
    if row.otherwise:
        said = row.otherwise[0]
        words = "passed on to others" if said == bulk.PASSED_ON else review_desk.WORDS.get(said, said).lower()
        st.error(
            "So one verdict does not fit them all. End it here, then choose fewer that are more alike.",
            title=f"One of the sample was {words}.",
            icon=":material/front_hand:",
        )
    elif row.left:
        st.markdown(
            f"Look at each as at any other answer. When all {size} are {past}, you can decide the other "
            f"{amounts.count(row.rest)} at once."
        )
    else:
        done = f" {amounts.count(row.decided)} of the others are decided already." if row.decided else ""
        st.markdown(f"All {size} that you looked at were {past}.{done}")
    is_said = row.verdict != Verdict.REJECT
    if not row.left and not row.otherwise and not is_said:
        is_said = _why(row, queue)
    with st.container(horizontal=True, gap="small"):
        if row.left and not row.otherwise:
            st.button(
                "Look at the next" if looked else "Look at the first", key="rv_many_look", type="primary",
                icon=":material/visibility:", on_click=_look, args=(row,),
            )  # fmt: skip
        elif not row.otherwise:
            st.button(
                f"{verb} the other {amounts.count(row.rest)}", key="rv_many_go", type="primary",
                icon=":material/done_all:", on_click=_run, args=(row.id,), disabled=not is_said,
            )  # fmt: skip
        stopped = st.button("End it here", key="rv_many_stop", icon=":material/stop:")
    st.caption("What you decided one by one counts, whatever happens to the others.")
    if stopped and acting.done(bulk.stop, bulk_id=row.id, by=by, at=clock.now()):
        acting.tell("Ended. What was decided stays decided.")


def _why(row: BulkView, queue: ReviewQueue) -> bool:
    """Whether it is said why the others are rejected: by reasons of the queue's rubric as at the desk, or in words."""
    asked = reads.fresh(rubrics.rubrics, project_ids=(queue.project_id,)) if queue.rubric_id else ()
    known = next((one.reasons for one in asked if one.id == queue.rubric_id), ())
    reasons = []
    if known:
        reasons = review_rubric.reasons(
            {one.code: one.meaning for one in known}, key=f"rv_many_reasons_{row.id}",
            help="Why the others are rejected; kept with each of them.",
        )  # fmt: skip
    comment = st.text_input(
        "Why are the others rejected?", key=f"rv_many_why_{row.id}", max_chars=500,
        placeholder="It is kept with each of them" + ("; not needed when you choose a reason" if known else ""),
    )  # fmt: skip
    return bool(reasons or comment.strip())


def _which(row: BulkView) -> str:
    """What is under way, in a sentence."""
    alike = [hostile.label(review_desk.SOURCES.get(row.source, row.source))] if row.source else []
    alike += [hostile.label(one) for one in (row.policy, row.reason) if one]
    told = f" ({', '.join(alike)})" if alike else ""
    return f"**{VERBS[Verdict(row.verdict)][0]} {amounts.count(row.population, 'waiting answer')}**{told}"


def _look(row: BulkView) -> None:
    """The next of the sample, in the focus view."""
    review_desk.forget()
    st.query_params[review_desk.SAMPLE] = ids.shown("bulk", row.id)
    review_board.go(row.queue_id, Lane.REVIEW)


def _run(bulk_id: int) -> None:
    session = st.session_state
    comment = str(session.get(f"rv_many_why_{bulk_id}") or "")
    session[_RUNNING] = (bulk_id, comment, tuple(session.get(f"rv_many_reasons_{bulk_id}") or ()))


def _go_on(row: BulkView, by: Principal, comment: str, reasons: tuple[str, ...]) -> None:
    """Decide the rest, a few at a time. Any press ends this run, and with it the deciding, between two of them."""
    st.markdown(_which(row))
    shown = st.progress(0.0, text="Deciding…")
    st.button("Stop", key="rv_many_halt", icon=":material/stop:")
    for _ in range(4):
        st.empty()  # in the place of what the run before showed, which would stay until this one ends
    total, left = row.rest, row.rest
    while left:
        told = acting.do(
            bulk.go_on, bulk_id=row.id, by=by, at=clock.now(), ids=runtime.current().ids, comment=comment,
            reasons=reasons,
        )  # fmt: skip
        if told is None:
            return
        left = told
        done = max(0, total - left)
        shown.progress(min(1.0, done / max(total, 1)), text=f"{amounts.count(done)} of {amounts.count(total)} decided")
    st.session_state[review_desk.DECIDED] = row.queue_id
    st.rerun()


def _meant(value: object) -> str:
    """A source, policy or reason as people say it."""
    return hostile.line(review_desk.SOURCES.get(str(value), str(value))) if value else "Any"
