"""What speaks for a version of a prompt: runs and live tests by name, each with what it came to, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import ids
from core.errors import GreenroomError
from core.evals.across import Side
from core.experiments import queries as experiments
from core.experiments.queries import RunView
from core.experiments.rules import State
from core.people.rules import Permission, Principal
from core.prompts.releases import MOST_EVIDENCE
from core.prompts.views import PromptView
from core.trials import queries as trials
from core.trials import rules as trial_rules
from core.trials.promoting import EVIDENCE
from core.trials.queries import TrialView
from pages.parts import choosing, experiment_beside, hostile, reads, trial_detail
from pages.parts.links import EXPERIMENTS, TESTS

_TESTS = 100


def choose(row: PromptView, number: int, named: str, by: Principal) -> list[str]:
    """What somebody names for a version: runs and live tests it was in, `named` by a link first, or anything typed."""
    known = {
        ids.shown("exp", run.id): run.name
        for run, arm in reads.fresh(experiments.of_prompt, row.id, project_ids=(row.project_id,))
        if arm.number == number
    }
    if by.may(Permission.TRIAL_READ, row.project_id):
        for test in reads.fresh(trials.trials, project_ids=(row.project_id,), limit=_TESTS):
            if test.started_at is not None and _arm_of(test, row, number) is not None:
                known[f"{EVIDENCE}{test.name}"] = f"{EVIDENCE}{test.name}"
    offered = [*known, *([named] if named and named not in known else [])]
    told = choosing.apart({one: known.get(one, one) for one in offered})
    return st.multiselect(
        "What speaks for it", offered, [named] if named else [], key=f"prompt_move_evidence_{row.id}_{number}",
        format_func=lambda one: told.get(str(one), str(one)), accept_new_options=True,
        max_selections=MOST_EVIDENCE, placeholder="An experiment, a live test, or a link to something else",
        help="Whoever decides sees it beside what changes.",
    )  # fmt: skip


def draw(evidence: Sequence[str], row: PromptView, before: int | None, after: int, by: Principal) -> None:
    """Each piece, with its result where it is known here."""
    told = [one for one in evidence if one]
    if not told:
        st.caption("Nothing was named that speaks for it.")
    for said in told:
        number = ids.read("exp", said)
        if number is not None:
            _run(number, row, before, after, by)
        elif said.startswith(EVIDENCE):
            _test(said, row, after, by)
        else:
            st.caption(f"What speaks for it: {hostile.sentence(said)}")


def _run(number: int, row: PromptView, before: int | None, after: int, by: Principal) -> None:
    if not by.may(Permission.EXPERIMENT_READ, row.project_id):
        st.caption("An experiment speaks for it that your role may not read.")
        return
    try:
        run = reads.fresh(experiments.run, number, project_ids=(row.project_id,))
    except GreenroomError:
        st.caption("The experiment that was named is not there.")
        return
    st.page_link(
        EXPERIMENTS, label=f"Experiment {hostile.label(run.name)}", icon=":material/experiment:",
        query_params={"experiment": ids.shown("exp", number)},
    )  # fmt: skip
    st.markdown(hostile.sentence(_result(run, row, before, after)))


def _result(run: RunView, row: PromptView, before: int | None, after: int) -> str:
    """What the run says of the two versions; of the new one against another variant where the old was not in it."""
    letters = {arm.number: arm.letter for arm in reversed(run.arms) if arm.prompt_id == row.id}
    other = letters.get(after)
    if other is None:
        return f"Version {after} was not in it."
    one = letters.get(before) or next((arm.letter for arm in run.arms if arm.letter != other), None)
    if one is None:
        return f"Version {after} alone was in it, so nothing is compared."
    found = experiment_beside.held(Side(run, one, one), Side(run, other, other)).comparison
    so_far = "" if run.state is State.DONE else " It has not ended yet."
    what = f"{one} is {run.arm(one).label}, {other} is {run.arm(other).label}; {run.items:,} examples."
    return f"{found.sentence if found.scorers else 'No scorer has said anything yet.'} {what}{so_far}"


def _test(said: str, row: PromptView, after: int, by: Principal) -> None:
    if not by.may(Permission.TRIAL_READ, row.project_id):
        st.caption("A live test speaks for it that your role may not read.")
        return
    found = reads.fresh(trials.named, said.removeprefix(EVIDENCE), project_id=row.project_id)
    if found is None:
        st.caption("The live test that was named is not there.")
        return
    st.page_link(
        TESTS, label=f"Live test {hostile.label(found.name, longest=130)}", icon=":material/alt_route:",
        query_params={"test": str(found.id)},
    )  # fmt: skip
    st.markdown(hostile.sentence(_found(found, row, after)))


def _found(test: TrialView, row: PromptView, after: int) -> str:
    """What the test says of the version, whichever arm leads."""
    card, number = trial_detail.card_of(test), _arm_of(test, row, after)
    if number is None:
        return f"Version {after} was not in it."
    if card is None:
        return "It has not begun."
    so_far = "" if test.state is trial_rules.State.ENDED else " It has not ended yet."
    what = f"{test.arms[number].name} is version {after}; {card.seen:,} {test.unit.many}."
    return f"{card.of(number).sentence} {what}{so_far}"


def _arm_of(test: TrialView, row: PromptView, number: int) -> int | None:
    """The arm that is this version of the prompt."""
    for place, arm in enumerate(test.arms):
        said = trial_rules.prompt_of(arm.model)
        if said is not None and said.name == row.name and said.number == number:
            return place
    return None
