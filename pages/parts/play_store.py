"""Where what is typed lives: the store and the URL.

`?run=` names a run, `?draft=` what was typed since, `?from=` a recorded call or a prompt's version to begin with.

A draft belongs to one browser tab from its first change on, so two tabs never overwrite each other; a run never
changes. Whoever opens the playground without a link finds what they typed last.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import streamlit as st
from sqlmodel import Session

from core import clock, ids, runtime
from core.calls import actions, queries
from core.calls.filters import Filters
from core.calls.views import Run
from core.catalog.rules import Snapshot
from core.errors import GreenroomError
from core.people.rules import Permission, Principal
from core.prompts import bodies, stored
from core.prompts.rules import RunState, Variant
from pages.parts import acting, call_blind, call_private, play_choice, play_save, play_shown, play_state, reads
from pages.parts.play_running import Running, Runs
from pages.parts.play_shown import Shown

DRAFT, NAMED, RUN, SAVED, OPENED, RUN_STATE, VIEWS = (
    "play_draft",
    "play_named",
    "play_run",
    "play_saved",
    "play_opened",
    "play_run_state",
    "play_views",
)
CAME_FROM = "came_from"
"""In what is kept of a playground: the prompt's version it began with."""
MOST_ANSWERS = 40
"""Four variants, ten repetitions."""


@st.cache_resource(show_spinner=False)
def runs() -> Runs:
    """The runs of this process that are going on."""
    return Runs()


def open_state(by: Principal, project_id: int, snapshot: Snapshot) -> None:
    """Bring what the URL names (or what this person typed last) onto the page, once."""
    session: MutableMapping[Any, Any] = st.session_state
    asked = tuple(st.query_params.get(name, "") for name in ("run", "draft", "from"))
    if session.get(OPENED) == (project_id, *asked) and play_state.STATE in session:
        return
    if not any(asked) and play_state.STATE in session and session.get(OPENED, (0,))[0] == project_id:
        _name_in_url(project_id)
        return
    run_id, draft_id = ids.read("run", asked[0]), ids.read("run", asked[1])
    run = _read(run_id, project_id) if asked[0] else None
    draft = _read(draft_id, project_id) if asked[1] else None
    kept = reads.fresh(queries.draft, by.actor, project_id) if not any(asked) else None
    begun = draft or run or kept
    play_save.remember(project_id, begun.state.get(CAME_FROM) if begun else None)
    called = _from(by, asked[2], project_id) if asked[2] else None
    state = called or _state(draft) or _state(run) or _state(kept) or RunState.first(play_choice.first(snapshot))
    session[RUN] = run.id if run and not run.is_draft else None
    session[RUN_STATE] = _state(run) if session[RUN] else None
    # the first change makes a draft of its own: a tab that was duplicated must not write into the other's
    session[DRAFT] = None
    session[NAMED] = draft.id if draft else kept.id if kept else None
    session[SAVED] = None if called else _written(state, project_id)
    session[VIEWS] = None
    play_state.put(session, state)
    _name_in_url(project_id)


def keep(by: Principal, project_id: int, state: RunState) -> None:
    """Save what is typed, if anything changed since it was saved."""
    session, written = st.session_state, _written(state, project_id)
    if session.get(SAVED) == written or (state.is_blank and session.get(DRAFT) is None):
        return
    saved = acting.do(
        actions.save_run,
        project_id=project_id,
        by=by,
        at=clock.now(),
        ids=runtime.current().ids,
        state=written,
        run_id=session.get(DRAFT),
    )
    # a draft that was frozen or lost meanwhile is not written to again: the next change makes a new one
    session[DRAFT] = saved
    if saved is not None:
        session[NAMED], session[SAVED] = saved, written
        _name_in_url(project_id)


def keep_run(by: Principal, project_id: int, state: RunState) -> int | None:
    """Freeze the state as a run with a link of its own; None when the store refused (a sentence says why)."""
    session = st.session_state
    done = acting.do(_freeze, by=by, project_id=project_id, state=state, draft_id=session.get(DRAFT))
    if done is None:
        return None
    session[RUN], session[DRAFT] = done
    session[NAMED] = done[1]
    session[RUN_STATE], session[SAVED], session[VIEWS] = state, _written(state, project_id), None
    _name_in_url(project_id)
    return done[0]


def _freeze(
    session: Session, *, by: Principal, project_id: int, state: RunState, draft_id: int | None
) -> tuple[int, int]:
    """The draft becomes the run; the same text goes on as a new draft, found by who comes back without a link."""
    at, new, data = clock.now(), runtime.current().ids, _written(state, project_id)
    run_id = actions.save_run(session, project_id=project_id, by=by, at=at, ids=new, state=data, run_id=draft_id)
    actions.freeze(session, run_id, project_id=project_id, by=by, at=at, state=data)
    return run_id, actions.save_run(session, project_id=project_id, by=by, at=at, ids=new, state=data)


def start_anew(model: str) -> None:
    """A button's callback: an empty playground; what was there stays under its own link."""
    session: MutableMapping[Any, Any] = st.session_state
    for name in (DRAFT, NAMED, RUN, RUN_STATE, VIEWS, SAVED):
        session[name] = None
    st.query_params.pop("run", None)
    st.query_params.pop("draft", None)
    session[OPENED] = (*session[OPENED][:1], "", "", "")
    play_save.remember(session[OPENED][0], None)
    play_state.put(session, RunState.first(model))


def running(project_id: int) -> Running | None:
    """The run on this page, if this process still knows it."""
    run_id = st.session_state.get(RUN)
    return runs().find(run_id, project_id) if run_id else None


def ran(letter: str) -> tuple[Variant, bool] | None:
    """The variant of this letter as it was run, and whether it would send something else now."""
    state, before = st.session_state[play_state.STATE], st.session_state.get(RUN_STATE)
    variant, then = state.variant(letter), before.variant(letter) if before else None
    if variant is None or then is None or before is None:
        return None
    return then, (then, before.variables) != (variant, {k: state.variables.get(k) for k in before.variables})


def answers_of_run(project_id: int) -> tuple[Shown, ...]:
    """Every answer of the run on this page, as recorded; kept for the session once all are there."""
    session = st.session_state
    run_id = session.get(RUN)
    if not run_id:
        return ()
    kept = session.get(VIEWS)
    if kept is not None and kept[0] == run_id:
        return tuple(kept[1])
    here = running(project_id)
    shown = play_shown.together(_recorded(run_id, project_id), here)
    if shown and all(one.is_recorded for one in shown) and (here is None or here.is_over):
        session[VIEWS] = (run_id, shown)
    return shown


def _recorded(run_id: int, project_id: int) -> list[Shown]:
    wanted = Filters(tags=((play_shown.RUN_TAG, ids.shown("run", run_id)),))
    found = reads.fresh(queries.page, wanted, project_ids=[project_id], limit=MOST_ANSWERS)
    numbers = [row.id for row in found.rows]
    said = reads.fresh(queries.payloads, numbers, [project_id])
    tags = reads.fresh(queries.tags, numbers)
    return [play_shown.of_record(row, said[row.id], dict(tags.get(row.id, ()))) for row in found.rows if row.id in said]


def _read(run_id: int | None, project_id: int) -> Run | None:
    try:
        if run_id is not None:
            return reads.fresh(queries.run, run_id, [project_id])
    except GreenroomError:
        pass
    st.warning("It may belong to another project, or its link was cut short.", title="There is no such run here.")
    return None


def _from(by: Principal, named: str, project_id: int) -> RunState | None:
    """What `?from=` names: a recorded call, or a version of a prompt."""
    if named.startswith("call_"):
        return _of_call(by, named, project_id)
    found = play_save.opened(project_id, named) if by.may(Permission.PROMPT_READ, project_id) else None
    if found is None:
        st.warning("It may belong to another project, or have another name.", title="There is no such prompt here.")
    return found


def _of_call(by: Principal, shown_id: str, project_id: int) -> RunState | None:
    call_id = ids.read("call", shown_id)
    try:
        if call_id is not None and by.may(Permission.CALLS_READ, project_id):
            if why := call_blind.hidden([call_id], project_id, by).get(call_id):
                st.warning(why[1], title=why[0])
                return None
            if call_private.hidden([call_id], [project_id]):
                st.warning("Open it in Calls, and reveal them there first.", title="This call has private words.")
                return None
            said = reads.fresh(queries.payload, call_id, [project_id])
            if isinstance(said.request, dict):
                return bodies.state_of(said.request)
    except GreenroomError:
        pass
    st.warning("It may belong to another project, or it had no messages.", title="This call cannot be opened here.")
    return None


def _written(state: RunState, project_id: int) -> dict[str, Any]:
    """What is kept in the store."""
    return {**stored.to_dict(state), CAME_FROM: play_save.came_from(project_id)}


def _state(run: Run | None) -> RunState | None:
    return stored.from_dict(run.state) if run else None


def _name_in_url(project_id: int) -> None:
    """The URL names the run shown, and the draft where it says something else than the run."""
    session = st.session_state
    run_id, draft_id = session.get(RUN), session.get(NAMED)
    named = {"run": ids.shown("run", run_id) if run_id else ""}
    is_changed = session.get(play_state.STATE) != session.get(RUN_STATE)
    named["draft"] = ids.shown("run", draft_id) if draft_id and is_changed else ""
    for name, value in named.items():
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
        elif not value and name in st.query_params:
            del st.query_params[name]
    st.query_params.pop("from", None)
    session[OPENED] = (project_id, named["run"], named["draft"], "")
