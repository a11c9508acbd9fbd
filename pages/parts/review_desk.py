"""What a reviewer does on the focus view: take, decide, pass on, take back; on the store, with the draft kept.

The item in hand is named in the session; each widget's key has its number, so that a late press can never decide
another item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import streamlit as st

from core import clock, ids, runtime
from core.errors import Conflict, GreenroomError, Invalid
from core.people.rules import Principal
from core.review import actions, bulk, habits, queries
from core.review.reveal import reveal
from core.review.rules import Lane, Said, Verdict
from core.review.views import ItemView
from pages.parts import acting, hostile, reads

ITEM, TOLD, LAST, LOOK, REVEALED = "rv_item", "rv_told", "rv_last", "rv_look", "rv_revealed"
PAUSED, UNDONE, LATE, DECIDED = "rv_paused", "rv_undone", "rv_late", "rv_many_decided"
DRAWN = "rv_drawn"  # the item whose widgets the browser shows
MANY, SAMPLE = "many", "sample"  # in the address: deciding many of a queue, looking at the sample of it
WORDS = {
    "approve": "Approved",
    "edit": "Approved with an edit",
    "reject": "Rejected",
    "escalate": "Escalated",
    "unreviewable": "Marked as unreviewable",
}
SOURCES = {
    "policy": "A policy", "sample": "A sample", "report": "A user's report", "score": "A low score",
    "manual": "Sent by a colleague", "experiment": "An experiment", "gold": "A sample",
}  # fmt: skip
DRAFTED = ("text", "reasons", "comment", "severity", "editing")


def key(item_id: int, name: str) -> str:
    """The key of an item's widget."""
    return f"rv_{name}_{item_id}"


def current(by: Principal, queue_id: int, lane: Lane) -> int | None:
    """The item in this person's hands: the one of before, or one they hold already, or the next that waits."""
    held = st.session_state.get(ITEM)
    if held is not None and held[:2] == (queue_id, str(lane)):
        return int(held[2])
    if st.query_params.get(SAMPLE):
        return take(by, queue_id, lane)
    at = clock.now()
    item_id = reads.fresh(queries.in_hand, queue_id=queue_id, lane=lane, by=by, at=at)
    return item_id if item_id is not None and keep(queue_id, lane, item_id) else take(by, queue_id, lane)


def take(by: Principal, queue_id: int, lane: Lane) -> int | None:
    """The next item, of the sample where one is looked at, now in hand; None when nothing waits for this person."""
    forget()
    sample = ids.read("bulk", st.query_params.get(SAMPLE, ""))
    if sample is not None:
        item_id = acting.attempt(bulk.look, bulk_id=sample, by=by, at=clock.now())
        keep(queue_id, lane, item_id)
        return item_id
    claimed = acting.attempt(actions.claim, queue_id=queue_id, by=by, at=clock.now(), lane=lane)
    if claimed is None:
        return None
    keep(queue_id, lane, claimed.item_id)
    return claimed.item_id


def take_next(by: Principal, queue_id: int, lane: Lane) -> None:
    """A button's callback."""
    try:
        take(by, queue_id, lane)
    except GreenroomError as error:
        st.session_state[TOLD] = error


def forget() -> None:
    """Nothing is open: what comes next is asked for anew."""
    for name in (ITEM, LOOK, PAUSED):
        st.session_state.pop(name, None)


def keep(queue_id: int, lane: Lane, item_id: int) -> bool:
    for name in (PAUSED, DRAWN):
        st.session_state.pop(name, None)
    st.session_state[ITEM] = (queue_id, str(lane), item_id)
    return True


def open_draft(item: ItemView, text: str) -> None:
    """Give each widget its value: what was typed before, else what there is to begin with.

    A widget that comes back is told its value anew, since the browser has forgotten it and would begin empty; one
    that stands there is left alone, since its reader may be typing.
    """
    session = st.session_state
    is_anew = session.get(DRAWN) != item.id
    session[DRAWN] = item.id

    def give(name: str, value: Any) -> None:
        if is_anew or key(item.id, name) not in session:
            session[key(item.id, name)] = value

    begun = {"text": text, "reasons": [], "comment": "", "severity": item.severity, "editing": False}
    for name, first in begun.items():
        kept = item.draft.get(name)
        give(name, first if kept is None else kept)
    known = {str(one["code"]) for one in item.reasons}
    chosen = session[key(item.id, "reasons")]
    if any(one not in known for one in chosen):
        session[key(item.id, "reasons")] = [one for one in chosen if one in known]
    scores = item.draft.get("scores") or {}
    for question in item.questions:
        give(f"q_{question['name']}", scores.get(question["name"]))


def draft_of(item_id: int) -> dict[str, Any]:
    """What stands in the widgets."""
    session = st.session_state
    found = {name: session.get(key(item_id, name)) for name in DRAFTED}
    return {**found, "scores": scores_of(item_id)}


def scores_of(item_id: int) -> dict[str, Any]:
    """The answers to the rubric's questions that were given."""
    begins, ends = "rv_q_", f"_{item_id}"
    return {
        name[len(begins) : -len(ends)]: value
        for name, value in st.session_state.items()
        if isinstance(name, str) and name.startswith(begins) and name.endswith(ends) and value not in (None, "")
    }


def keep_draft(item_id: int, by: Principal) -> None:
    """Every change is kept at once: a closed tab or a late verdict loses nothing."""
    try:
        acting.attempt(actions.keep_draft, item_id=item_id, state=draft_of(item_id), by=by, at=clock.now())
    except GreenroomError as error:
        st.session_state[TOLD] = error


def decide(verdict: Verdict, item: ItemView, by: Principal, lane: Lane, whole: Callable[[str], str]) -> None:
    """A button's callback: the verdict with everything that explains it, then the next item. `whole` puts what is
    masked into an edit again."""
    session, at = st.session_state, clock.now()
    draft, edited = draft_of(item.id), None
    if verdict is Verdict.EDIT:
        try:
            edited = whole(str(session.get(key(item.id, "text")) or ""))
        except GreenroomError as error:
            session[TOLD] = error
            return
    said = Said(
        verdict,
        reasons=tuple(session.get(key(item.id, "reasons")) or ()),
        scores=scores_of(item.id),
        comment=str(session.get(key(item.id, "comment")) or ""),
        severity=int(session.get(key(item.id, "severity")) or 1),
        edited=edited,
        seconds=0.0 if item.claimed_at is None else (at - item.claimed_at).total_seconds(),
    )
    try:
        made = acting.attempt(actions.decide, item_id=item.id, said=said, by=by, at=at, ids=runtime.current().ids)
    except Conflict as error:
        keep_draft(item.id, by)
        session[TOLD], session[LATE] = error, (item.id, draft)
        session.pop(ITEM, None)
        return
    except GreenroomError as error:
        session[TOLD] = error
        return
    session[LAST] = (item.id, item.queue_id, str(lane), made.verdict, at, item.undo_s, draft)
    _next(by, item.queue_id, lane)


def pass_on(item: ItemView, by: Principal, lane: Lane) -> None:
    """Leave an item to others."""
    try:
        acting.attempt(actions.pass_on, item_id=item.id, by=by, at=clock.now(), why="")
    except GreenroomError as error:
        st.session_state[TOLD] = error
    else:
        st.toast("Passed: others have it now.", icon=":material/redo:")
    _next(by, item.queue_id, lane)


def undo(by: Principal) -> None:
    """Take the last verdict back; its item is in hand again."""
    last = st.session_state.pop(LAST, None)
    if last is None:
        return
    st.session_state[UNDONE] = True  # the whole view is drawn anew, not the bar alone
    item_id, queue_id, lane, draft = last[0], last[1], last[2], last[6]
    try:
        acting.attempt(actions.undo, item_id=item_id, by=by, at=clock.now())
        acting.attempt(actions.keep_draft, item_id=item_id, state=draft, by=by, at=clock.now())
    except GreenroomError as error:
        st.session_state[TOLD] = error
        return
    held = st.session_state.get(ITEM)
    if held is not None and held[2] != item_id:
        _put_down(int(held[2]), by)
    keep(queue_id, Lane(lane), item_id)
    st.session_state.pop(LOOK, None)


def _put_down(item_id: int, by: Principal) -> None:
    """Give an item back to the queue unread, without being kept from it later."""
    try:
        acting.attempt(actions.put_down, item_id=item_id, by=by, at=clock.now())
    except GreenroomError:
        return  # its lease has run out: it is back already


def leave(by: Principal, is_many: bool = False) -> None:
    """Back to where this was opened from; what is in hand goes back to the queue, the draft stays."""
    held = st.session_state.get(ITEM)
    if held is not None:
        _put_down(int(held[2]), by)
    forget()
    st.session_state.pop(DECIDED, None)
    for name in ("queue", "lane", SAMPLE, *((MANY,) if is_many else ())):
        st.query_params.pop(name, None)


def show_masked(item_id: int, by: Principal, whole: Callable[[str], str]) -> None:
    """Read what is masked, for a reason that goes into the trail. `whole` puts it into the text of an edit again."""
    reason = str(st.session_state.get(key(item_id, "why")) or "")
    try:
        acting.attempt(reveal, item_id=item_id, reason=reason, by=by, at=clock.now())
    except GreenroomError as error:
        st.session_state[TOLD] = error
        return
    st.session_state.setdefault(REVEALED, set()).add(item_id)
    name = key(item_id, "text")
    if name in st.session_state:
        with suppress(Invalid):  # which mark hid what is not clear any more: the editor sees both, and says
            st.session_state[name] = whole(str(st.session_state[name] or ""))


def edit(item_id: int, by: Principal) -> None:
    """Open or close the text for an edit."""
    name = key(item_id, "editing")
    st.session_state[name] = not st.session_state.get(name)
    keep_draft(item_id, by)


def look(step: int, count: int) -> None:
    """Step through what one has decided: -1 is the item in hand."""
    at = st.session_state.get(LOOK, -1) + step
    st.session_state[LOOK] = max(-1, min(at, count - 1))
    st.session_state.pop(DRAWN, None)


def _next(by: Principal, queue_id: int, lane: Lane) -> None:
    st.session_state.pop(ITEM, None)
    if not reads.fresh(habits.habit, by=by).auto_next:
        st.session_state[PAUSED] = True
    elif not st.query_params.get(SAMPLE):  # whether the sample goes on is decided when it is drawn
        take_next(by, queue_id, lane)


def told() -> None:
    """What went wrong in the last press, once."""
    error = st.session_state.pop(TOLD, None)
    if isinstance(error, GreenroomError):
        acting.show(error)
    late = st.session_state.pop(LATE, None)
    if late is not None:
        typed(late[1])
        st.button(
            "Open that answer", key="rv_late_open", icon=":material/open_in_full:", on_click=_open_late, args=late[:1]
        )


def typed(draft: Mapping[str, Any], as_read: Callable[[str], str | None] = str) -> None:
    """What somebody had typed about an answer that is no longer theirs to decide; an edit as it may be read now."""
    edited = as_read(str(draft.get("text") or "")) if draft.get("editing") else None
    words = [str(draft.get("comment") or ""), edited or ""]
    reasons = [str(one) for one in draft.get("reasons") or ()]
    if not reasons and not any(words):
        return
    with st.expander("What you had typed", icon=":material/edit_note:", expanded=True):
        if reasons:
            st.caption("Reasons: " + ", ".join(hostile.label(one) for one in reasons))
        for one in filter(None, words):
            hostile.text(one)


def _open_late(item_id: int) -> None:
    for name in ("queue", "lane", MANY, SAMPLE):
        st.query_params.pop(name, None)
    st.query_params["show"], st.query_params["item"] = "all", ids.shown("item", item_id)


def last() -> Mapping[str, Any] | None:
    """The verdict that can still be taken back, and until when."""
    found = st.session_state.get(LAST)
    if found is None:
        return None
    item_id, verdict, at, undo_s = found[0], found[3], found[4], found[5]
    left = undo_s - (clock.now() - at).total_seconds()
    return {"item": item_id, "words": WORDS[verdict], "left": left} if left > 0 else None
