"""Two variants compared: the sentence, scorer by scorer how far apart and how sure, and the examples behind it."""

from __future__ import annotations

import streamlit as st

from core.calls import queries as calls
from core.datasets import queries as datasets
from core.evals import comparing
from core.evals.comparing import Beside, Comparison
from core.experiments import queries
from core.experiments.queries import RunView, Summed
from core.people.rules import Principal
from core.prompts import answers
from pages.parts import (
    amounts,
    attached,
    call_blind,
    call_private,
    conversation,
    experiment_scores,
    hostile,
    reads,
    review_text,
    tabs,
)

LISTS = {"better": "Better", "worse": "Worse", "same": "The same", "left_out": "Left out"}
PAIRWISE = "pairwise judge"
_PER_PAGE = 10


def draw(row: RunView, by: Principal) -> None:
    """The choice of two, then everything between them."""
    letters = [arm.letter for arm in row.arms]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        one = _choose("Compared with", "one", letters, letters[0], row)
        other = _choose("Variant", "other", letters, next(letter for letter in letters if letter != one), row)
    if one == other:
        st.info("Choose two different variants.", icon=":material/compare_arrows:")
        return
    found = compared(row, one, other)
    if not found.scorers:
        st.info("No scorer has said anything yet.", icon=":material/hourglass_empty:")
        return
    with st.container(border=True, key="experiment_verdict"):
        st.markdown(f"#### {hostile.sentence(found.sentence)}")
        chosen = _scorer(found)
        st.caption(hostile.sentence(chosen.needed.sentence))
    _table(found)
    _preferences(row, one, other)
    _lists(row, by, chosen, one, other)


def compared(row: RunView, one: str, other: str) -> Comparison:
    """The comparison; kept until any sum is another: cells ended, people decided."""
    summed = reads.fresh(queries.summed, row.id, project_ids=(row.project_id,))
    kinds = tuple((str(s["name"]), str(s["kind"]), bool(s.get("negated"))) for s in row.scorers)
    first = row.arms[0].letter
    units = tuple({each.scorer: each.unit for each in summed}.items())
    return _compared(row.id, row.project_id, first, one, other, summed, kinds, units)


@st.cache_data(show_spinner=False, max_entries=64)
def _compared(
    run_id: int,
    project_id: int,
    first: str,
    one: str,
    other: str,
    sums: tuple[Summed, ...],
    kinds: tuple[tuple[str, str, bool], ...],
    units: tuple[tuple[str, str], ...],
) -> Comparison:
    del sums
    known = dict(units)
    found = []
    for name, kind, negated in kinds:
        if name not in known or (kind == PAIRWISE and first not in (one, other)):
            continue
        rows = reads.fresh(queries.values, run_id, name, project_ids=(project_id,), arms=(one, other))
        if kind == PAIRWISE:
            rows = comparing.preferences(rows, first=first, one=one, other=other)
        found.append(comparing.beside(name, kind, rows, one=one, other=other, unit=known[name], negated=negated))
    failed = reads.fresh(queries.failures, run_id, project_ids=(project_id,))
    return comparing.compare(found, one=one, other=other, failed=(failed.get(one, 0), failed.get(other, 0)))


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


def _lists(row: RunView, by: Principal, chosen: Beside, one: str, other: str) -> None:
    """The examples that got better, worse, stayed, or were left out, each with both answers and what differs."""
    counts = {name: len(getattr(chosen.changes, name)) for name in LISTS}
    views = {name: f"{words} ({counts[name]})" for name, words in LISTS.items()}
    first = next((name for name in LISTS if counts[name]), "")  # no empty list while another says something
    shown = tabs.draw("list", views, label="Examples", first=first)
    keys = [chosen.keys[place] for place in getattr(chosen.changes, shown)]
    start = min(int(st.session_state.get("experiment_from", 0)), max(len(keys) - 1, 0))
    page = keys[start : start + _PER_PAGE]
    if not page:
        st.caption("None.")
        return
    examples(row, by, page, one, other)
    with st.container(horizontal=True):
        if start:
            st.button("Back", key="experiment_list_back", on_click=_turn, args=(max(start - _PER_PAGE, 0),))
        if start + _PER_PAGE < len(keys):
            st.button("More", key="experiment_list_more", on_click=_turn, args=(start + _PER_PAGE,))


def examples(row: RunView, by: Principal, keys: list[int], one: str, other: str = "") -> None:
    """Examples with the answers of one or two variants, their scores, and what is different."""
    mine = (row.project_id,)
    wanted = [letter for letter in (one, other) if letter]
    cells = reads.fresh(queries.cells, row.id, project_ids=mine, item_keys=keys, limit=len(keys) * 8 * row.repeats)
    scores = reads.fresh(queries.scores, row.id, project_ids=mine, item_keys=keys)
    items = reads.fresh(datasets.of_version, row.dataset_id, row.dataset_version, keys, project_ids=mine)
    numbers = [cell.call_id for cell in cells if cell.call_id is not None]
    said = reads.fresh(calls.payloads, numbers, mine)
    hidden = call_private.hidden(numbers, mine)
    blind = call_blind.hidden(numbers, row.project_id, by)
    for key in keys:
        with st.container(border=True, key=f"experiment_item_{key}", gap="small"):
            item = items.get(key)
            if item is not None:
                for message in item.input.get("messages", ())[-1:]:
                    hostile.text(conversation.words_of(message.get("content"))[:2_000])
                    for file in conversation.media_of(message.get("content")):
                        attached.draw(file)
                variables = item.input.get("variables") or {}
                if variables:
                    told = ", ".join(f"{name}: {value}" for name, value in variables.items())
                    st.caption(hostile.sentence(told[:500]))
                if expected := _expected(item.expected):
                    st.caption(f"Expected: {hostile.sentence(expected[:500])}")
            texts: dict[str, str] = {}
            columns = st.columns(len(wanted))
            for column, letter in zip(columns, wanted, strict=True):
                cell = next((c for c in cells if (c.place.item_key, c.place.arm) == (key, letter)), None)
                with column:
                    st.markdown(f"**{letter}**")
                    if cell is None:
                        st.caption("Not asked yet.")
                        continue
                    if cell.error:
                        st.error(hostile.sentence(cell.error), icon=":material/error:")
                    payload = said.get(cell.call_id or 0)
                    why = blind.get(cell.call_id or 0)
                    if why:
                        st.caption(hostile.sentence(" ".join(why)))
                    elif cell.call_id in hidden:
                        st.caption("It has private words: open it in Calls.")
                    elif payload is not None and isinstance(payload.response, dict):
                        texts[letter] = answers.of_completion(payload.response).essence
                        hostile.text(texts[letter][:4_000])
                    for score in scores:
                        # what failed was told once, above
                        if score.place == cell.place and not (cell.error and score.state == "failed"):
                            # a reason quotes the answer
                            _score(score, with_reason=not (why or cell.call_id in hidden))
            if len(texts) == 2 and texts[one] != texts[other]:
                with st.expander(f"What is different from {one} to {other}", icon=":material/difference:"):
                    review_text.diff(texts[one], texts[other])


def _score(score: queries.ScoreView, *, with_reason: bool) -> None:
    icon = ":material/remove:" if score.passed is None else ":material/check:" if score.passed else ":material/close:"
    unit, scale = comparing.shown(score.unit)
    value = "" if score.value is None else f" {experiment_scores.value(score.value * scale, unit)}"
    state = "" if score.state == "scored" else f" ({score.state})"
    reason = f": {hostile.sentence(score.reason[:300])}" if with_reason else ""
    st.caption(f"{icon} {hostile.label(score.scorer)}{_text(value)}{state}{reason}")


def _expected(expected: object) -> str:
    if not isinstance(expected, dict):
        return ""
    return str(expected.get("content") or expected.get("json") or "")


def _scorer(found: Comparison) -> Beside:
    names = [each.scorer for each in found.scorers]
    asked = st.query_params.get("scorer", "")
    moved = next((each.scorer for each in found.scorers if each.changes.better or each.changes.worse), names[0])
    now = asked if asked in names else moved
    if st.session_state.get("experiment_scorer") != now:
        st.session_state["experiment_scorer"] = now
    if len(names) > 1:
        st.selectbox(
            "Examples by", names, key="experiment_scorer", on_change=_chosen, args=("experiment_scorer", "scorer"),
            width=260,
        )  # fmt: skip
    return next(each for each in found.scorers if each.scorer == now)


def _choose(label: str, name: str, letters: list[str], otherwise: str, row: RunView) -> str:
    asked = st.query_params.get(name, "")
    now = asked if asked in letters else otherwise
    key = f"experiment_{name}"
    if st.session_state.get(key) != now:
        st.session_state[key] = now
    st.selectbox(
        label, letters, key=key, on_change=_chosen, args=(key, name), width=360,
        format_func=lambda letter: hostile.line(f"{letter}: {row.arm(letter).label}", longest=60),
    )  # fmt: skip
    return now


def _chosen(key: str, name: str) -> None:
    st.query_params[name] = str(st.session_state[key])
    st.session_state.pop("experiment_from", None)


def _turn(start: int) -> None:
    st.session_state["experiment_from"] = start


def _p(each: Beside) -> str:
    p = each.adjusted_p if each.adjusted_p is not None else each.difference.p if each.difference else None
    return "–" if p is None else _short(p)


def _short(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _signed(value: float, unit: str) -> str:
    return _text(_sign(value) + experiment_scores.value(abs(value), unit))


def _sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else ""


def _text(words: str) -> str:
    return words.replace("$", "\\$")
