"""Review queues and what their reviewers are asked, as leads set them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import clock
from core.people.queries import ProjectView
from core.people.rules import Principal
from core.review import queries, rubrics
from core.review.rubrics import RubricRow
from core.review.tables import ReviewQueue
from pages.parts import acting, amounts, hostile, policy_words, reads, states

QUESTIONS_HELP = (
    "A name, then | and what is asked: `Tone | scale 5 | rude | kind`, `Correct? | yes or no`, "
    "`Error | choice | facts, tone`, `Notes | text`."
)


def draw(by: Principal, project: ProjectView, *, may_change: bool) -> None:
    """The queues, and the form for another."""
    rows = reads.fresh(queries.queues, project_ids=(project.id,))
    known = reads.fresh(rubrics.rubrics, project_ids=(project.id,))
    if not rows:
        states.empty("There is no review queue yet.", "Answers wait in a queue until people have decided on them.")
    for row in rows:
        _queue(row, known, by, may_change=may_change)
    if may_change:
        _new(by, project)


def _queue(row: ReviewQueue, known: Sequence[RubricRow], by: Principal, *, may_change: bool) -> None:
    with st.container(border=True, key=f"queue_{row.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(hostile.sentence(row.name), anchor=False, width="content")
            if not row.is_open:
                st.badge("Closed", color="gray")
        people = amounts.count(row.reviewers, "person", plural="people")
        is_part = row.coverage_percent < 100 and row.reviewers > 1
        each = f"{row.coverage_percent} % of answers, one for the others" if is_part else "each answer"
        more = f", up to {row.most_reviewers} while they differ" if row.most_reviewers > row.reviewers else ""
        name = next((one.name for one in known if one.id == row.rubric_id), "")
        tested = f"; {row.gold_percent} % of turns test the reviewer" if row.gold_percent else ""
        st.caption(
            f"{people} for {each}{more}; decided within {policy_words.seconds(row.service_level_s)}; a verdict "
            f"can be taken back for {policy_words.seconds(row.undo_s)}; "
            f"{'asks ' + hostile.label(name) if name else 'asks for the verdict alone'}{tested}."
        )
        if not may_change:
            return
        with st.expander("Change", icon=":material/tune:"), st.form(f"queue_form_{row.id}_{row.version}", border=False):
            unique = f"{row.id}_{row.version}"
            left, right = st.columns(2)
            with left:
                reviewers = st.number_input("People for each answer", 1, 9, row.reviewers, key=f"queue_k_{unique}")
                most = st.number_input("At most, while they differ", 1, 9, row.most_reviewers, key=f"queue_m_{unique}")
                minutes = st.number_input(
                    "Minutes until it should be decided", 1, 43_200, max(1, row.service_level_s // 60),
                    key=f"queue_level_{unique}",
                )  # fmt: skip
                undo = st.number_input(
                    "Seconds a verdict can be taken back", 0, 300, row.undo_s, key=f"queue_undo_{unique}"
                )
            with right:
                lease = st.number_input(
                    "Minutes an answer stays in one person's hands", 1, 60, max(1, row.lease_s // 60),
                    key=f"queue_lease_{unique}",
                )  # fmt: skip
                rubric = st.selectbox(
                    "Rubric", [None, *(one.id for one in known)], key=f"queue_rubric_{unique}",
                    index=next((n for n, one in enumerate(known, 1) if one.id == row.rubric_id), 0),
                    format_func=lambda number: next((hostile.line(o.name) for o in known if o.id == number), "None"),
                )  # fmt: skip
                blind = st.toggle(
                    "Independent verdicts", row.is_blind, key=f"queue_blind_{unique}",
                    help="Until they have decided, reviewers see neither the model nor each other's verdicts.",
                )  # fmt: skip
                coverage = st.number_input(
                    "Percent of answers that so many people look at", 0, 100, row.coverage_percent,
                    key=f"queue_coverage_{unique}", help="The others get one person, by chance.",
                )  # fmt: skip
                gold = st.number_input(
                    "Percent of turns that test the reviewer", 0, 50, row.gold_percent, key=f"queue_gold_{unique}",
                    help="Answers whose right verdict is known, marked so in All verdicts, come among the others.",
                )  # fmt: skip
                is_open = st.toggle("Open for new answers", row.is_open, key=f"queue_is_open_{unique}")
            saved = st.form_submit_button("Save", key=f"queue_save_{unique}", type="primary")
        changes = {
            "reviewers": int(reviewers),
            "most_reviewers": int(most),
            "service_level_s": int(minutes) * 60,
            "undo_s": int(undo),
            "lease_s": int(lease) * 60,
            "coverage_percent": int(coverage),
            "gold_percent": int(gold),
            "rubric_id": rubric,
            "is_blind": blind,
            "is_open": is_open,
        }
        if saved and acting.done(
            rubrics.change_queue, queue_id=row.id or 0, expected_version=row.version, changes=changes, by=by,
            at=clock.now(),
        ):  # fmt: skip
            acting.tell("The queue works so from now on.")


def _new(by: Principal, project: ProjectView) -> None:
    turn = st.session_state.get("queue_turn", 0)
    with (
        st.form(f"queue_new_{turn}"),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        name = st.text_input("New queue", key=f"queue_name_{turn}", max_chars=64, placeholder="Answers about refunds")
        reviewers = st.number_input("People for each answer", 1, 9, 1, key=f"queue_new_k_{turn}", width=180)
        made = st.form_submit_button("Open queue", key=f"queue_create_{turn}", icon=":material/add:", type="primary")
    if made and acting.done(
        rubrics.open_queue, project_id=project.id, name=name, by=by, at=clock.now(), reviewers=int(reviewers),
        most_reviewers=max(3, int(reviewers)),
    ):  # fmt: skip
        st.session_state["queue_turn"] = turn + 1
        acting.tell("The queue is open.")


def rubric_board(by: Principal, project: ProjectView, *, may_change: bool) -> None:
    """The rubrics, each as lines of text, and an empty one."""
    known = reads.fresh(rubrics.rubrics, project_ids=(project.id,))
    if not known:
        states.empty(
            "Reviewers are asked for a verdict alone.",
            "A rubric adds questions, reasons to choose from, and the policy they judge by.",
            icon=":material/fact_check:",
        )
    for row in known:
        with st.container(border=True, key=f"rubric_{row.id}"):
            st.subheader(hostile.sentence(row.name), anchor=False)
            st.caption(
                f"Version {row.version}: {amounts.count(len(row.questions), 'question')}, "
                f"{amounts.count(len(row.reasons), 'reason')}."
            )
            if may_change:
                with st.expander("Word it anew", icon=":material/edit:"):
                    _word(by, project, row, f"{row.id}_{row.version}")
    if may_change:
        with st.expander("New rubric", icon=":material/add:", expanded=not known):
            _word(by, project, None, f"new_{st.session_state.get('rubric_turn', 0)}")


def _word(by: Principal, project: ProjectView, row: RubricRow | None, unique: str) -> None:
    questions, reasons = rubrics.as_lines(row) if row is not None else ("", "")
    with st.form(f"rubric_form_{unique}", border=False):
        name = row.name if row is not None else st.text_input("Name", key=f"rubric_name_{unique}", max_chars=64)
        asked = st.text_area(
            "Questions, one a line", questions, key=f"rubric_questions_{unique}", help=QUESTIONS_HELP,
            placeholder="Correct? | yes or no\nTone | scale 5 | rude | kind",
        )  # fmt: skip
        given = st.text_area(
            "Reasons, one a line", reasons, key=f"rubric_reasons_{unique}", placeholder="wrong: states something false"
        )
        policy = st.text_area(
            "Policy that reviewers read beside the answer", row.policy_text if row is not None else "",
            key=f"rubric_policy_{unique}", max_chars=rubrics.LONGEST_POLICY,
        )  # fmt: skip
        saved = st.form_submit_button("Save", key=f"rubric_save_{unique}", type="primary")
    if saved and acting.done(
        rubrics.word_lines,
        project_id=project.id,
        name=name,
        questions=asked,
        reasons=given,
        policy_text=policy,
        by=by,
        at=clock.now(),
    ):
        st.session_state["rubric_turn"] = st.session_state.get("rubric_turn", 0) + 1
        acting.tell("Answers that come in from now on are judged by this wording.")
