"""What follows from a run: people vote on its answers without knowing whose they are, a version goes to production."""

from __future__ import annotations

import streamlit as st

from core import clock, ids, runtime
from core.errors import GreenroomError
from core.evals import voting
from core.experiments import queries as experiments
from core.experiments.queries import RunView
from core.experiments.rules import Arm, State
from core.people.rules import Permission, Principal
from core.prompts import queries as prompts
from core.prompts.versions import PRODUCTION
from core.votes import queries as votes
from core.votes.rules import MOST_QUESTIONS
from pages.parts import acting, amounts, hostile, reads
from pages.parts.links import COMPARE, PROMPTS

_QUESTION, _SHOWN = "Which answer helps more?", 3


def draw(row: RunView, by: Principal) -> None:
    """The steps that this person may take; nothing where there is none."""
    arms = _promotable(row, by)
    mine = (row.project_id,)
    is_over = row.done > 0 and row.state is not State.RUNNING
    may_ask = is_over and len(row.arms) > 1 and by.may(Permission.COMPARE_CHANGE, row.project_id)
    may_see = by.may(Permission.COMPARE_READ, row.project_id)
    before = reads.fresh(votes.of_run, row.id, project_ids=mine, limit=_SHOWN) if may_see else ()
    if not (arms or may_ask or before):
        return
    st.subheader("What next", anchor=False)
    for one in before:
        st.page_link(
            COMPARE, label=f"{hostile.label(one.name)}: {amounts.count(one.votes, 'vote')} of people so far",
            icon=":material/how_to_vote:",
            query_params={"comparison": str(one.id), "show": "board"},
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if may_ask:
            _before_people(row, by)
        for arm in arms:
            st.page_link(
                PROMPTS, label=f"Put {arm.letter} in production", icon=":material/rocket_launch:",
                query_params={
                    "prompt": arm.prompt, "view": "labels", "to": str(arm.number),
                    "evidence": ids.shown("exp", row.id),
                },
            )  # fmt: skip


def _before_people(row: RunView, by: Principal) -> None:
    """A blind comparison of the answers that are there."""
    with st.popover("Let people vote on the answers", icon=":material/how_to_vote:", key="experiment_people"):
        st.caption(
            "People see two answers to one question and do not know whose they are. Nothing is asked again: it costs "
            f"nothing. At most {MOST_QUESTIONS} examples are drawn; those with private words stay out."
        )
        offered = _name(row)
        name = st.text_input("Name", offered, key=f"experiment_blind_{offered}", max_chars=64)
        question = st.text_input("What do voters decide on?", _QUESTION, key="experiment_blind_what", max_chars=200)
        hides = st.toggle("Keep names hidden until the comparison is closed", key="experiment_blind_hides")
        if not st.button("Begin", key="experiment_blind_go", type="primary", icon=":material/check:"):
            return
        drawn = reads.fresh(voting.draw, row)  # apart: what is read at length keeps nobody from writing
        made = acting.do(
            voting.put_before_people, row, drawn, name=name, question=question, stays_hidden=hides, by=by,
            at=clock.now(), ids=runtime.current().ids,
        )  # fmt: skip
        if made is not None:
            left = [f"{drawn.private} with private words"] * bool(drawn.private)
            left += [f"{drawn.unusable} with pictures, tools or too few answers"] * bool(drawn.unusable)
            told = f" Left out: {', '.join(left)}." if left else ""
            acting.later(f"People can vote now.{told}", icon=":material/how_to_vote:")
            st.switch_page(COMPARE, query_params={"comparison": str(made), "show": "answers"})


def _name(row: RunView) -> str:
    """One that no comparison of the project has."""
    plain = f"{row.name[:48]}, blind"
    taken = reads.fresh(votes.names, plain, project_ids=(row.project_id,))
    return next(name for n in range(1, len(taken) + 2) if (name := plain if n == 1 else f"{plain} {n}") not in taken)


def _promotable(row: RunView, by: Principal) -> list[Arm]:
    """Variants that are versions of a prompt, and not the one that applications get already."""
    if row.state is not State.DONE or not by.may(Permission.PROMPT_READ, row.project_id):
        return []
    each = row.cells // len(row.arms)
    failed = reads.fresh(experiments.failures, row.id, project_ids=(row.project_id,))
    answered = [arm for arm in row.arms if failed.get(arm.letter, 0) < each]
    return [arm for arm in answered if arm.prompt and arm.number and not _is_production(row, arm)]


def _is_production(row: RunView, arm: Arm) -> bool:
    """Whether applications that ask for the prompt get this version already."""
    try:
        found = reads.fresh(prompts.prompt, arm.prompt_id or 0, project_ids=(row.project_id,))
    except GreenroomError:
        return True  # gone: nothing is left to put anywhere
    return found.labels.get(PRODUCTION) == arm.number
