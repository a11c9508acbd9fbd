"""The focus view: one answer, everything that helps to judge it, and the verdicts on keys that the buttons name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import clock
from core.calls import queries as calls
from core.calls.views import CallView, Payload
from core.errors import GreenroomError
from core.guard import masking
from core.guard import queries as guard
from core.guard.findings import Passage, passages_of_answer, passages_of_request
from core.guard.queries import FoundRow
from core.people.queries import ProjectView
from core.people.rules import Principal
from core.review import queries, rules
from core.review.rules import Lane, Source, Verdict
from core.review.tables import ReviewQueue
from core.review.views import ItemView
from pages.parts import (
    access,
    acting,
    amounts,
    hostile,
    moments,
    policy_words,
    reads,
    review_desk,
    review_personal,
    review_rubric,
    review_text,
    review_turns,
    review_verdicts,
    to_dataset,
)
from pages.parts.review_board import LANES

ROLES = {
    "system": "Instructions",
    "developer": "Instructions",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
}
KEYS = (
    ("A", "Approve"), ("E", "Edit"), ("Ctrl + Enter", "Approve with the edit"), ("X", "Reject"), ("F", "Escalate"),
    ("S", "Pass to others"), ("U", "Unreviewable"), ("Z", "Undo"), ("K / J", "What you decided before / after"),
    ("H", "This help"),
)  # fmt: skip


def draw(by: Principal, project: ProjectView, queue_id: int, lane: Lane, *, told: str = "") -> None:
    """The whole view of a queue's lane; `told` says how far one is, where that is not the day's work."""
    queue = reads.fresh(queries.queue_of, queue_id, project_ids=(project.id,))
    mine = _top(by, queue, lane, told)
    undo_bar(by)
    above = st.container()
    if review_desk.LATE in st.session_state:
        with above:
            review_desk.told()
    _body(by, project, queue_id, lane)
    with above:  # what is not about the answer in hand
        review_desk.told()
    with mine:  # now that what is open has been counted
        review_personal.draw(by)


def _body(by: Principal, project: ProjectView, queue_id: int, lane: Lane) -> None:
    decided = reads.fresh(queries.decided_by, project_ids=(project.id,), by=by, limit=20)
    mine = [pair for pair in decided if pair[0].undone_at is None]
    looking = st.session_state.get(review_desk.LOOK, -1)
    if 0 <= looking < len(mine):
        _steps(looking, len(mine))
        before(by, project, mine[looking][1].id)
        return
    if st.session_state.get(review_desk.PAUSED):
        review_turns.paused(by, queue_id, lane)
        return
    try:
        item_id = review_desk.current(by, queue_id, lane)
        item = None if item_id is None else reads.fresh(queries.item, item_id, by=by, at=clock.now())
    except GreenroomError as error:
        acting.show(error)
        return
    if item is None:
        review_turns.nothing(lane)
        return
    if item.slot_until is None:
        review_turns.gone(item, by, lane)
        return
    _item(item, by, project, lane, len(mine))


def before(by: Principal, project: ProjectView, item_id: int) -> None:
    """An item to read: what was said, found and decided."""
    item = reads.fresh(queries.item, item_id, by=by, at=clock.now())
    call, said, found = _of_call(item, project)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _said(item, said, found, by, is_open=False)
    with right:
        as_read = _as_read(item, said, found, by)
        review_verdicts.draw(item, by, as_read)
        review_verdicts.appeal(item, by)
        review_verdicts.known(item, by)
        review_desk.typed(item.draft, as_read)
        answer = "\n".join(message.text for message in said.answers)
        edited = next((one.edited for one in reversed(item.decisions) if one.edited and not one.undone_at), None)
        to_dataset.draw(
            said, project_id=project.id, by=by, original=answer, final=edited or answer, review_item_id=item.id
        )
        st.page_link(
            access.FOLDER / "call_list.py", label="The whole call", icon=":material/receipt_long:",
            query_params={"call": call.shown_id},
        )  # fmt: skip


def _as_read(item: ItemView, said: Payload, found: Sequence[FoundRow], by: Principal) -> Callable[[str], str | None]:
    """How another text about this answer may be read: as much of it as of the answer itself."""
    texts = _asked(said) + _answered(said)
    if _is_revealed(item):
        return str
    if review_personal.is_hidden(item, found, by):
        return lambda _: None
    return lambda words: review_text.masked(words, texts, found)


def _top(by: Principal, queue: ReviewQueue, lane: Lane, told: str) -> DeltaGenerator:
    """The row above everything; the place in it for what is one's own."""
    title = LANES[lane][0]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
            st.button(
                "Back" if told else "All queues", key="rv_leave", icon=":material/arrow_back:", type="tertiary",
                on_click=review_desk.leave, args=(by,),
            )  # fmt: skip
            st.subheader(f"{hostile.sentence(queue.name)} · {title}", anchor=False, width="content")
        with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
            st.caption(told or review_personal.progress(by, queue.id or 0, lane), width="content")
            mine = st.container(width="content")
            if st.button("Help", key="rv_help", icon=":material/keyboard:", shortcut="H", type="tertiary"):
                _help()
    return mine


@st.dialog("Keys")
def _help() -> None:
    for one, told in KEYS:
        st.markdown(f"**{one}** {told.lower()}")
    st.caption("No key does anything while you type in a field.")


@st.fragment(run_every=1)
def undo_bar(by: Principal) -> None:
    if st.session_state.pop(review_desk.UNDONE, False):
        st.rerun()
    last = review_desk.last()
    if last is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/check_circle: {last['words']}.", width="content")
        st.button(
            f"Undo ({last['left']:.0f} s)",
            key="rv_undo",
            icon=":material/undo:",
            shortcut="Z",
            on_click=review_desk.undo,
            args=(by,),
        )


def _steps(looking: int, count: int) -> None:
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Before", key="rv_k", icon=":material/arrow_back:", shortcut="K", disabled=looking + 1 >= count,
            on_click=review_desk.look, args=(1, count),
        )  # fmt: skip
        st.button(
            "After" if looking >= 0 else "Next", key="rv_j", icon=":material/arrow_forward:", shortcut="J",
            disabled=looking < 0, on_click=review_desk.look, args=(-1, count),
        )  # fmt: skip


def _of_call(item: ItemView, project: ProjectView) -> tuple[CallView, Payload, tuple[FoundRow, ...]]:
    mine = (project.id,)
    return (
        reads.fresh(calls.call, item.call_id, mine),
        reads.fresh(calls.payload, item.call_id, mine),
        reads.fresh(guard.findings, item.call_id, project_ids=mine),
    )


def _item(item: ItemView, by: Principal, project: ProjectView, lane: Lane, decided: int) -> None:
    call, said, found = _of_call(item, project)
    answered = _answered(said)
    is_revealed = _is_revealed(item)
    review_desk.open_draft(item, review_text.answer_to_edit(answered, found, is_revealed=is_revealed))
    if not is_revealed:  # typed in another session, when it was revealed there
        kept = review_desk.key(item.id, "text")
        texts = (*_asked(said), *answered)
        st.session_state[kept] = review_text.masked(str(st.session_state[kept] or ""), texts, found)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _why(item, call)
        _readers(item, call, _as_read(item, said, found, by))
        _said(item, said, found, by, is_open=True)
    with right:
        review_turns.lease(item, by, lane)
        review_desk.told()
        if lane is not Lane.REVIEW:
            review_verdicts.draw(item, by, _as_read(item, said, found, by))
        _bar(item, by, lane, str if is_revealed else lambda words: masking.unmasked(words, answered, found))
        review_rubric.draw(item, by)
        _steps(-1, decided)


GOT = {
    "refuse": "The reader got a refusal", "replace": "The reader got another text", "redact": "Delivered, with gaps",
    "flag": "Delivered",
}  # fmt: skip
"""What became of an answer that a policy sends here, by what it did."""


def _why(item: ItemView, call: CallView) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(review_desk.SOURCES.get(item.source, item.source), icon=":material/flag:", color="blue")
        if item.severity == rules.SEVERE:
            st.badge("Grave", icon=":material/warning:", color="red")
        if item.deadline_at is not None:
            st.badge("The reader waits", icon=":material/hourglass_top:", color="orange")
        elif (got := GOT.get(str((call.detail.get("guard") or {}).get("act")))) is not None:
            st.badge(got, icon=":material/person:", color="gray")
        moments.ago(item.created_at, clock.now())
    if item.reason:
        st.caption(hostile.sentence(item.reason))
    for reason in item.appeals:
        st.info(hostile.sentence(reason), title="Why it was appealed", icon=":material/balance:")
    if not item.is_blind:
        st.caption(f"Answered by {hostile.label(f'{call.backend}/{call.model_served}')}.")


def _readers(item: ItemView, call: CallView, as_read: Callable[[str], str | None]) -> None:
    """What readers said in words, where that is why it is here: no more of what is private than the answer shows."""
    if item.source != Source.REPORT:
        return
    for said in call.feedback[-3:]:
        words = "\n".join(filter(None, (said.comment, said.correction)))
        told = as_read(words) if words else ""
        if told:
            with st.container(border=True, gap="xsmall"):
                st.caption(":material/sentiment_dissatisfied: A reader said")
                hostile.text(told[:2_000])
        elif told is None:
            st.caption(":material/visibility_off: What a reader said shows with the answer.")


def _asked(said: Payload) -> tuple[Passage, ...]:
    return tuple(passages_of_request(said.request)) if isinstance(said.request, dict) else ()


def _answered(said: Payload) -> tuple[Passage, ...]:
    return tuple(passages_of_answer(said.response)) if isinstance(said.response, dict) else ()


def _is_revealed(item: ItemView) -> bool:
    return item.id in st.session_state.get(review_desk.REVEALED, set())


def _said(item: ItemView, said: Payload, found: Sequence[FoundRow], by: Principal, *, is_open: bool) -> None:
    """The question, then the answer; private words masked, harmful ones behind a button."""
    asked, answered, is_revealed = _asked(said), _answered(said), _is_revealed(item)
    is_hidden = review_personal.is_hidden(item, found, by)
    aside = [one for one in asked if one.role in ("system", "developer")]
    talk = [one for one in asked if one not in aside]
    if aside:
        with st.expander("Instructions and sources", icon=":material/tune:"):
            for passage in aside:
                review_text.draw(passage, found, is_revealed=is_revealed, is_hidden=is_hidden)
    if len(talk) > 3:
        with st.expander(f"{len(talk) - 1} earlier messages", icon=":material/forum:"):
            _talk(talk[:-1], found, is_revealed=is_revealed, is_hidden=is_hidden)
        talk = talk[-1:]
    _talk(talk, found, is_revealed=is_revealed, is_hidden=is_hidden)
    st.markdown("**Answer**")
    if is_hidden:
        review_personal.cover(item, by)
        return
    review_personal.seen(item, found, by)
    for passage in answered:
        with st.container(border=True):
            review_text.draw(passage, found, is_revealed=is_revealed, is_hidden=is_hidden)
    if not answered:
        st.caption("The answer has no words.")
    _whole_texts(found)
    if review_text.is_masked([*asked, *answered], found) and not is_revealed:
        _reveal(item, lambda words: masking.unmasked(words, answered, found), by)
    if is_open:
        _edit(item, answered, found, by, is_revealed=is_revealed)


def _talk(talk: Sequence[Passage], found: Sequence[FoundRow], *, is_revealed: bool, is_hidden: bool) -> None:
    for passage in talk:
        st.markdown(f"**{ROLES.get(passage.role, 'User')}**")
        review_text.draw(passage, found, is_revealed=is_revealed, is_hidden=is_hidden)


def _whole_texts(found: Sequence[FoundRow]) -> None:
    """Findings about an answer as a whole, and detectors that broke."""
    whole = [one for one in found if one.stop == one.start or one.family in ("topic", "language", "length", "judge")]
    lines = []
    for one in whole:
        if one.kind == "failed":
            lines.append(f":material/error: {policy_words.broken(one.family, one.detector)}")
        else:
            where = "question" if one.side == "input" else "answer"
            told = hostile.sentence(f"{one.family}: {one.kind}".capitalize())
            lines.append(f":material/search: {told} in the {where}, {amounts.percent(one.confidence)} sure.")
    for line in dict.fromkeys(lines):
        st.caption(line)


def _reveal(item: ItemView, whole: Callable[[str], str], by: Principal) -> None:
    with st.popover("Reveal what is masked", icon=":material/visibility:"):
        st.text_input(
            "Why do you need to read it?", key=review_desk.key(item.id, "why"), max_chars=200,
            help="It goes into the audit trail with your name.",
        )  # fmt: skip
        told = (item.id, by, whole)
        st.button("Reveal", key=f"rv_reveal_{item.id}", type="primary", on_click=review_desk.show_masked, args=told)


def _edit(
    item: ItemView, answered: Sequence[Passage], found: Sequence[FoundRow], by: Principal, *, is_revealed: bool
) -> None:
    text = review_text.answer_to_edit(answered, found, is_revealed=is_revealed)
    if not st.session_state[review_desk.key(item.id, "editing")]:
        return
    st.text_area(
        "What the reader gets instead", key=review_desk.key(item.id, "text"), height="content",
        on_change=review_desk.keep_draft, args=(item.id, by), max_chars=100_000,
    )  # fmt: skip
    if not is_revealed and review_text.is_masked(answered, found):
        st.caption("A mark such as [EMAIL] goes out as what it hides. Take it out to leave that out.")
    after = str(st.session_state[review_desk.key(item.id, "text")] or "")
    if after != text:
        with st.container(border=True):
            st.caption("What changes")
            review_text.diff(text, after)


def _bar(item: ItemView, by: Principal, lane: Lane, whole: Callable[[str], str]) -> None:
    """The verdicts. Each button's key is the item's, so that a second press of a key decides nothing else."""
    is_editing = bool(st.session_state.get(review_desk.key(item.id, "editing")))

    def button(name: str, label: str, icon: str, shortcut: str, verdict: Verdict, *, primary: bool = False) -> None:
        st.button(
            label, key=f"rv_{name}_{item.id}", icon=icon, shortcut=shortcut, width="stretch",
            type="primary" if primary else "secondary", on_click=review_desk.decide,
            args=(verdict, item, by, lane, whole),
        )  # fmt: skip

    with st.container(border=True, key="rv_bar", gap="small"):
        if is_editing:
            button("save", "Approve with edit", ":material/check:", "Ctrl+Enter", Verdict.EDIT, primary=True)
        else:
            button("approve", "Approve", ":material/check:", "A", Verdict.APPROVE, primary=True)
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Stop editing" if is_editing else "Edit", key=f"rv_edit_{item.id}", icon=":material/edit:",
                shortcut="E", width="stretch", on_click=review_desk.edit, args=(item.id, by),
            )  # fmt: skip
            button("reject", "Reject", ":material/close:", "X", Verdict.REJECT)
        with st.container(horizontal=True, gap="small"):
            if lane is Lane.REVIEW:
                button("escalate", "Escalate", ":material/priority_high:", "F", Verdict.ESCALATE)
            st.button(
                "Pass", key=f"rv_pass_{item.id}", icon=":material/redo:", shortcut="S", width="stretch",
                on_click=review_desk.pass_on, args=(item, by, lane), help="Leave it to others.",
            )  # fmt: skip
        button("unreviewable", "Unreviewable", ":material/help:", "U", Verdict.UNREVIEWABLE)
