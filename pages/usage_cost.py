"""What was used, what it cost and how fast it was: by hour or day, by what it is made of, beside the time before."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.calls import queries
from core.calls.filters import Filters
from core.people.rules import Permission
from pages.parts import (
    access,
    call_filters,
    figures,
    moments,
    reads,
    states,
    usage_charts,
    usage_choice,
    usage_table,
)
from pages.parts.links import CALLS

reader = access.require("usage:read")
project = access.project()
now = clock.now()
mine = (project.id,)
may_open = reader.may(Permission.CALLS_READ, project.id)

if opened := usage_table.opened():
    st.switch_page(CALLS, query_params=call_filters.of_part(*opened))

st.title("Usage and cost", anchor=False)
choice = usage_choice.draw(now)
sums = reads.fresh(
    queries.compared,
    project_ids=mine,
    start=choice.start,
    end=choice.end,
    dimension=choice.dimension,
    value=choice.value,
)
if not sums.now.calls and not sums.before.calls:
    states.empty(
        f"No call in the last {usage_choice.WORDS[choice.span]}.",
        "Every answer of the playground and of your applications is counted here, hour by hour.",
        button="Try a prompt",
        page="prompt_playground.py",
    )
    st.stop()

links = {
    "calls": call_filters.of_part(choice.dimension, choice.value or "", choice.span),
    "errors": call_filters.of_part(choice.dimension, choice.value or "", choice.span, base=Filters(status="error")),
}
figures.draw(
    sums.now, sums.before, beside=f"the {usage_choice.WORDS[choice.span]} before", links=links if may_open else {}
)
points = reads.fresh(
    queries.usage,
    project_ids=mine,
    start=choice.start,
    end=choice.end,
    step=choice.step,
    zone=moments.zone().key,
    dimension=choice.dimension,
    value=choice.value,
)
usage_charts.draw(points, choice, may_open=may_open)

by = usage_choice.broken_down_by()
shown = [one.id for one in access.projects()] if by == "project" else list(mine)
length = choice.end - choice.start
shares = reads.fresh(queries.breakdown, project_ids=shown, start=choice.start, end=choice.end, dimension=by)
earlier = reads.fresh(
    queries.breakdown, project_ids=shown, start=choice.start - length, end=choice.start, dimension=by, limit=200
)
usage_table.draw(shares, earlier, choice, by, may_open=may_open)
