"""Ask a backend for its models from a page, keep what came of it, and say so."""

from __future__ import annotations

import streamlit as st

from core import bridge, clock, runtime
from core.catalog import actions, discovery, queries
from core.errors import GreenroomError
from core.people.rules import Principal
from pages.parts import acting, amounts, reads


def models_of(name: str, by: Principal, *, keeps: bool) -> None:
    """Draw the page anew and say what the backend lists, or say here why it does not answer as it should.

    With `keeps` new models are switched on.
    """
    running = runtime.current()
    view = reads.fresh(queries.backend_view, running.vault, name)
    started = clock.ticks_ms()
    try:
        with st.spinner(f"Asking {name} …"):
            found = bridge.call(discovery.discover, running.client, view)
    except GreenroomError as error:
        acting.do(actions.record_check, name=name, result=str(error), by=by, at=clock.now())
        refused(name, error)
        return
    running.serve.breakers.reset(name)
    took = amounts.duration(clock.ticks_ms() - started)
    acting.do(actions.record_check, name=name, result="", by=by, at=clock.now())
    new = acting.do(actions.save_discovered, name=name, models=found, by=by, at=clock.now()) if keeps else None
    fresh = f", {new} of them new" if new and new < len(found) else ""
    acting.tell(f"{name} answers in {took} and has {amounts.count(len(found), 'model')}{fresh}.")


def refused(name: str, error: GreenroomError) -> None:
    """Why a backend cannot be used. Its own words are shown as text: they may be anything."""
    with st.container(border=True):
        st.markdown(f":material/error: :red[**{name} does not answer as it should.**]")
        st.text(error.message)
        if error.hint:
            st.caption(":material/arrow_forward: What to do")
            st.text(error.hint)
