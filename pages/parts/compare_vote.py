"""One pair before a voter: what was asked, two answers without names, four keys; then whose they were.

Every widget's key has the pair's number, so that a late press can never vote on another pair. Before the vote nothing
on the page, in its source or its address tells whose an answer is: it is not read from the store.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core import clock, runtime
from core.errors import Conflict, GreenroomError, NotFound
from core.people.rules import Permission, Principal
from core.statistics.votes import Choice
from core.votes import actions, queries, sums
from core.votes.queries import ComparisonView, Unvoted, Voted
from core.votes.rules import LONGEST_COMMENT, Draws
from pages.parts import acting, amounts, compare_list, hostile, reads, states
from pages.parts.links import CALLS

_TOLD, _OPEN, _DONE = "compare_told", "compare_open_pair", "compare_done_pair"
KEYS = (
    (Choice.LEFT, "A is better", "1", ":material/thumb_up:"),
    (Choice.RIGHT, "B is better", "2", ":material/thumb_up:"),
    (Choice.TIE, "Tie", "3", ":material/equal:"),
    (Choice.BOTH_BAD, "Both bad", "4", ":material/thumb_down:"),
)
SAID = {Choice.LEFT: "A is better", Choice.RIGHT: "B is better", Choice.TIE: "a tie", Choice.BOTH_BAD: "both bad"}
_dice = secrets.SystemRandom()


def draw(row: ComparisonView, by: Principal) -> None:
    """The pair, or the last one with its names, or why there is none."""
    error = st.session_state.pop(_TOLD, None)
    if isinstance(error, GreenroomError):
        acting.show(error)
    if not row.admits(by.actor):
        st.info("You are not among its voters. Who made it can add you.", icon=":material/person_off:")
        return
    done = st.session_state.get(_DONE)
    if done is not None and done[0] == row.id and _reveal(row, by, done[1]):
        return
    try:
        pair = _pair(row, by)
    except GreenroomError as refused:
        acting.show(refused)
        return
    if pair is None:
        _nothing(row, by)
    else:
        _ask(row, pair, by)


def _pair(row: ComparisonView, by: Principal) -> Unvoted | None:
    """The pair that is open before this person; taken from the store where the session knows none."""
    known = st.session_state.get(_OPEN)
    if known is not None and known[0] == row.id:
        try:
            pair = reads.fresh(queries.unvoted, known[1], by=by)
        except NotFound:
            st.session_state.pop(_OPEN, None)
        else:
            if pair.expires_at > clock.now():
                return pair
    found = acting.attempt(
        actions.serve, comparison_id=row.id, by=by, at=clock.now(), ids=runtime.current().ids,
        draws=Draws(_dice.random(), _dice.random(), _dice.random()),
    )  # fmt: skip
    if found is None:
        return None
    st.session_state[_OPEN] = (row.id, found)
    return reads.fresh(queries.unvoted, found, by=by)


def _ask(row: ComparisonView, pair: Unvoted, by: Principal) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(hostile.sentence(row.question), anchor=False, width="content")
        voted = reads.fresh(sums.mine, row.id, by=by)
        st.caption(f"You have given {amounts.count(voted, 'vote')}." if voted else "Your first vote.", width="content")
    asked(pair.messages, pair.variables)
    _side_by_side(("A", pair.left), ("B", pair.right))
    if row.reasons:
        st.pills(
            "Why? (if you like)", list(row.reasons), selection_mode="multi", key=_key(pair.id, "why"),
            format_func=hostile.sentence,
        )  # fmt: skip
    st.text_input("Comment", key=_key(pair.id, "words"), max_chars=LONGEST_COMMENT, placeholder="Only if there is more")
    with st.container(horizontal=True, gap="small", key="compare_keys"):
        for choice, words, shortcut, icon in KEYS:
            st.button(
                words, key=_key(pair.id, choice), icon=icon, shortcut=shortcut, on_click=_vote,
                args=(row, pair.id, choice, by),
            )  # fmt: skip
        st.button(
            "Skip", key=_key(pair.id, "skip"), icon=":material/skip_next:", shortcut="S", type="tertiary",
            on_click=_skip, args=(row, pair.id, by), help="It does not come back to you, and counts for nobody.",
        )  # fmt: skip
    st.caption("A vote stays. No key does anything while you type in a field.")


def asked(messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> None:
    """What was asked: the last turn, what fills a prompt, and the rest folded."""
    before, last = messages[:-1], messages[-1:]
    if before:
        with st.expander(amounts.count(len(before), "message") + " before it", icon=":material/forum:"):
            for message in before:
                st.caption(hostile.label(str(message.get("role"))))
                hostile.text(str(message.get("content") or ""))
    with st.container(border=True):
        _last(last, variables)


def asked_plain(messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> None:
    """The same, last turn alone, where nothing more can be folded."""
    _last(messages[-1:], variables)


def _last(last: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> None:
    st.caption("What was asked" if last else "What the prompts were filled with")
    for message in last:
        hostile.text(str(message.get("content") or ""))
    for name, value in variables.items():
        hostile.text(f"{name}: {value}")


def _side_by_side(*answers: tuple[str, str], keys: str = "") -> None:
    for column, (head, text) in zip(st.columns(2), answers, strict=True):
        with column, st.container(border=True, key=f"compare_side_{keys}{head[:1]}"):
            st.markdown(f"**{head}**")
            hostile.markdown(text)


def _reveal(row: ComparisonView, by: Principal, pair_id: int) -> bool:
    """The pair just voted on, with names; whether there was one to show."""
    found = reads.fresh(queries.voted, comparison=row, by=by, pair_id=pair_id)
    if not found:
        return False
    st.markdown(f":material/check_circle: You said: **{SAID[found[0].choice]}**. It stays.")
    asked(found[0].messages, found[0].variables)
    revealed(found[0], row, by)
    st.button(
        "Next pair", key=_key(pair_id, "next"), icon=":material/arrow_forward:", shortcut="N", type="primary",
        on_click=_next,
    )  # fmt: skip
    return True


def revealed(pair: Voted, row: ComparisonView, by: Principal, *, keys: str = "") -> None:
    """Two answers with whose they are, and the way to their calls."""
    sides = (("A", pair.left_name, pair.left_model), ("B", pair.right_name, pair.right_model))
    # a variant of an experiment is named by all that it is
    told = {name: f" ({hostile.label(model)})" for _, name, model in sides if model != name and row.run_id is None}
    heads = [f"{side} · {hostile.label(name)}{told.get(name, '')}" if name else side for side, name, _ in sides]
    _side_by_side((heads[0], pair.left), (heads[1], pair.right), keys=keys)
    if pair.left_call and pair.right_call and by.may(Permission.CALLS_READ, row.project_id):
        with st.container(horizontal=True):
            for side, call in (("A", pair.left_call), ("B", pair.right_call)):
                params = {"call": compare_list.call(call)}
                st.page_link(CALLS, label=f"Call of {side}", icon=":material/receipt_long:", query_params=params)


def _nothing(row: ComparisonView, by: Principal) -> None:
    made = row.made
    if made.waiting and made.ready + made.failed < made.all:
        _waiting(row.id, row.project_id)
    elif reads.fresh(sums.mine, row.id, by=by):
        states.empty(
            "That was all: you have seen every pair that you can judge unknowing.",
            "The leaderboard shows what came of it.",
            icon=":material/done_all:",
        )
    else:
        states.empty(
            "No two answers are ready to be compared.",
            "Where answers failed, who leads this comparison can ask again; equal answers are put before nobody.",
            icon=":material/hourglass_empty:",
        )


@st.fragment(run_every=2)
def _waiting(comparison_id: int, project_id: int) -> None:
    """Answers are on their way: look again by itself."""
    row = reads.fresh(queries.comparison, comparison_id, project_ids=(project_id,))
    st.progress(
        (row.made.ready + row.made.failed) / max(1, row.made.all),
        f"{row.made.ready} of {row.made.all} answers are ready. The first pair comes by itself.",
    )
    before = st.session_state.get("compare_seen_ready")
    st.session_state["compare_seen_ready"] = row.made.ready
    if (before is not None and before != row.made.ready) or not row.made.waiting:
        st.rerun()


def _vote(row: ComparisonView, pair_id: int, choice: Choice, by: Principal) -> None:
    """A button's callback."""
    session = st.session_state
    try:
        acting.attempt(
            actions.vote, pair_id=pair_id, choice=choice, by=by, at=clock.now(),
            reasons=session.get(_key(pair_id, "why")) or (), comment=str(session.get(_key(pair_id, "words")) or ""),
        )  # fmt: skip
    except Conflict as error:
        session[_TOLD] = error
        session.pop(_OPEN, None)
        return
    except GreenroomError as error:
        session[_TOLD] = error
        return
    session.pop(_OPEN, None)
    if row.shows_names:
        session[_DONE] = (row.id, pair_id)


def _skip(row: ComparisonView, pair_id: int, by: Principal) -> None:
    """A button's callback."""
    try:
        acting.attempt(actions.skip, pair_id=pair_id, by=by, at=clock.now())
    except GreenroomError as error:
        st.session_state[_TOLD] = error
    st.session_state.pop(_OPEN, None)


def _next() -> None:
    st.session_state.pop(_DONE, None)


def _key(pair_id: int, name: str) -> str:
    return f"compare_{name}_{pair_id}"
