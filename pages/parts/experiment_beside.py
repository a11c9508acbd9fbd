"""Two variants compared: the sentence, scorer by scorer how far apart and how sure, and the examples behind it."""

from __future__ import annotations

import streamlit as st

from core.evals import across
from core.evals.across import PAIRWISE, Held, Side
from core.evals.comparing import Beside, Comparison
from core.experiments import queries
from core.experiments.queries import RunView, Summed
from core.people.rules import Principal
from pages.parts import (
    amounts,
    experiment_examples,
    experiment_scores,
    experiment_sides,
    hostile,
    moments,
    reads,
    tabs,
)

LISTS = {"better": "Better", "worse": "Worse", "same": "The same", "left_out": "Left out"}
_PER_PAGE = 10


def draw(row: RunView, by: Principal) -> None:
    """The choice of two, then everything between them."""
    sides = experiment_sides.choose(row)
    if sides is None:
        return
    told = held(*sides)
    found = told.comparison
    if sides[0].run.id != row.id:
        _between(sides, told)
    if not found.scorers:
        st.info("No scorer has said anything of both yet.", icon=":material/hourglass_empty:")
        return
    with st.container(border=True, key="experiment_verdict"):
        st.markdown(f"#### {hostile.sentence(found.sentence)}")
        chosen = _scorer(found)
        st.caption(f"{hostile.label(chosen.scorer)}: {hostile.sentence(chosen.needed.sentence)}")
        st.caption(hostile.sentence(f"A difference is that of {found.other} less that of {found.one}."))
    _table(found)
    if sides[0].run.id == row.id:
        _preferences(row, *(side.letter for side in sides))
    _lists(sides, by, chosen)


def held(one: Side, other: Side) -> Held:
    """The comparison; kept until any sum is another: cells ended, people decided."""
    sums = [reads.fresh(queries.summed, side.run.id, project_ids=(side.run.project_id,)) for side in (one, other)]
    return _held(one, other, tuple(sums))


def _mark(side: Side) -> tuple[int, str, str]:
    return side.run.id, side.letter, side.name


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs={Side: _mark})
def _held(one: Side, other: Side, sums: tuple[tuple[Summed, ...], ...]) -> Held:
    del sums
    return reads.fresh(across.held, one, other, project_ids=(one.run.project_id,))


def _between(sides: tuple[Side, Side], told: Held) -> None:
    """What two runs do not share, and so is not compared."""
    for side in sides:
        st.caption(
            f"**{hostile.sentence(side.name)}**: {hostile.label(side.run.arm(side.letter).label, longest=120)}, "
            f"version {side.run.dataset_version} of the examples, {moments.short(side.run.created_at)}"
        )
    left = [f"{hostile.label(name)}: {hostile.sentence(why)}" for name, why in told.left_out]
    if told.changed:
        left.append(f"{amounts.count(told.changed, 'example')}: asked or expected differently in the other version")
    if told.unmatched:
        left.append(f"{amounts.count(told.unmatched, 'example')}: in one of the runs only")
    if left:
        st.caption("Not compared. " + "; ".join(left) + ".")


def _table(found: Comparison) -> None:
    rows: dict[str, list[str]] = {
        "": [], f"**{found.one}**": [], f"**{found.other}**": [], "Difference": [], "95 % interval": [], "p": [],
        "Better, worse, same": [],
    }  # fmt: skip
    for each in found.scorers:
        unit, gap = each.unit, each.difference
        rows[""].append(hostile.label(each.scorer))
        for letter, mean in zip((found.one, found.other), each.means, strict=True):
            rows[f"**{letter}**"].append("–" if mean is None else _text(experiment_scores.value(mean, unit)))
        rows["Difference"].append("–" if gap is None else _signed(gap.value, unit))
        sure = gap is not None and gap.low is not None and gap.high is not None
        rows["95 % interval"].append(
            f"{_signed(gap.low or 0.0, unit)} to {_signed(gap.high or 0.0, unit)}" if gap is not None and sure else "–"
        )
        rows["p"].append(_p(each))
        counts = (each.changes.better, each.changes.worse, each.changes.same)
        rows["Better, worse, same"].append(", ".join(amounts.count(len(one)) for one in counts))
    st.table(rows, border="horizontal", alt="The two variants beside each other, by scorer")
    with st.expander("How this was calculated", icon=":material/functions:"):
        st.caption(
            "Both variants answered the same examples, and each example is compared with itself. One that was asked "
            "several times counts as one (standard errors by cluster, Miller 2024). p says how often chance alone "
            "would show a difference as large; where there are several scorers it is adjusted for their number (Holm "
            "1979). Where every example differs by the same amount there is no interval, and p is the sign test's "
            "(Dixon and Mood 1946)."
        )
        if clusters := max(each.clusters for each in found.scorers):
            st.caption(
                "Turns of one conversation, and examples of one group (a tag group:…), are alike: they form "
                f"{clusters:,} independent clusters, and errors are clustered by them. Tests that take every example "
                "for its own are left out."
            )
        for each in found.scorers:
            for line in _checked(each, found):
                st.caption(f"**{hostile.label(each.scorer)}** {line}")


def _checked(each: Beside, found: Comparison) -> list[str]:
    """What other ways of calculating say of a scorer's difference."""
    said = []
    if each.test is not None and each.rate is not None and each.passes is not None:
        rate = each.rate
        said.append(
            f"{found.other} passes {_often(rate.value)} {found.one} (95 % interval {_points(rate.low)} to "
            f"{_points(rate.high)} points, Newcombe 1998); p {_short(each.test.mid)} by McNemar's test (mid-p, "
            "Fagerland 2013)."
        )
    if each.drawn is not None:
        low, high = _signed(each.drawn.low, each.unit), _signed(each.drawn.high, each.unit)
        said.append(f"Drawing the examples again and again (bootstrap) gives {low} to {high}.")
    return said


def _often(rate: float) -> str:
    """How much more or less often one passes than the other."""
    points = f"{abs(100 * rate):.1f}"
    return "as often as" if points == "0.0" else f"{points} points {'more' if rate > 0 else 'less'} often than"


def _points(rate: float) -> str:
    return f"{_sign(rate)}{abs(100 * rate):.1f}"


def _preferences(row: RunView, one: str, other: str) -> None:
    """How to read the lines of judges that compared two answers."""
    names = [str(s["name"]) for s in row.scorers if s["kind"] == PAIRWISE]
    if not names:
        return
    first, listed = row.arms[0].letter, hostile.sentence(" and ".join(names))
    if first in (one, other):
        st.caption(f"{listed}: the share of direct comparisons each variant won; a tie counts half.")
    else:
        st.caption(f"{listed} compared every variant with {first} only: choose {first} to see what was preferred.")


def _lists(sides: tuple[Side, Side], by: Principal, chosen: Beside) -> None:
    """The examples that got better, worse, stayed, or were left out, each with both answers and what differs."""
    counts = {name: len(getattr(chosen.changes, name)) for name in LISTS}
    views = {name: f"{words} ({counts[name]})" for name, words in LISTS.items()}
    first = next((name for name in LISTS if counts[name]), "")  # no empty list while another says something
    shown = tabs.draw("list", views, label="Examples", first=first)
    keys = [chosen.keys[place] for place in getattr(chosen.changes, shown)]
    start = min(int(st.session_state.get(experiment_sides.FROM, 0)), max(len(keys) - 1, 0))
    page = keys[start : start + _PER_PAGE]
    if not page:
        st.caption("None.")
        return
    experiment_examples.draw(sides, page, by)
    with st.container(horizontal=True):
        if start:
            st.button("Back", key="experiment_list_back", on_click=_turn, args=(max(start - _PER_PAGE, 0),))
        if start + _PER_PAGE < len(keys):
            st.button("More", key="experiment_list_more", on_click=_turn, args=(start + _PER_PAGE,))


def _scorer(found: Comparison) -> Beside:
    names = [each.scorer for each in found.scorers]
    asked = st.query_params.get("scorer", "")
    moved = next((each.scorer for each in found.scorers if each.changes.better or each.changes.worse), names[0])
    now = asked if asked in names else moved
    if st.session_state.get("experiment_scorer") != now:
        st.session_state["experiment_scorer"] = now
    if len(names) > 1:
        st.selectbox(
            "Examples by", names, key="experiment_scorer", on_change=experiment_sides.chosen,
            args=("experiment_scorer", "scorer"), width=260,
        )  # fmt: skip
    return next(each for each in found.scorers if each.scorer == now)


def _turn(start: int) -> None:
    st.session_state[experiment_sides.FROM] = start


def _p(each: Beside) -> str:
    p = each.adjusted_p if each.adjusted_p is not None else each.difference.p if each.difference else None
    return "–" if p is None else _short(p)


def _short(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _signed(value: float, unit: str) -> str:
    told = experiment_scores.value(abs(value), unit)
    is_nothing = told.startswith("<") or not any(digit in told for digit in "123456789")
    return _text(told if is_nothing else _sign(value) + told)


def _sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else ""


def _text(words: str) -> str:
    return words.replace("$", "\\$")
