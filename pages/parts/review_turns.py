"""Between two answers, and when one is no longer to be decided: what happened, and the way to the next."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.errors import GreenroomError
from core.people.rules import Principal
from core.review import actions
from core.review.rules import Lane, State
from core.review.views import ItemView
from pages.parts import acting, amounts, moments, review_desk, states
from pages.parts.review_board import LANES

_KEPT = "What you typed was kept."


def gone(item: ItemView, by: Principal, lane: Lane) -> None:
    """It was in this person's hands, and is no more."""
    title, told = {
        State.EXPIRED: ("The time for this answer is over.", f"Its reader got what its policy declares. {_KEPT}"),
        State.WITHDRAWN: ("The application withdrew this answer.", f"Nobody waits for it any longer. {_KEPT}"),
    }.get(State(item.state), ("This answer is no longer in your hands.", f"Somebody else may have it now. {_KEPT}"))
    st.warning(told, title=title, icon=":material/timer_off:")
    another(f"rv_again_{item.id}", by, item.queue_id, lane)


def paused(by: Principal, queue_id: int, lane: Lane) -> None:
    """Between two answers, for who does not want the next at once."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.markdown("Nothing is in your hands.", text_alignment="center")
        another("rv_take_next", by, queue_id, lane)


def another(key: str, by: Principal, queue_id: int, lane: Lane) -> None:
    st.button(
        "Take the next", key=key, type="primary", icon=":material/arrow_forward:", on_click=review_desk.take_next,
        args=(by, queue_id, lane),
    )  # fmt: skip


def nothing(lane: Lane) -> None:
    """Nobody waits for this person in a lane."""
    if lane is Lane.REVIEW:
        states.empty(
            "Nothing waits for you here.",
            "What you decided or passed on is not offered to you again. New answers appear on the board at once.",
            icon=":material/done_all:",
        )
    else:
        states.empty("Nothing waits in this lane for you.", LANES[lane][2], icon=":material/done_all:")


@st.fragment(run_every=10)
def lease(item: ItemView, by: Principal, lane: Lane) -> None:
    """The clocks of the lease and of the reader; while the view is open the lease is renewed."""
    now = clock.now()
    try:
        until = acting.attempt(actions.renew, item_id=item.id, by=by, at=now)
    except GreenroomError as error:  # its time is over, or somebody else has it
        acting.show(error)
        another(f"rv_gone_{item.id}", by, item.queue_id, lane)
        return
    if item.deadline_at is not None:
        st.caption(f":material/hourglass_top: The deadline is {moments.relative(item.deadline_at, now)}.")
    left = (until - now).total_seconds()
    st.caption(
        f":material/timer: Yours for {amounts.count(max(1, round(left / 60)), 'minute')} more, renewed while this view "
        "is open."
    )
