"""The live tests of a project: how each stands, in one sentence."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from core.trials import actions, queries
from core.trials.queries import Look, TrialView
from pages.parts import acting, hostile, reads, states
from pages.parts import trial_words as words

CHOSEN, NEW = "test", "new"
_SHOWN = 100


def draw(by: Principal, project: ProjectView) -> None:
    """The whole list."""
    title, tools = st.columns([3, 2], vertical_alignment="bottom")
    title.title("Live tests", anchor=False)
    may_change = by.may(Permission.TRIAL_CHANGE, project.id)
    if may_change:
        with tools, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
            _holdout(by, project)
            st.button(
                "New live test", key="trial_new", type="primary", icon=":material/add:", on_click=opened, args=(NEW,)
            )
    rows = reads.fresh(queries.trials, project_ids=[project.id], limit=_SHOWN)
    if not rows:
        states.empty(
            "There is no live test yet.",
            "A new version of a prompt, or another model, answers a part of your users. The test says which is better "
            "and stops by itself when something becomes worse.",
            icon=":material/alt_route:",
        )
        return
    looks = reads.fresh(queries.last_looks, [row.id for row in rows])
    for row in rows:
        _row(row, looks.get(row.id))


def _row(row: TrialView, look: Look | None) -> None:
    said, color = words.STATES[row.state]
    with st.container(border=True, key=f"trial_row_{row.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                st.markdown(f"**{hostile.label(row.name, longest=130)}**", width="content")
                st.badge(said, color=color)
                if row.ending:
                    st.badge(row.ending, color="gray")
            st.button("Open", key=f"trial_open_{row.id}", type="tertiary", on_click=opened, args=(str(row.id),))
        seen = look.n if look else 0
        unit = row.unit.many
        st.caption(
            f"{hostile.sentence(words.tested(row))} · {words.days(row, clock.now())} · {seen:,} of {row.planned:,} "
            f"{unit} · covers {words.coverage(row.coverage)}"
        )
        if look is not None and look.sentence:
            st.markdown(hostile.sentence(look.sentence))


def _holdout(by: Principal, project: ProjectView) -> None:
    now = reads.fresh(queries.holdout, project.id)
    with st.popover(
        f"Holdout: {words.coverage(now)}" if now else "Holdout", icon=":material/block:", key="trial_holdout_door"
    ):
        st.caption("They are in no test of this project. It can change while no test is running or paused.")
        share = st.number_input(
            "Share of users in no test (%)", 0.0, 50.0, now / 100, step=1.0, key=f"trial_holdout_{now}"
        )
        if st.button("Set it", key="trial_holdout_set") and acting.done(
            actions.hold_out, project_id=project.id, buckets=round(share * 100), by=by, at=clock.now()
        ):
            acting.tell(f"{words.coverage(round(share * 100))} of users are in no test.")


def opened(what: str) -> None:
    """A button's callback: this test, the form, or (with "") the list."""
    if what:
        st.query_params[CHOSEN] = what
    else:
        st.query_params.pop(CHOSEN, None)
