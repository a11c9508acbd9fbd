"""What speaks for a version of a prompt: runs, votes and live tests, each with what it came to in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from core import ids
from core.errors import NotFound
from core.evals.across import Side
from core.experiments import queries as experiments
from core.experiments.queries import RunView
from core.experiments.rules import State
from core.people.rules import Permission, Principal
from core.prompts import serving
from core.prompts.releases import MOST_EVIDENCE
from core.prompts.views import PromptView
from core.statistics import pairwise
from core.trials import queries as trials
from core.trials import rules as trial_rules
from core.trials.promoting import EVIDENCE
from core.trials.queries import TrialView
from core.votes import queries as votes
from core.votes import sums
from core.votes.queries import ComparisonView
from core.votes.rules import MARK
from pages.parts import amounts, choosing, experiment_beside, hostile, reads, trial_detail
from pages.parts.links import COMPARE, EXPERIMENTS, TESTS

_TESTS = 100
T = TypeVar("T")


def choose(row: PromptView, number: int, named: str, by: Principal) -> list[str]:
    """What somebody names for a version: runs and live tests it was in, `named` by a link first, or anything typed."""
    known = {
        ids.shown("exp", run.id): run.name
        for run, arm in reads.fresh(experiments.of_prompt, row.id, project_ids=(row.project_id,))
        if arm.number == number
    }
    if by.may(Permission.COMPARE_READ, row.project_id):
        contends = f"{serving.PREFIX}{row.name}@{number}"
        for one, name in reads.fresh(votes.voted_on, contends, project_ids=(row.project_id,)).items():
            known[ids.shown(MARK, one)] = f"votes: {name}"
    if by.may(Permission.TRIAL_READ, row.project_id):
        for test in reads.fresh(trials.trials, project_ids=(row.project_id,), limit=_TESTS):
            if test.started_at is not None and _arm_of(test, row, number) is not None:
                known[f"{EVIDENCE}{test.name}"] = f"{EVIDENCE}{test.name}"
    offered = [*known, *([named] if named and named not in known else [])]
    told = choosing.apart({one: known.get(one, one) for one in offered})
    return st.multiselect(
        "What speaks for it", offered, [named] if named else [], key=f"prompt_move_evidence_{row.id}_{number}",
        format_func=lambda one: told.get(str(one), str(one)), accept_new_options=True,
        max_selections=MOST_EVIDENCE, placeholder="An experiment, votes, a live test, or a link to something else",
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
        elif (number := ids.read(MARK, said)) is not None:
            _votes(number, row, before, after, by)
        elif said.startswith(EVIDENCE):
            _test(said, row, after, by)
        else:
            st.caption(f"What speaks for it: {hostile.sentence(said)}")


def _piece(what: str, permission: Permission, read: Callable[[], T | None], row: PromptView, by: Principal) -> T | None:
    """What was named, where this person may read it and it is there; else a sentence instead of it."""
    if not by.may(permission, row.project_id):
        st.caption(f"There is {what} that speaks for it; your role may not read it.")
        return None
    try:
        found = read()
    except NotFound:
        found = None
    if found is None:
        st.caption(f"There was {what} named that is not there any more.")
    return found


def _run(number: int, row: PromptView, before: int | None, after: int, by: Principal) -> None:
    mine = (row.project_id,)
    run = _piece(
        "an experiment", Permission.EXPERIMENT_READ,
        lambda: reads.fresh(experiments.run, number, project_ids=mine), row, by,
    )  # fmt: skip
    if run is not None:
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


def _votes(number: int, row: PromptView, before: int | None, after: int, by: Principal) -> None:
    mine = (row.project_id,)
    found = _piece(
        "a vote of people", Permission.COMPARE_READ,
        lambda: reads.fresh(votes.comparison, number, project_ids=mine), row, by,
    )  # fmt: skip
    if found is None:
        return
    st.page_link(
        COMPARE, label=f"Votes on {hostile.label(found.name)}", icon=":material/how_to_vote:",
        query_params={"comparison": str(number), "show": "board"},
    )  # fmt: skip
    if found.shows_names or by.may(Permission.COMPARE_CHANGE, row.project_id):
        st.markdown(hostile.sentence(_preferred(found, row, before, after)))
    else:
        st.caption("Names stay hidden until this comparison is closed.")


def _preferred(found: ComparisonView, row: PromptView, before: int | None, after: int) -> str:
    """What people say of the new version against the old one, or where that did not contend, the best of the others."""
    mine = _contestant(found, row, after)
    if mine is None:
        return f"Version {after} did not contend."
    names = {one.id: one.name for one in found.contestants}
    ranking = pairwise.ranking(sums.with_names(reads.fresh(sums.by_voter, found.id), names), names.values())
    best = next((one.name for one in ranking.standings if one.name != mine), None)
    other = (_contestant(found, row, before) if before is not None else None) or best
    gap = ranking.difference(mine, other) if other is not None else None
    counted = f"{amounts.count(ranking.votes, 'vote')} of {amounts.count(ranking.voters, 'voter')}."
    if other is None or gap is None:
        return f"Nothing relates version {after} to another contestant yet; {counted}"
    said = f"“{mine}” to “{other}”: {gap.value:+.0f} points (95 % {gap.low:+.0f} to {gap.high:+.0f}); {counted}"
    if gap.low > 0:
        return f"People prefer {said}"
    return f"People do not prefer {said}" if gap.high < 0 else f"It is not clear whether people prefer {said}"


def _contestant(found: ComparisonView, row: PromptView, number: int) -> str | None:
    """What this version is called in a comparison, where it contends as it is."""
    wanted = f"{serving.PREFIX}{row.name}@{number}"
    return next((one.name for one in found.contestants if one.model == wanted and not one.parameters), None)


def _test(said: str, row: PromptView, after: int, by: Principal) -> None:
    name = said.removeprefix(EVIDENCE)
    found = _piece(
        "a live test", Permission.TRIAL_READ,
        lambda: reads.fresh(trials.named, name, project_id=row.project_id), row, by,
    )  # fmt: skip
    if found is not None:
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
