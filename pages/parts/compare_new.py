"""A new comparison: what voters decide on, who contends, on which questions."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.calls import filters as bar
from core.datasets import queries as datasets
from core.datasets import sampling
from core.datasets.rules import Kind
from core.errors import GreenroomError
from core.guard import queries as guard
from core.ids import shown
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from core.prompts import queries as prompts
from core.prompts import serving
from core.votes import actions, rules
from core.votes.rules import Entrant, Question
from pages.parts import acting, amounts, compare_list, hostile, play_choice, reads

_TYPED, _CALLS, _DATASET = "Typed here", "Recorded calls", "A dataset"
_DRAWN = "compare_drawn"
_VERSIONS = 3  # of each prompt that are offered; any other is typed


def draw(by: Principal, project: ProjectView) -> None:
    """The form, top to bottom; nothing is asked of a model before it is created."""
    st.button(
        "All comparisons", key="compare_back", icon=":material/arrow_back:", type="tertiary",
        on_click=compare_list.opened, args=("",),
    )  # fmt: skip
    st.title("New comparison", anchor=False)
    name = st.text_input("Name", key="compare_name", max_chars=64, placeholder="Refund answers, November")
    question = st.text_input(
        "What do voters decide on?", "Which answer helps the customer more?", key="compare_question", max_chars=200
    )
    contestants = _contestants(project)
    questions = _questions(by, project)
    with st.expander("Reasons, and whether names are told", icon=":material/tune:"):
        reasons = st.text_area(
            "Reasons a voter can give, one a line", "\n".join(rules.REASONS), key="compare_reasons", height=170
        )
        hides = st.toggle(
            "Keep names hidden until the comparison is closed", key="compare_hides",
            help="Else each voter is told after their vote, and does not get an answer again that they know. Hidden, "
            "one person can judge every pair of answers.",
        )  # fmt: skip
    if contestants is not None and any(serving.asked(one.model) is None for one in contestants):
        questions = _in_words(questions)
    if contestants is not None and questions:
        count = len(contestants) * len(questions)
        st.caption(
            f"{amounts.count(count, 'answer')} will be asked for: {amounts.count(len(questions), 'question')}, each to "
            f"{amounts.count(len(contestants), 'contestant')}. Each is a recorded call of this project."
        )
    if not st.button("Create", key="compare_create", icon=":material/check:", type="primary") or contestants is None:
        return
    made = acting.do(
        actions.create, project_id=project.id, name=name, question=question, contestants=contestants,
        questions=questions, reasons=reasons.splitlines(), stays_hidden=hides, by=by, at=clock.now(),
        ids=runtime.current().ids,
    )  # fmt: skip
    if made is not None:
        runtime.current().comparing.wake()
        compare_list.opened(str(made), "answers")
        acting.tell("The answers are being made.")


def _contestants(project: ProjectView) -> list[Entrant] | None:
    """Who contends; None where what was typed cannot be read."""
    chosen = st.multiselect(
        "Contestants", [*_versions(project), *play_choice.names(runtime.current().catalog)], key="compare_contestants",
        max_selections=rules.MOST, placeholder="Models, aliases, versions of prompts",
        format_func=lambda one: hostile.line(str(one), longest=80),
    )  # fmt: skip
    typed = st.text_area(
        "More contestants, one a line, with parameters", key="compare_typed", height=68,
        placeholder="builtin/tiny temperature=0.2 max_tokens=200",
        help="After the model: " + ", ".join(rules.PARAMETERS) + ". A prompt is named prompt:name@3.",
    )  # fmt: skip
    try:
        return [Entrant(one[:64], one) for one in chosen] + rules.typed_entrants(typed)
    except GreenroomError as error:
        acting.show(error)
        return None


def _versions(project: ProjectView) -> list[str]:
    found = reads.fresh(prompts.prompts, project_ids=(project.id,), limit=50)
    return [
        f"prompt:{row.name}@{number}"
        for row in found
        for number in range(row.newest, max(0, row.newest - _VERSIONS), -1)
    ]


def _questions(by: Principal, project: ProjectView) -> list[Question]:
    sources = [_TYPED]
    if by.may(Permission.CALLS_READ, project.id):
        sources.append(_CALLS)
    if by.may(Permission.DATASET_READ, project.id):
        sources.append(_DATASET)
    source = st.segmented_control("Questions", sources, key="compare_source", default=_TYPED, required=True)
    if source == _CALLS:
        found = _of_calls(project)
    elif source == _DATASET:
        found = _of_dataset(project)
    else:
        text = st.text_area(
            "One question a line", key="compare_questions", height=150, placeholder="How do I get a refund?"
        )
        return rules.typed(text)
    if st.toggle(
        "Leave out their instructions", True, key="compare_plain",
        help="System messages are not sent: each contestant brings its own, or none.",
    ):  # fmt: skip
        found = [rules.without_instructions(one) for one in found]
    usable = [one for one in found if rules.is_usable(one)]
    st.caption(
        f"{amounts.count(len(usable), 'question')}."
        + (
            f" {len(found) - len(usable)} passed over: with pictures, tools, or nothing asked."
            * (len(usable) < len(found))
        )
    )
    return usable


def _in_words(given: list[Question]) -> list[Question]:
    """Without those that only fill a prompt: a model would have nothing to answer."""
    kept = [one for one in given if one.messages]
    if bare := len(given) - len(kept):
        st.caption(
            f"{bare} of them only {'fills' if bare == 1 else 'fill'} a prompt, and stay out: a model contends without "
            "one."
        )
    return kept


def _of_calls(project: ProjectView) -> list[Question]:
    """A sample of recorded calls; masked ones never."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Which calls", "since:7d status:ok", key="compare_calls", icon=":material/search:",
            help="As in Calls. Calls with private words are left out.",
        )  # fmt: skip
        count = st.number_input("How many", 1, rules.MOST_QUESTIONS, 30, key="compare_count", width=140)
        seed = st.text_input("Seed", "1", key="compare_seed", max_chars=40, width=120)
        pressed = st.button("Draw", key="compare_draw", icon=":material/casino:")
    if pressed:
        st.session_state[_DRAWN] = _sample(project, text, int(count), seed)
    kept: tuple[int, list[Question]] = st.session_state.get(_DRAWN, (0, []))
    return kept[1] if kept[0] == project.id else []


def _sample(project: ProjectView, text: str, count: int, seed: str) -> tuple[int, list[Question]]:
    try:
        sample = reads.fresh(
            sampling.draw, bar.parse(text), kind=Kind.ITEM, count=count, seed=seed, project_ids=(project.id,),
            at=clock.now(), private=guard.private,
        )  # fmt: skip
    except GreenroomError as error:
        acting.show(error)
        return project.id, []
    if sample.private:
        st.caption(f":material/visibility_off: {amounts.count(sample.private, 'call')} with private words left out.")
    found = [Question(tuple(entry.example.input["messages"]), shown("call", one)) for one, entry in sample.picks]
    return project.id, found


def _of_dataset(project: ProjectView) -> list[Question]:
    known = {row.id: row.name for row in reads.fresh(datasets.datasets, project_ids=(project.id,))}
    if not known:
        st.caption("There is no dataset in this project yet.")
        return []
    chosen = st.selectbox(
        "Dataset", list(known), key="compare_dataset", format_func=lambda one: hostile.line(known[one])
    )
    page = reads.fresh(
        datasets.items, dataset_id=chosen, project_ids=(project.id,), kind=Kind.ITEM, limit=rules.MOST_QUESTIONS
    )
    return [
        Question(tuple(row.input.get("messages") or ()), shown("ex", row.key), dict(row.input.get("variables") or {}))
        for row in page.rows
    ]
