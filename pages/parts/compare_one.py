"""One comparison: vote, who is ahead, the answers; closing it and who may vote, for who leads it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core import clock, runtime
from core.people import queries as people
from core.people.rules import GRANTS, Permission, Principal
from core.votes import actions, export
from core.votes.queries import ComparisonView
from pages.parts import (
    acting,
    choosing,
    compare_answers,
    compare_board,
    compare_list,
    compare_vote,
    hostile,
    reads,
    tabs,
)


def draw(row: ComparisonView, by: Principal) -> None:
    """The head, then the chosen view."""
    leads = by.may(Permission.COMPARE_CHANGE, row.project_id)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.button(
            "All comparisons", key="compare_back", icon=":material/arrow_back:", type="tertiary",
            on_click=compare_list.opened, args=("",),
        )  # fmt: skip
        if leads:
            _manage(row, by)
    st.title(hostile.sentence(row.name), anchor=False)
    views = {"vote": "Vote"} if row.is_open and by.may(Permission.COMPARE_VOTE, row.project_id) else {}
    views |= {"board": "Leaderboard"} | ({"answers": "Answers"} if leads else {})
    view = tabs.draw("show", views, label="Show")
    if view == "vote":
        compare_vote.draw(row, by)
    elif view == "answers":
        compare_answers.draw(row, by)
    else:
        compare_board.draw(row, by)


def _manage(row: ComparisonView, by: Principal) -> None:
    with st.popover("Manage", icon=":material/settings:", key="compare_manage"):
        if st.button(
            "Close it to voters" if row.is_open else "Open it again", key=f"compare_switch_{row.id}",
            icon=":material/lock:" if row.is_open else ":material/lock_open:",
        ) and acting.done(
            actions.switch, comparison_id=row.id, is_open=not row.is_open, by=by, at=clock.now()
        ):  # fmt: skip
            runtime.current().comparing.wake()
            acting.tell("Closed." if row.is_open else "Open again.")
        _voters(row, by)
        with st.container(horizontal=True):
            for kind, words in (("jsonl", "Votes as JSON lines"), ("csv", "Votes as CSV")):
                st.download_button(
                    words, partial(_taken, row, kind, by), file_name=f"votes-{row.id}.{kind}",
                    mime=export.MEDIA_TYPES[kind], key=f"compare_take_{kind}", icon=":material/download:",
                    on_click="ignore",
                )  # fmt: skip


def _taken(row: ComparisonView, kind: str, by: Principal) -> bytes:
    """The file, written when it is asked for."""
    acting.attempt(actions.take_away, comparison_id=row.id, format=kind, by=by, at=clock.now())
    return b"".join(export.rows(runtime.current().db, row.id, kind, project_ids=(row.project_id,)))


def _voters(row: ComparisonView, by: Principal) -> None:
    known = _people(row.project_id)
    if not known and not row.voters:
        return
    names = choosing.apart(known | {one: known.get(one, one) for one in row.voters})
    chosen = st.multiselect(
        "Who may vote", sorted(names, key=names.__getitem__), list(row.voters), key=f"compare_voters_{row.id}",
        format_func=names.__getitem__, placeholder="Whoever has the right to",
    )  # fmt: skip
    is_other = sorted(chosen) != sorted(row.voters)
    if (
        is_other
        and st.button("Keep these voters", key=f"compare_admit_{row.id}")
        and acting.done(actions.admit, comparison_id=row.id, voters=chosen, by=by, at=clock.now())
    ):
        acting.tell("Kept.")


def _people(project_id: int) -> dict[str, str]:
    """Who has the right to vote in this project, by the name of who acts."""
    may = {
        grant.person_id
        for grant in reads.fresh(people.grants)
        if grant.project_id in (None, project_id) and Permission.COMPARE_VOTE in GRANTS[grant.role]
    }
    found = reads.fresh(people.persons)
    return {f"person:{one.id}": one.name or one.email or f"Person {one.id}" for one in found if one.id in may}
