"""The labels of a prompt: which version each names, how it moved, who must agree, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import streamlit as st

from core import clock, runtime
from core.people import queries as people
from core.people.rules import Permission, Principal
from core.prompts import queries, releases
from core.prompts.versions import PRODUCTION
from core.prompts.views import MoveView, PromptView, RequestView
from pages.parts import acting, actors, hostile, moments, prompt_compare, prompt_evidence, reads
from pages.parts import prompt_words as words

OFFERED = (PRODUCTION, "staging")


def draw(row: PromptView, by: Principal) -> None:
    """What waits, where labels are, the form, the history."""
    mine = (row.project_id,)
    since = reads.fresh(queries.protected_since, project_id=row.project_id)
    protected = frozenset(since)
    asked = reads.fresh(queries.requests, project_ids=mine, prompt_id=row.id, limit=20)
    history = reads.fresh(queries.moves, row.id, project_ids=mine, limit=50)
    marks = [one.moved_by for one in history] + [who for one in asked for who in (one.asked_by, one.decided_by)]
    names = reads.fresh(people.names, marks)
    for one in asked:
        if one.state == "open":
            _request(row, one, by, names)
    for label, number in row.labels.items():
        _label(row, label, number, history, by, since=since.get(label))
    if not row.labels:
        st.info(
            "No version has a label yet. Applications ask for “production” unless they say otherwise.",
            icon=":material/label:",
        )
    if by.may(Permission.PROMPT_RELEASE, row.project_id) or by.may(Permission.PROMPT_CHANGE, row.project_id):
        _form(row, by, protected)
    _history(history, asked, by, names)
    if by.may(Permission.PROJECT_CHANGE, row.project_id):
        _protection(row, by, protected)


def _label(
    row: PromptView, label: str, number: int, history: tuple[MoveView, ...], by: Principal, *, since: datetime | None
) -> None:
    is_protected = since is not None
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"prompt_label_{label}"):
        st.badge(label, color=words.color(label))
        st.markdown(f"names **version {number}**", width="content")
        if is_protected:
            st.badge("two people", color="gray", icon=":material/lock:")
        last = next((one for one in history if one.label == label), None)
        if last is not None:
            moments.ago(last.moved_at, clock.now())
        st.space("stretch")
        if not by.may(Permission.PROMPT_RELEASE, row.project_id):
            return
        moves = reads.fresh(queries.moves, row.id, project_ids=(row.project_id,), label=label, limit=500)
        back = releases.before_last(moves, number, protected_since=since)
        if back is not None and st.button(
            "Roll back", key=f"prompt_back_{label}_{number}", icon=":material/undo:",
            help=f"Back to version {back}, which it named before: at once, for every application.",
        ):  # fmt: skip
            went = acting.do(
                releases.roll_back, prompt_id=row.id, label=label, expected=number, by=by, at=clock.now(),
                ids=runtime.current().ids,
            )  # fmt: skip
            if went is not None:
                acting.tell(f"{label} names version {went} again.", icon=":material/undo:")
        if not is_protected and st.button(
            "Take off", key=f"prompt_off_{label}_{number}", type="tertiary", help="No version has this label then."
        ):
            _move(row, label, None, "", number, by)


def _form(row: PromptView, by: Principal, protected: frozenset[str]) -> None:
    found = reads.fresh(queries.version_list, row.id, project_ids=(row.project_id,), limit=200)
    numbers = [one.number for one in found]
    may_move = by.may(Permission.PROMPT_RELEASE, row.project_id)
    offered = list(dict.fromkeys([*row.labels, *OFFERED, *sorted(protected)]))
    with st.container(border=True, key="prompt_move", gap="small"):
        st.markdown("**Move a label**")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            label = st.selectbox(
                "Label", offered, key=f"prompt_move_label_{row.id}", accept_new_options=True, width=200
            )
            number = st.selectbox(
                "To version", numbers, key=f"prompt_move_to_{row.id}_{row.newest}", width=140,
                index=numbers.index(_asked(numbers, row.latest)) if numbers else 0,
            )  # fmt: skip
            note = st.text_input(
                "Why", key=f"prompt_move_why_{row.id}", max_chars=500, placeholder="Fewer refunds refused by mistake",
                width="stretch",
            )  # fmt: skip
        now = row.labels.get(label or "")
        # what was seen when the button was drawn: somebody may have moved the label since
        seen_key = f"prompt_move_seen_{row.id}_{label}"
        seen = st.session_state.get(seen_key, now)
        st.session_state[seen_key] = now
        takes_two = label in protected
        if now is not None and number is not None and now != number:
            with st.expander(f"What changes from version {now} to version {number}", icon=":material/difference:"):
                by_number = {one.number: one for one in found}
                if now in by_number:
                    prompt_compare.beside(by_number[now], by_number[number])
        if takes_two:
            evidence = prompt_evidence.choose(row, number or 0, st.query_params.get("evidence", "")[:200], by)
            if st.button(
                "Ask a second person", key="prompt_ask", type="primary", icon=":material/how_to_reg:",
                help="The label is protected: somebody else has to agree before it moves.",
            ) and label and number:  # fmt: skip
                made = acting.do(
                    releases.ask, prompt_id=row.id, label=label, number=number, note=note, evidence=evidence, by=by,
                    at=clock.now(), ids=runtime.current().ids,
                )  # fmt: skip
                if made is not None:
                    acting.tell("Asked. Somebody else decides.")
        elif may_move:
            if st.button("Move it", key="prompt_move_go", type="primary") and label and number:
                _move(row, label, number, note, seen or 0, by)
        else:
            st.caption("Your role may not move labels. Ask a product manager or an engineer.")


def _asked(numbers: list[int], latest: int) -> int:
    """The version a link asks to promote, else the newest of main."""
    asked = st.query_params.get("to", "")
    wanted = int(asked) if asked.isdecimal() and len(asked) < 9 else latest
    return wanted if wanted in numbers else numbers[0]


def _move(row: PromptView, label: str, number: int | None, note: str, expected: int, by: Principal) -> None:
    if acting.done(
        releases.move, prompt_id=row.id, label=label, number=number, note=note, expected=expected, by=by,
        at=clock.now(), ids=runtime.current().ids,
    ):  # fmt: skip
        acting.tell(f"{label} names version {number} now." if number else f"{label} is off.")


def _request(row: PromptView, one: RequestView, by: Principal, names: Mapping[str, str]) -> None:
    with st.container(border=True, key=f"prompt_request_{one.id}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f":material/how_to_reg: **Version {one.after} to become {hostile.label(one.label)}**", width="content"
            )
            st.caption(f"asked by {hostile.sentence(actors.name(one.asked_by, names, you=by.actor))}", width="content")
            moments.ago(one.asked_at, clock.now())
        st.markdown(hostile.sentence(one.note))
        prompt_evidence.draw(one.evidence, row, one.before, one.after, by)
        mine = (row.project_id,)
        new = reads.fresh(queries.version, row.id, one.after, project_ids=mine)
        if one.before is not None:
            st.caption(f"What changes from version {one.before}:")
            prompt_compare.beside(reads.fresh(queries.version, row.id, one.before, project_ids=mine), new)
        if one.asked_by == by.actor:
            st.caption("You asked for this: somebody else decides.")
            if st.button("Take it back", key=f"prompt_withdraw_{one.id}") and acting.done(
                releases.withdraw, request_id=one.id, by=by, at=clock.now()
            ):
                acting.tell("Taken back.")
        elif by.may(Permission.PROMPT_RELEASE, row.project_id):
            answer = st.text_input(
                "A word to who asked", key=f"prompt_answer_{one.id}", max_chars=500, placeholder="Needed to decline"
            )
            with st.container(horizontal=True, gap="small"):
                for is_approved, label in ((True, "Agree"), (False, "Decline")):
                    kind: Literal["primary", "secondary"] = "primary" if is_approved else "secondary"
                    if st.button(label, key=f"prompt_decide_{one.id}_{is_approved}", type=kind) and acting.done(
                        releases.decide, request_id=one.id, is_approved=is_approved, answer=answer, by=by,
                        at=clock.now(), ids=runtime.current().ids,
                    ):  # fmt: skip
                        acting.tell(f"{one.label} names version {one.after} now." if is_approved else "Declined.")
        else:
            st.caption("A product manager or an engineer decides.")


def _history(
    history: tuple[MoveView, ...], asked: tuple[RequestView, ...], by: Principal, names: Mapping[str, str]
) -> None:
    ended = [one for one in asked if one.state not in ("open", "approved")]
    if not history and not ended:
        return
    st.subheader("History", anchor=False)
    agreed = {one.id: one for one in asked}
    for move in history:
        came = f"version {move.before}" if move.before is not None else "no version"
        went = f"version {move.after}" if move.after is not None else "no version"
        request = agreed.get(move.request_id or 0)
        who = actors.name(move.moved_by, names, you=by.actor)
        if request is not None:
            who = f"{actors.name(request.asked_by, names, you=by.actor)} asked, {who} agreed"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(move.label, color=words.color(move.label))
            st.markdown(f"{came} → **{went}**", width="content")
            st.caption(hostile.sentence(f"{who}{f': {move.note}' if move.note else ''}"), width="content")
            moments.ago(move.moved_at, clock.now())
    for one in ended:
        who = "you" if one.decided_by == by.actor else actors.name(one.decided_by, names)
        st.caption(
            hostile.sentence(f"{one.label} to version {one.after}: {one.state} by {who}. {one.answer or one.note}")
        )


def _protection(row: PromptView, by: Principal, protected: frozenset[str]) -> None:
    with st.expander("Which labels take two people, in this project", icon=":material/lock:"):
        st.caption(
            "A protected label moves only when somebody else agrees. Going back to where it was takes one person."
        )
        for label in dict.fromkeys((*OFFERED, *row.labels, *sorted(protected))):
            wanted = st.toggle(label, label in protected, key=f"prompt_protect_{label}_{label in protected}")
            if wanted != (label in protected) and acting.done(
                releases.protect, project_id=row.project_id, label=label, is_protected=wanted, by=by, at=clock.now()
            ):
                acting.tell(f"{label} takes two people now." if wanted else f"{label} takes one person now.")
