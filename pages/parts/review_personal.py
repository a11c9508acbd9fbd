"""What is a reviewer's own at the desk: whether the next answer follows, whether upsetting ones are hidden.

How much harmful text they looked at is counted for them alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import clock
from core.errors import GreenroomError
from core.guard.findings import FAILED, Family
from core.guard.queries import FoundRow
from core.people.rules import Principal
from core.review import counting, habits, rules
from core.review.rules import Lane
from core.review.views import ItemView
from pages.parts import acting, amounts, moments, reads, review_desk, review_text

SHOWN, SEEN = "rv_shown", "rv_seen"
_NEXT, _BLUR = "rv_auto_switch", "rv_blur_switch"


def draw(by: Principal) -> None:
    """The settings, and how much harmful text was looked at today."""
    kept = reads.fresh(habits.habit, by=by)
    st.session_state[_NEXT], st.session_state[_BLUR] = kept.auto_next, kept.blurs
    with st.popover("My settings", icon=":material/tune:", type="tertiary", key="rv_personal"):
        st.toggle(
            "Auto-next", key=_NEXT, on_change=_prefer, args=(by,),
            help="Take the next answer as soon as one is decided.",
        )  # fmt: skip
        st.toggle(
            "Hide upsetting answers", key=_BLUR, on_change=_prefer, args=(by,),
            help="You see them when you ask for them.",
        )  # fmt: skip
        seen = reads.fresh(habits.exposed_since, by=by, since=moments.day_start(clock.now()))
        if seen:
            st.caption(
                f"You have looked at {amounts.count(seen, 'harmful text')} today. Take a break when you need one. "
                "Only you see this number."
            )
        else:
            st.caption("You have looked at no harmful text today.")


def _prefer(by: Principal) -> None:
    _keep(by, blurs=bool(st.session_state[_BLUR]), auto_next=bool(st.session_state[_NEXT]))


def _keep(by: Principal, *, blurs: bool, auto_next: bool) -> None:
    try:
        acting.attempt(habits.prefer, blurs=blurs, auto_next=auto_next, by=by)
    except GreenroomError as error:
        st.session_state[review_desk.TOLD] = error


def is_hidden(item: ItemView, found: Sequence[FoundRow], by: Principal) -> bool:
    """Whether this answer is kept from its reader until they ask."""
    if item.id in st.session_state.get(SHOWN, set()) or not _is_upsetting(found):
        return False
    return reads.fresh(habits.habit, by=by).blurs


def seen(item: ItemView, found: Sequence[FoundRow], by: Principal) -> None:
    """The answer is on the screen: count it, once, when it is harmful."""
    if item.severity < rules.SEVERE and not _is_upsetting(found):
        return
    counted = st.session_state.setdefault(SEEN, set())
    if item.id not in counted and acting.done(habits.expose, item_id=item.id, by=by, at=clock.now()):
        counted.add(item.id)


def cover(item: ItemView, by: Principal) -> None:
    """What stands in the place of an upsetting answer."""
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown(":material/visibility_off: This answer may be upsetting. It is hidden until you ask.")
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button(
                "Show it", key=f"rv_show_{item.id}", on_click=_show, args=(item.id,), icon=":material/visibility:"
            )
            st.button(
                "Always show", key=f"rv_always_{item.id}", on_click=_always, args=(by,), type="tertiary",
                help="For you, until you change it in My settings.",
            )  # fmt: skip


def _is_upsetting(found: Sequence[FoundRow]) -> bool:
    return any(Family(one.family) in review_text.HARM and one.kind != FAILED and not one.is_doubtful for one in found)


def _show(item_id: int) -> None:
    st.session_state.setdefault(SHOWN, set()).add(item_id)


def _always(by: Principal) -> None:
    kept = reads.fresh(habits.habit, by=by)
    _keep(by, blurs=False, auto_next=kept.auto_next)


def progress(by: Principal, queue_id: int, lane: Lane) -> str:
    """What one has decided in a queue today, of that and what waits in this lane for them."""
    now = clock.now()
    today = moments.day_start(now)
    done = reads.fresh(counting.done_since, by=by, since=today, queue_id=queue_id)
    left, is_all = reads.fresh(counting.left_for, queue_id=queue_id, lane=lane, by=by, at=now, since=today)
    if not is_all:
        return f"{amounts.count(done)} today, more than {amounts.count(left)} wait"
    return f"{amounts.count(done)} of {amounts.count(done + left)} today"
