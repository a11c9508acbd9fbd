"""Today in numbers, and what needs a person; each number opens the calls behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import streamlit as st

from core import clock, runtime
from core.calls import queries
from core.calls.filters import Filters
from core.calls.views import Attention
from pages.parts import amounts, call_filters, figures, hostile, moments, reads
from pages.parts.links import BACKENDS, CALLS, USAGE


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that needs a person: what, and the page where it is mended or seen."""

    icon: str
    words: str
    page: Path
    label: str
    params: Mapping[str, str] = field(default_factory=dict)


def draw(project_ids: Sequence[int], now: datetime, *, may_open: bool) -> None:
    """Today so far, beside yesterday until this hour."""
    start = moments.day_start(now)
    day = timedelta(days=1)
    today = reads.fresh(queries.totals, project_ids=project_ids, start=start, end=now)
    yesterday = reads.fresh(queries.totals, project_ids=project_ids, start=start - day, end=now - day)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.subheader("Today", anchor=False, width="content")
        st.page_link(USAGE, label="Usage and cost", icon=":material/bar_chart:")
    if not today.calls and not yesterday.calls:
        st.caption("No call since midnight, nor yesterday until now.")
        return
    since = start.astimezone(moments.zone()).isoformat(timespec="minutes")
    links = _links(since) if may_open else {}
    figures.draw(today, yesterday, beside="yesterday by now", links=links)


def _links(since: str) -> dict[str, dict[str, str]]:
    return {
        "calls": call_filters.link(Filters(since=since, judges=True)),
        "errors": call_filters.link(Filters(since=since, status="error", judges=True)),
    }


def attention(project_ids: Sequence[int], now: datetime, *, may_open: bool) -> None:
    """What needs a person, most pressing first; or that nothing does."""
    st.subheader("Needs attention", anchor=False)
    lines = [*_backends(), *_record(project_ids, now)]
    if not lines:
        st.caption(":material/check_circle: Nothing needs you: backends answer, every model has a price.")
    for number, line in enumerate(lines):
        with st.container(border=True, key=f"home_attention_{number}"):
            left, right = st.columns([4, 1], vertical_alignment="center")
            left.markdown(f"{line.icon} {line.words}")
            if line.page != CALLS or may_open:
                right.page_link(line.page, label=line.label, query_params=dict(line.params))


def _backends() -> list[Line]:
    running = runtime.current()
    backends = running.catalog.backends.values()
    if not any(backend.is_enabled for backend in backends):
        words = "**No backend is switched on**, so nothing can answer."
        return [Line(":red[:material/error:]", words, BACKENDS, "Switch one on")]
    found = []
    for name, breaker in sorted(running.serve.breakers.states().items()):
        wait_s = breaker.opens_until - clock.ticks_ms() / 1000
        if breaker.opens_until and wait_s > 0:
            words = (
                f"**{hostile.label(name)} failed {amounts.count(breaker.failures, 'time')} in a row** "
                f"and is left alone; it is tried again in {amounts.duration(wait_s * 1000)}."
            )
            found.append(Line(":red[:material/heart_broken:]", words, BACKENDS, "See the backend", {"backend": name}))
    for backend in backends:
        if backend.is_enabled and backend.key_trouble:
            words = f"**{hostile.label(backend.name)} has no usable key**: {hostile.sentence(backend.key_trouble)}"
            found.append(Line(":orange[:material/key_off:]", words, BACKENDS, "Give it one", {"backend": backend.name}))
    return found


def _record(project_ids: Sequence[int], now: datetime) -> list[Line]:
    return [_line(one) for one in reads.fresh(queries.attention, project_ids=project_ids, at=now)]


def _line(one: Attention) -> Line:
    of = f"{one.calls:,} of {amounts.count(one.of, 'call')} ({amounts.share(one.calls, one.of)})"
    name = hostile.label(one.subject)
    if one.kind == "unpriced":
        words = f"**{name} has no price**: {of} of the last day are missing from every cost."
        return Line(":orange[:material/money_off:]", words, BACKENDS, "Set a price", {"backends_view": "Prices"})
    backend = one.subject if one.subject != "before any backend" else ""
    filters = Filters(since="2h", status="error", backend=backend, judges=True)
    words = f"**{name}: {of} failed** in the last two hours."
    return Line(":red[:material/error:]", words, CALLS, "See them", call_filters.link(filters))
