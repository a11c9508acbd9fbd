"""Which calls are shown: the URL says it, a bar and a few widgets change it, and what cannot be meant is refused.

The URL is the truth: every run gives the widgets their values from it, every change of a widget rewrites it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import streamlit as st

from core.calls import filters as bar
from core.calls import queries
from core.calls.filters import Filters
from core.errors import Invalid
from pages.parts import call_view, hostile, reads

BAR = "calls_bar"
_TROUBLE = "calls_trouble"
_OWN = ("since", "until", *bar.PLAIN, "cost", "latency", "judges", bar.WORDS)
_PAGING = ("before", "call")
_SPANS = {"1h": "1 hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
_ROUTES = ("/v1/chat/completions", "/v1/embeddings", "/v1/moderations", "playground")
_ALL = Filters()
_LISTED_FOR = timedelta(days=30)


def current() -> Filters | None:
    """The filters of the URL; None after saying why they cannot be used."""
    try:
        return bar.from_params(st.query_params.to_dict())
    except Invalid as error:
        st.error(error.hint or "Mend the address, or begin anew.", title=hostile.line(error.message))
        st.button("Show every call", key="calls_reset", on_click=_write, args=(Filters(),))
        return None


def draw(filters: Filters, *, project_ids: Sequence[int], at: datetime) -> None:
    """The bar, the widgets behind a button, and the reason when what was typed cannot be used."""
    trouble = st.session_state.get(_TROUBLE)
    said = bar.text(filters)
    if trouble is None and st.session_state.get(BAR) != said:
        st.session_state[BAR] = said
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text_input(
            "Filter calls",
            key=BAR,
            on_change=_typed,
            label_visibility="collapsed",
            icon=":material/search:",
            placeholder="words, or model:gpt-4o status:error since:24h cost:>0.01 latency:>2s tag.team:search",
        )
        picker = st.popover("Filters", icon=":material/tune:", key="calls_filters", on_change="rerun", width="content")
        if filters or trouble:
            st.button("Clear", key="calls_clear", icon=":material/close:", on_click=_write, args=(Filters(),))
    if picker.open:
        with picker:
            _widgets(filters, project_ids=project_ids, at=at)
    if isinstance(trouble, Invalid):
        st.warning(hostile.sentence(trouble.hint) or "Nothing was filtered.", title=hostile.sentence(trouble.message))


def link(filters: Filters) -> dict[str, str]:
    """The query parameters of a link to the calls that meet these filters."""
    return bar.to_params(filters)


def of_part(dimension: str, value: str, span: str, *, base: Filters = _ALL) -> dict[str, str]:
    """The query parameters of the calls behind one part of the usage of a relative period: judges cost money too."""
    filters = replace(base, since=span, judges=True)
    match dimension:
        case "model":
            filters = replace(filters, model=value)
        case "backend":
            filters = replace(filters, backend=value)
        case "key":
            filters = replace(filters, key=value)
    name, found, wanted = value.partition("=")
    if dimension == "tag" and found and name and wanted:
        filters = replace(filters, tags=((name, wanted),))
    return bar.to_params(filters)


def _typed() -> None:
    try:
        _write(bar.parse(st.session_state[BAR]))
    except Invalid as error:
        st.session_state[_TROUBLE] = error


def _write(filters: Filters) -> None:
    """Put the filters into the URL; what is not ours there stays."""
    st.session_state[_TROUBLE] = None
    for name in list(st.query_params):
        if name in _OWN or name in _PAGING or name.startswith("tag."):
            del st.query_params[name]
    st.query_params.update(bar.to_params(filters))


def _widgets(filters: Filters, *, project_ids: Sequence[int], at: datetime) -> None:
    def known(dimension: str, now: str) -> list[str]:
        found = reads.fresh(queries.values, dimension, project_ids=project_ids, since=at - _LISTED_FOR)
        return list(found) if not now or now in found else [now, *found]

    spans = list(_SPANS) if not filters.since or filters.since in _SPANS else [filters.since, *_SPANS]
    _set("since", filters.since or None)
    _set("status", filters.status or None)
    st.segmented_control(
        "Time", spans, key="calls_f_since", format_func=lambda span: f"last {_SPANS.get(span, span)}", on_change=_chosen
    )
    st.segmented_control("How it ended", bar.STATUS_WORDS, key="calls_f_status", format_func=_ended, on_change=_chosen)
    left, right = st.columns(2)
    with left:
        _choice("Model", "model", filters.model, known("model", filters.model))
        _choice("Route", "route", filters.route, [*_ROUTES])
        _number("Cost above, dollars", "cost", filters.cost_usd, step=0.001, format="%.6g")
        _words("End user", "user", filters.user)
    with right:
        _choice("Backend", "backend", filters.backend, known("backend", filters.backend))
        _key(filters, project_ids=project_ids, at=at)
        _number("Slower than, milliseconds", "latency", filters.latency_ms, step=100.0, format="%.0f")
        _words("Session", "session", filters.session)
    tags = [f"{name}={value}" for name, value in filters.tags]
    _choice("Tag", "tag", tags[0] if tags else "", known("tag", tags[0] if tags else ""))
    if filters.judges or reads.fresh(queries.has_judges, project_ids=project_ids):
        _set("judges", filters.judges)
        st.toggle(
            "Also the calls of judges", key="calls_f_judges", on_change=_chosen,
            help="What policies and scorers asked a model that judges. Usage and cost count them in any case.",
        )  # fmt: skip


def _key(filters: Filters, *, project_ids: Sequence[int], at: datetime) -> None:
    shares = reads.fresh(
        queries.breakdown, project_ids=project_ids, start=at - _LISTED_FOR, end=at, dimension="key", limit=100
    )
    names = [share.label for share in shares if share.value]
    _choice("Key", "key", filters.key, names if not filters.key or filters.key in names else [filters.key, *names])


def _choice(label: str, name: str, value: str, options: list[str]) -> None:
    _set(name, value or None)
    st.selectbox(
        label, options, key=f"calls_f_{name}", placeholder="any", accept_new_options=True, on_change=_chosen, index=None
    )


def _number(label: str, name: str, value: Decimal | float | None, *, step: float, format: str) -> None:  # noqa: A002
    _set(name, None if value is None else float(value))
    st.number_input(
        label,
        key=f"calls_f_{name}",
        value=None,
        min_value=0.0,
        step=step,
        format=format,
        placeholder="any",
        on_change=_chosen,
    )


def _words(label: str, name: str, value: str) -> None:
    _set(name, value)
    st.text_input(label, key=f"calls_f_{name}", placeholder="any", on_change=_chosen)


def _set(name: str, value: object) -> None:
    if st.session_state.get(f"calls_f_{name}") != value:
        st.session_state[f"calls_f_{name}"] = value


def _chosen() -> None:
    """A widget was changed: the URL follows. Fields without a widget keep what the URL said."""
    chosen = {name: st.session_state.get(f"calls_f_{name}") for name in (*bar.PLAIN, "since", "cost", "latency", "tag")}
    try:
        filters = bar.from_params(st.query_params.to_dict())
    except Invalid:
        filters = Filters()
    tag, _, value = str(chosen["tag"] or "").partition("=")
    cost, latency = chosen["cost"], chosen["latency"]
    plain = {name: chosen[name] or "" for name in (*bar.PLAIN, "since") if name not in {"id", "alias", "prompt"}}
    others = filters.tags[1:]
    _write(
        replace(
            filters,
            **plain,
            cost_usd=Decimal(f"{cost:.9g}") if cost else None,
            latency_ms=float(latency) if latency else None,
            judges=bool(st.session_state.get("calls_f_judges", filters.judges)),
            tags=((tag, value), *(pair for pair in others if pair[0] != tag)) if tag and value else others,
        )
    )


def _ended(word: str) -> str:
    return "failed or refused" if word == "error" else call_view.STATUS[word][0]
