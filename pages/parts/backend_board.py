"""The backends: how each is, and, once one is opened, all that can be said and changed about it."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.catalog import queries
from core.catalog.queries import BackendRow
from core.db.engine import SAFE_SQLITE, sqlite_version
from core.people.rules import Principal
from core.serve.breaker import CLOSED, BreakerState, State
from pages.parts import amounts, backend_detail, choosing, moments, reads

OPENED = "backend"


def draw(by: Principal, *, may_change: bool) -> None:
    """Every backend in a row of its own; the one named in the address bar is opened."""
    rows = reads.fresh(queries.backends)
    breakers = runtime.current().serve.breakers.states()
    opened = st.query_params.get(OPENED, "")
    for row in rows:
        with st.container(border=True):
            _summary(row, breakers.get(row.name, CLOSED))
            if row.name == opened:
                backend_detail.draw(row, by, may_change=may_change)
    version = sqlite_version()
    if runtime.current().db.is_sqlite and version < SAFE_SQLITE:
        shown = ".".join(str(part) for part in version)
        st.caption(f"The store runs on SQLite {shown}, older than 3.51.3: see `greenroom doctor`.")


def _summary(row: BackendRow, breaker: BreakerState) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap=None):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{row.name}**", width="content")
                _state(row, breaker)
            st.caption(_facts(row))
        choosing.open_or_close(OPENED, row.name, key=f"backend_open_{row.id}")


def _state(row: BackendRow, breaker: BreakerState) -> None:
    if not row.is_enabled:
        st.badge("off", color="gray")
    elif breaker.state is State.OPEN:
        st.badge(f"resting after {amounts.count(breaker.failures, 'failure')}", color="red", icon=":material/pause:")
    elif breaker.state is State.HALF_OPEN:
        st.badge("being tried again", color="orange")
    elif row.check_result:
        st.badge("did not answer the last test", color="orange")
    elif breaker.failures:
        st.badge(amounts.count(breaker.failures, "recent failure"), color="orange")
    elif row.kind == "builtin" or row.checked_at is not None:
        st.badge("ready", color="green")
    else:
        st.badge("not tested", color="gray")


def _facts(row: BackendRow) -> str:
    if row.kind == "builtin":
        return f"Embedded: no key, no network · {amounts.count(row.models, 'model')}"
    key = {"": "no key", "stored": "key stored", "environment": f"key from `{row.key_env}`"}[row.key_kind]
    facts = [f"`{row.base_url}`", key, amounts.count(row.models, "model")]
    if row.checked_at is not None:
        facts.append(f"tested {moments.relative(row.checked_at, clock.now())}")
    return " · ".join(facts)
