"""Points with intervals, and who beats whom: two charts that say in words what they show."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.statistics.pairwise import Standing
from core.statistics.votes import Cell
from pages.parts import amounts, hostile

_AGAINST, _FOR, _EVEN = "rgba(140,84,165,.6)", "rgba(31,140,95,.6)", "rgba(128,140,134,.12)"
_INK = "#0b1611"
WORDS_UP_TO = 8  # contestants; with more, a cell has no room for words
_WIDE_UP_TO = 5  # contestants; with more, words are smaller, so that they fit on a telephone too
_LONGEST, _FIRST, _LINE = 28, 12, 16  # letters of a name; its first line ends after 12 to 16 of them
_BREAKS = " /-_=.:"


def points(standings: Sequence[Standing]) -> go.Figure:
    """One line a contestant: its points, and how far they may be off."""
    known = [(one, one.points) for one in standings if one.points is not None]
    return go.Figure(
        go.Scatter(
            x=[found.value for _, found in known],
            y=[short(one.name) for one, _ in known],
            mode="markers",
            marker={"size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [found.high - found.value for _, found in known],
                "arrayminus": [found.value - found.low for _, found in known],
                "thickness": 2,
                "width": 6,
            },
            customdata=[[found.low, found.high, one.votes] for one, found in known],
            hovertemplate="%{x:.0f} points, %{customdata[0]:.0f} to %{customdata[1]:.0f}, "
            "%{customdata[2]} votes<extra></extra>",
        ),
        {
            "height": 90 + 38 * len(known),
            "margin": {"l": 8, "r": 16, "t": 8, "b": 48},
            "xaxis": {"title": {"text": "points, 95 % interval"}, "fixedrange": True},
            "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True},
        },
    )


def say_points(standings: Sequence[Standing]) -> str:
    """The chart in words."""
    parts = [
        f"{one.name} {one.points.value:.0f} ({one.points.low:.0f} to {one.points.high:.0f})"
        for one in standings
        if one.points is not None
    ]
    return "Points with their 95 % intervals, best first: " + ", ".join(parts) + "."


def matrix(cells: Sequence[Sequence[Cell]], *, is_light: bool = False) -> go.Figure:
    """Each row against each column: the share of wins, a tie half. A point on every cell takes clicks."""
    names = [row[0].one for row in cells]
    is_wide = len(names) <= _WIDE_UP_TO
    told = [[said(cell) for cell in row] for row in cells]
    places = list(range(len(names)))
    heat = go.Heatmap(
        z=[[None if cell.share is None else cell.share.value for cell in row] for row in cells],
        x=places, y=places, zmin=0, zmax=1, showscale=False, xgap=2, ygap=2, hoverinfo="skip",
        colorscale=[[0, _AGAINST], [0.5, _EVEN], [1, _FOR]],
    )  # fmt: skip
    touch = go.Scatter(
        x=places * len(names), y=[place for place in places for _ in names], mode="markers",
        marker={"size": 26, "symbol": "square", "opacity": 0}, hovertext=[one for row in told for one in row],
        hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
    )  # fmt: skip
    # as annotations no selection fades them; the theme's light grey could not be read on a coloured cell
    size = {"size": 12 if is_wide else 10}
    ink = {"font": {"color": _INK, **size} if is_light else size}
    words = [
        {"x": across, "y": down, "text": _cell(cell), "showarrow": False, **ink}
        for down, row in enumerate(cells) for across, cell in enumerate(row)
        if cell.share is not None and len(names) <= WORDS_UP_TO
    ]  # fmt: skip
    axis = {
        "tickmode": "array",
        "tickvals": places,
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "tickfont": size,
    }
    return go.Figure(
        [heat, touch],
        {
            "height": 150 + 48 * len(names),
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "clickmode": "event+select",
            "dragmode": False,
            "annotations": words,
            "xaxis": {
                **axis,
                "ticktext": [two_lines(name) if is_wide else short(name) for name in names],
                "side": "top",
                "automargin": True,
                "tickangle": -90,
                "title": {"text": ""},
            },
            "yaxis": {
                **axis,
                "ticktext": [two_lines(name) for name in names],
                "autorange": "reversed",
                "automargin": True,
                "title": {"text": ""},
            },
        },
    )


def say_matrix(cells: Sequence[Sequence[Cell]]) -> str:
    """The chart in words: each two that met, from the side of who won more."""
    met = [
        cell for row in cells for cell in row
        if cell.share is not None and (cell.share.value, cell.other) > (0.5, cell.one)
    ]  # fmt: skip
    met.sort(key=lambda cell: -(cell.share.value if cell.share else 0))
    if not met:
        return "Nobody has met anybody yet."
    return "Who beats whom: " + "; ".join(said(cell) for cell in met[:12]) + "."


def numbers(cells: Sequence[Sequence[Cell]]) -> dict[str, list[str]]:
    """The chart as a table: what stands in its cells where there is room, a column for each contestant."""
    columns: dict[str, list[str]] = {"": [hostile.line(line[0].one) for line in cells]}
    for place, cell in enumerate(cells[0] if cells else ()):
        columns[hostile.line(cell.other)] = [
            "" if line[place].share is None else _cell(line[place]).replace("<br>", " · ") for line in cells
        ]
    return columns


def said(cell: Cell) -> str:
    """A cell in words."""
    if cell.one == cell.other:
        return cell.one
    if cell.share is None:
        return f"{cell.one} and {cell.other} have not met"
    low, high = amounts.percent(cell.share.low), amounts.percent(cell.share.high)
    return (
        f"{cell.one} against {cell.other}: {amounts.percent(cell.share.value)} ({low} to {high}) of "
        f"{amounts.count(cell.n, 'vote')}, "
        f"{cell.wins} won, {cell.losses} lost, {cell.ties} tied, {cell.both_bad} both bad"
    )


def _cell(cell: Cell) -> str:
    return f"{f'{100 * cell.share.value:.0f}' if cell.share else ''}<br>n {cell.n}"


def short(name: str) -> str:
    """A name as an axis takes it: Plotly reads tags in labels."""
    return _plain(hostile.line(name, longest=_LONGEST))


def two_lines(name: str) -> str:
    """A short name on two lines, broken where its parts meet, so that beside it there is room for cells."""
    words = hostile.line(name, longest=_LONGEST)
    if len(words) <= _LINE:
        return _plain(words)
    end = next((at for at in range(_LINE, _FIRST - 1, -1) if words[at - 1] in _BREAKS), _LINE)
    return f"{_plain(words[:end].rstrip())}<br>{_plain(words[end:])}"


def _plain(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;")
