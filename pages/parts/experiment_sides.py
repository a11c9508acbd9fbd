"""Which two variants are held against each other: of one run, or one of each of two runs over the same dataset."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core import ids
from core.errors import GreenroomError
from core.evals import across
from core.evals.across import Side
from core.experiments import queries
from core.experiments.queries import RunView
from pages.parts import hostile, moments, reads

RUN, ONE, OTHER = "with", "one", "other"
FROM = "experiment_from"
"""Which of the examples is the first on the page, in the session."""


def others(row: RunView) -> tuple[RunView, ...]:
    """The runs that this one can be held against."""
    return reads.fresh(across.candidates, row, project_ids=(row.project_id,))


def choose(row: RunView) -> tuple[Side, Side] | None:
    """The choice as the address says it; None, and why, where there is none to make."""
    letters = [arm.letter for arm in row.arms]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        against = _run(row)
        theirs = [arm.letter for arm in against.arms]
        is_own = against.id == row.id
        one = _letter("Compared with" if is_own else "Its variant", ONE, theirs, _first(row, against), against)
        rest = [letter for letter in letters if letter != one] if is_own else letters[-1:]
        other = _letter("Variant" if is_own else "This run's variant", OTHER, letters, rest[0], row)
        st.button(
            "Swap", key="experiment_swap", icon=":material/swap_horiz:", type="tertiary", on_click=_swapped,
            args=(row.id, against.id, one, other), help="Look at it from the other side.",
        )  # fmt: skip
    if (against.id, one) == (row.id, other):
        st.info("Choose two different variants.", icon=":material/compare_arrows:")
        return None
    return named(against, one, row, other)


def named(one_run: RunView, one: str, other_run: RunView, other: str) -> tuple[Side, Side]:
    """The sides with what sentences call them: their letters in one run, else with their runs."""
    if one_run.id == other_run.id:
        return Side(one_run, one, one), Side(other_run, other, other)
    names = [hostile.line(run.name, longest=40) for run in (one_run, other_run)]
    told = [f"“{name}”" for name in names]
    if names[0] == names[1]:
        told = ["the earlier run", "the later run"][:: 1 if one_run.id < other_run.id else -1]
    heads = [f"{letter} of " if len(run.arms) > 1 else "" for run, letter in ((one_run, one), (other_run, other))]
    return Side(one_run, one, heads[0] + told[0]), Side(other_run, other, heads[1] + told[1])


def _first(row: RunView, against: RunView) -> str:
    """The variant to begin with: of another run the one that is the same as this run's last, else its first."""
    last = row.arms[-1]
    same = (arm.letter for arm in against.arms if arm.label == last.label)
    return against.arms[0].letter if against.id == row.id else next(same, against.arms[0].letter)


def _run(row: RunView) -> RunView:
    found = {ids.shown("exp", one.id): one for one in others(row)}
    own = {"": row} if len(row.arms) > 1 else {}
    asked = st.query_params.get(RUN, "")
    if asked and asked not in found and (older := _older(asked, row)) is not None:
        found[asked] = older
    choices = own | found
    now = asked if asked in choices else next(iter(choices))
    if len(choices) > 1 or not own:
        _select(
            "Against the run",
            RUN,
            list(choices),
            now,
            lambda one: _told(choices[one]) if one else "This run",
            width=280,
        )
    return choices[now]


def _older(asked: str, row: RunView) -> RunView | None:
    """A run that is named in the address and not among the newest."""
    try:
        found = reads.fresh(queries.run, ids.read("exp", asked) or 0, project_ids=(row.project_id,))
    except GreenroomError:
        return None
    return found if found.dataset_id == row.dataset_id and found.id != row.id else None


def _told(run: RunView) -> str:
    return f"{hostile.line(run.name, longest=40)}, {moments.short(run.created_at)}"


def _letter(label: str, name: str, letters: list[str], otherwise: str, run: RunView) -> str:
    asked = st.query_params.get(name, "")
    now = asked if asked in letters else otherwise
    _select(
        label, name, letters, now, lambda letter: hostile.line(f"{letter}: {run.arm(letter).label}", longest=60)
    )  # fmt: skip
    return now


def _select(label: str, name: str, options: list[str], now: str, told: Callable[[str], str], width: int = 360) -> None:
    key = f"experiment_{name}"
    if st.session_state.get(key) != now:
        st.session_state[key] = now
    st.selectbox(label, options, key=key, on_change=chosen, args=(key, name), width=width, format_func=told)


def chosen(key: str, name: str) -> None:
    """A field's callback: the address says what was chosen."""
    value = str(st.session_state[key])
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)
    if name == RUN:
        st.query_params.pop(ONE, None)
    st.session_state.pop(FROM, None)


def _swapped(row: int, against: int, one: str, other: str) -> None:
    st.query_params["experiment"] = ids.shown("exp", against)
    if row != against:
        st.query_params[RUN] = ids.shown("exp", row)
    st.query_params[ONE], st.query_params[OTHER] = other, one
    st.session_state.pop(FROM, None)
