"""Who is ahead, how surely, and what must be said beside it: points, ranks, who beats whom, the next pair, voters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pandas as pd
import streamlit as st

from core import ids
from core.people import queries as people
from core.people.rules import Permission, Principal
from core.prompts import serving
from core.statistics import pairing, pairwise, voters
from core.statistics.pairwise import Ranking
from core.statistics.proportions import Estimate
from core.statistics.votes import Vote, table
from core.votes import queries, rules, sums
from core.votes.queries import ComparisonView
from pages.parts import (
    actors,
    amounts,
    charts,
    choosing,
    compare_charts,
    compare_vote,
    hostile,
    moments,
    numbers,
    reads,
    states,
)
from pages.parts.links import PROMPTS

_NAMED, _ONE, _OTHER, _OLDER = "named", "one", "other", "older"
_SHOWN = 10
T = TypeVar("T")


def draw(row: ComparisonView, by: Principal) -> None:
    """The whole board; for voters only once names may be known."""
    leads = by.may(Permission.COMPARE_CHANGE, row.project_id)
    if not row.shows_names and not leads:
        st.info("Names stay hidden until this comparison is closed.", icon=":material/visibility_off:")
        return
    if not row.votes:
        states.empty("There are no votes yet.", "The first votes show here who is ahead, and how surely.")
        return
    is_out = st.toggle(
        "Leave out pairs in which an answer names a model", st.query_params.get(_NAMED) == "out",
        key="compare_named", on_change=_toggled,
        help="Voters of such a pair may have known whose answer it was. The search is by names of models and vendors.",
    )  # fmt: skip
    key = (row.id, row.votes, is_out)
    every = _kept("compare_counted", key, lambda: _counted(row, with_named=not is_out))
    without = _without(every, row) if leads else ()
    votes = [vote for vote in every if vote.voter not in without]
    names, are_all = [one.name for one in row.contestants], not (is_out or without)
    found = _kept("compare_ranked", (*key, without), lambda: pairwise.ranking(votes, names, are_all=are_all))
    _standings(found)
    for note in found.notes:
        st.warning(hostile.sentence(note), icon=":material/info:")
    if are_all:
        _next(row, votes)
    _promote(row, found, by)
    _matrix(row, found, votes)
    _behind(row, by)
    if leads:
        _habits(row)


def _without(votes: Sequence[Vote], row: ComparisonView) -> tuple[str, ...]:
    """Whose votes are left out of the picture: whoever was too fast, say."""
    marks = sorted({vote.voter for vote in votes})
    if len(marks) < 2:
        return ()
    known = reads.fresh(people.names, marks)
    names = choosing.apart({mark: hostile.line(actors.name(mark, known)) for mark in marks})
    return tuple(
        st.multiselect(
            "Leave out the votes of", marks, key=f"compare_without_{row.id}", format_func=names.__getitem__,
            placeholder="Nobody", help="They stay on record, and come back when you take the name away.",
        )
    )  # fmt: skip


def _kept(name: str, key: tuple[object, ...], made: Callable[[], T]) -> T:
    """What was made last under this name, or made anew where its key is another; votes stay, so the same number of them
    is the same picture."""
    kept = st.session_state.get(name)
    if kept is None or kept[0] != key:
        kept = st.session_state[name] = (key, made())
    return kept[1]


def _counted(row: ComparisonView, *, with_named: bool) -> list[Vote]:
    """The votes, voter by voter."""
    names = {one.id: one.name for one in row.contestants}
    return sums.with_names(reads.fresh(sums.by_voter, row.id, with_named=with_named), names)


def _standings(found: Ranking) -> None:
    counted = f"{amounts.count(found.votes, 'vote')} of {amounts.count(found.voters, 'voter')}"
    st.caption(f"{counted}, {found.ties} tied, {found.both_bad} both bad.")
    if any(one.points is not None for one in found.standings):
        charts.draw(
            compare_charts.points(found.standings), key="compare_points", alt=compare_charts.say_points(found.standings)
        )
    apart = len({one.group for one in found.standings}) > 1
    st.dataframe(
        pd.DataFrame(
            {
                **({"Group": [one.group + 1 for one in found.standings]} if apart else {}),
                "Rank": [one.rank for one in found.standings],
                "Contestant": [hostile.line(one.name) for one in found.standings],
                "Points": [_points(one.points) for one in found.standings],
                "Expected to win": [_share(one.win_share) for one in found.standings],
                "Votes": [one.votes for one in found.standings],
            }
        ),
        hide_index=True,
        key="compare_standings",
        alt=compare_charts.say_points(found.standings),
    )
    st.caption(
        "Points by the model of Bradley and Terry, 1000 on average, 400 more are odds of ten to one; a tie is half a "
        "win. A rank is one more than how many are clearly better: whose interval begins above this one's end. The "
        "intervals allow for voters who differ."
    )


def _next(row: ComparisonView, votes: Sequence[Vote]) -> None:
    able = reads.fresh(sums.answering, row.id)
    best = pairing.next_pair(votes, [one.name for one in row.contestants if one.id in able], draw=0.0)
    if best is not None and row.is_open:
        st.markdown(
            f":material/tips_and_updates: A vote on **{hostile.label(best.one)}** against "
            f"**{hostile.label(best.other)}** would teach most now."
        )


def _promote(row: ComparisonView, found: Ranking, by: Principal) -> None:
    """The way to production, for a version of a prompt that is clearly better than every other contestant."""
    first = [one for one in found.standings if one.rank == 1]
    if len(first) != 1 or len({one.group for one in found.standings}) > 1:
        return
    best = next(one for one in row.contestants if one.name == first[0].name)
    wanted = serving.asked(best.model) if not best.parameters else None
    if wanted is not None and wanted.number is not None and by.may(Permission.PROMPT_READ, row.project_id):
        st.page_link(
            PROMPTS, label=f"Put {hostile.label(first[0].name)} in production", icon=":material/rocket_launch:",
            query_params={
                "prompt": wanted.name, "view": "labels", "to": str(wanted.number),
                "evidence": ids.shown(rules.MARK, row.id),
            },
        )  # fmt: skip


def _matrix(row: ComparisonView, found: Ranking, votes: Sequence[Vote]) -> None:
    st.subheader("Who beats whom", anchor=False)
    has_words = len(row.contestants) <= compare_charts.WORDS_UP_TO
    st.caption(
        "Wins of the row against the column, in percent; a tie is half a win, n is how many votes." if has_words else
        "Green: the row wins more often than it loses against the column; violet: less. A click shows the pairs."
    )  # fmt: skip
    best = {one.name: place for place, one in enumerate(found.standings)}
    cells = sorted(table(votes, best), key=lambda line: best[line[0].one])
    cells = [sorted(line, key=lambda cell: best[cell.other]) for line in cells]
    figure = compare_charts.matrix(cells, is_light=st.context.theme.type == "light")
    picked = charts.draw(figure, key="compare_matrix", alt=compare_charts.say_matrix(cells), picks=True)
    if picked:
        at, to = divmod(picked[0], len(cells))
        numbers = {one.name: one.id for one in row.contestants}
        if at != to and st.session_state.get("compare_picked") != picked[0]:
            st.query_params[_ONE] = str(numbers[cells[at][to].one])
            st.query_params[_OTHER] = str(numbers[cells[at][to].other])
        st.session_state["compare_picked"] = picked[0]
    if not has_words:
        with st.expander("The same in numbers", icon=":material/table:"):
            st.caption("Wins of the row against the column, in percent; a tie is half a win, n is how many votes.")
            st.dataframe(
                compare_charts.numbers(cells),
                key="compare_numbers",
                hide_index=True,
                alt=compare_charts.say_matrix(cells),
            )
    alike = reads.fresh(sums.identical, row.id)
    names = {one.id: hostile.label(one.name) for one in row.contestants}
    told = [
        f"{names[low]} and {names[high]} to {amounts.count(count, 'question')}"
        for (low, high), count in sorted(alike.items(), key=lambda one: -one[1])[:6]
    ]
    if told:
        st.caption(
            f"The same answer was given by {'; by '.join(told)}. Such pairs are put before nobody and are not in these "
            "numbers: they compare answers that differ."
        )


def _behind(row: ComparisonView, by: Principal) -> None:
    """The pairs behind a cell, or the newest ones."""
    st.subheader("Pairs", anchor=False)
    names = {str(one.id): one.name for one in row.contestants}
    options = ["", *names]
    with st.container(horizontal=True):
        for param, label in ((_ONE, "Contestant"), (_OTHER, "Against")):
            now = st.query_params.get(param, "")
            key = f"compare_{param}"
            st.session_state[key] = now if now in names else ""
            st.selectbox(
                label, options, key=key, on_change=_chosen, args=(param, key), width=260,
                format_func=lambda one: hostile.line(names[one]) if one else "Anybody",
            )  # fmt: skip
    one, other = st.query_params.get(_ONE, ""), st.query_params.get(_OTHER, "")
    cell = (int(one), int(other)) if one in names and other in names and one != other else None
    before = numbers.read(st.query_params.get(_OLDER, ""), numbers.MOMENT)
    found = reads.fresh(
        queries.voted, comparison=row, by=by, cell=cell, limit=_SHOWN + 1, before=before,
    )  # fmt: skip
    known = reads.fresh(people.names, [pair.voter for pair in found])
    if row.is_open and not by.may(Permission.COMPARE_CHANGE, row.project_id):
        st.caption("While it is open you read your own votes: others' would tell whose answers you have yet to judge.")
    for pair in found[:_SHOWN]:
        who = hostile.line(actors.name(pair.voter, known, you=by.actor))
        asked = hostile.line(rules.said(pair.messages, pair.variables), longest=60)
        head = f"{who}: {compare_vote.SAID[pair.choice]}. {asked}"
        with st.expander(hostile.sentence(head)):
            st.caption(f"{moments.exact(pair.at)}{'' if pair.seconds is None else _took(pair.seconds)}")
            compare_vote.asked_plain(pair.messages, pair.variables)
            compare_vote.revealed(pair, row, by, keys=f"{pair.id}_")
            if pair.reasons:
                st.caption("Reasons: " + ", ".join(hostile.label(reason) for reason in pair.reasons))
            if pair.comment:
                hostile.text(pair.comment)
    if not found:
        st.caption("No pair of these two was voted on.")
    with st.container(horizontal=True):
        if before:
            st.button("Newest", key="compare_newest", on_click=_go, args=("",))
        if len(found) > _SHOWN:
            st.button("Older", key="compare_older", on_click=_go, args=(str(found[_SHOWN - 1].id),))


def _took(seconds: float) -> str:
    return f", after {amounts.duration(seconds * 1000)}"


def _habits(row: ComparisonView) -> None:
    votes = reads.fresh(sums.newest, row.id)
    rows = voters.habits(votes)
    known = reads.fresh(people.names, [one.voter for one in rows])
    names = {one.voter: hostile.line(actors.name(one.voter, known)) for one in rows}
    st.subheader("Voters", anchor=False)
    for one in rows:
        if said := [f"is {flag}" if flag is voters.Flag.TOO_FAST else f"takes {flag}" for flag in one.flags]:
            st.warning(f"{hostile.sentence(names[one.voter])} {' and '.join(said)}.", icon=":material/flag:")
    st.dataframe(
        pd.DataFrame(
            {
                "Voter": [names[one.voter] for one in rows],
                "Votes": [one.n for one in rows],
                "Half within": [
                    amounts.duration(None if one.median_s is None else one.median_s * 1000) for one in rows
                ],
                "Took A": [_share(one.left) + (" (leans)" if one.leans else "") for one in rows],
                "Ties": [_share(one.ties) for one in rows],
                "As most others": [_share(one.agreement) for one in rows],
            }
        ),
        hide_index=True,
        key="compare_voters",
        alt=f"The habits of {amounts.count(len(rows), 'voter')}.",
    )
    least = f"The newest {sums.MOST_HABITS:,} votes are looked at. " if len(votes) == sums.MOST_HABITS else ""
    st.caption(
        f"{least}Sides are drawn, so half of the votes for one side are expected to be for A. A flag is a question to "
        "ask, not a verdict."
    )


def _points(found: Estimate | None) -> str:
    return "–" if found is None else f"{found.value:.0f} ({found.low:.0f} to {found.high:.0f})"


def _share(found: Estimate | None) -> str:
    if found is None:
        return "–"
    return f"{amounts.percent(found.value)} ({amounts.percent(found.low)} to {amounts.percent(found.high)})"


def _toggled() -> None:
    if st.session_state["compare_named"]:
        st.query_params[_NAMED] = "out"
    else:
        st.query_params.pop(_NAMED, None)


def _chosen(param: str, key: str) -> None:
    st.query_params.pop(_OLDER, None)
    if st.session_state[key]:
        st.query_params[param] = st.session_state[key]
    else:
        st.query_params.pop(param, None)


def _go(before: str) -> None:
    if before:
        st.query_params[_OLDER] = before
    else:
        st.query_params.pop(_OLDER, None)
