"""The names applications ask for: what each stands for, what it falls back to, and what it meant before."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.catalog import actions, queries
from core.catalog.queries import AliasRow
from core.catalog.rules import Snapshot
from core.people.rules import Principal
from pages.parts import acting, choosing, moments, reads, states

CHOSEN = "alias"
NEW = ""


def draw(by: Principal, *, may_change: bool) -> None:
    """Every alias, the opened one with its history, and the form for a new one."""
    st.caption(
        "An application asks for an alias; you decide here which model answers. Changing it needs no new release of "
        "the application, and every meaning is kept."
    )
    rows = reads.fresh(queries.aliases)
    opened = st.query_params.get(CHOSEN, NEW)
    if not rows:
        states.empty(
            "No alias yet.", "Give a model a name of your own, such as fast or support.", icon=":material/alt_route:"
        )
    for row in rows:
        with st.container(border=True):
            _summary(row)
            if row.name == opened:
                if may_change:
                    _form(runtime.current().catalog, row, by)
                _history(row, by, may_change=may_change)
    if may_change:
        st.subheader("New alias", anchor=False)
        with st.container(border=True):
            _form(runtime.current().catalog, None, by)


def _summary(row: AliasRow) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap=None):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{row.name}**", width="content")
                st.badge(f"version {row.version}" if row.is_enabled else "out of use", color="gray")
            st.text(_meaning(row))
        choosing.open_or_close(CHOSEN, row.name, key=f"alias_open_{row.name}")


def _meaning(row: AliasRow) -> str:
    words = ", then ".join(f"{backend}/{model}" for backend, model in row.steps)
    if row.answers_by_rules:
        words += ", at last the fixed answers"
    if row.cache_ttl_s:
        words += f" · equal questions share an answer for {row.cache_ttl_s / 60:g} minutes"
    return words


def _form(catalog: Snapshot, row: AliasRow | None, by: Principal) -> None:
    unique = f"{row.name}_{row.version}" if row else f"_{st.session_state.get('alias_round', 0)}"
    kept = [f"{backend}/{model}" for backend, model in row.steps] if row else []
    paths = [f"{m.backend}/{m.name}" for m in catalog.models if m.kind in {"chat", "embedding", "moderation"}]
    name = row.name if row else st.text_input("Name", key=f"alias_name{unique}", max_chars=64, placeholder="support")
    takes_over = False
    if row is None and name in catalog.models_by_name:
        owner = catalog.models_by_name[name][0].backend
        takes_over = st.checkbox(
            f"Take over this name: applications that ask for it get {owner}'s model today", key=f"alias_over{unique}"
        )
    with st.form(f"alias_form{unique}", border=False):
        steps = st.multiselect(
            "Models, in the order they are tried",
            list(dict.fromkeys([*kept, *paths])),
            default=kept,
            key=f"alias_steps{unique}",
            accept_new_options=True,
            placeholder="The first answers; the next when it cannot",
        )
        columns = st.columns(2, vertical_alignment="bottom")
        minutes = columns[0].number_input(
            "Equal questions share an answer for (minutes)",
            0.0,
            43_200.0,
            (row.cache_ttl_s if row else 0) / 60,
            key=f"alias_cache{unique}",
            help="0 asks the model every time.",
        )
        by_rules = columns[1].toggle(
            "When all fail, answer by rules",
            row.answers_by_rules if row else False,
            key=f"alias_rules{unique}",
            help="The fixed answers of builtin/rules, marked as such, instead of an error.",
        )
        note = st.text_input("Why", key=f"alias_note{unique}", placeholder="What changed, for the history")
        wanted = st.form_submit_button("Save", key=f"alias_save{unique}", icon=":material/check:", type="primary")
    if wanted and acting.done(
        actions.set_alias,
        name=name.strip(),
        steps=[_step(path) for path in steps],
        cache_ttl_s=round(minutes * 60),
        answers_by_rules=by_rules,
        note=note.strip(),
        takes_over=takes_over,
        expected_version=row.version if row else 0,
        by=by,
        at=clock.now(),
    ):
        st.session_state["alias_round"] = st.session_state.get("alias_round", 0) + 1
        acting.tell(f"Saved {name}.")


def _step(path: str) -> tuple[str, str]:
    backend, _, model = path.partition("/")
    return backend, model


def _history(row: AliasRow, by: Principal, *, may_change: bool) -> None:
    st.markdown("**History**")
    for old in reads.fresh(queries.alias_history, row.name):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"v{old.version}", width="content")
            moments.ago(old.made_at, clock.now())
            st.text(
                " · ".join(part for part in (_meaning(old), old.note, f"by {old.made_by}") if part), width="stretch"
            )
            is_now = old.version == row.version and row.is_enabled
            if (
                may_change
                and not is_now
                and st.button(
                    "Bring back", key=f"alias_back_{row.name}_{old.version}", icon=":material/undo:", type="tertiary"
                )
            ):
                _bring_back(row, old, by)
    if (
        may_change
        and row.is_enabled
        and st.button("Take out of use", key=f"alias_off_{row.name}", icon=":material/toggle_off:", type="tertiary")
        and acting.done(actions.disable_alias, name=row.name, by=by, at=clock.now())
    ):
        acting.tell(f"{row.name} is out of use.", icon=":material/toggle_off:")


def _bring_back(row: AliasRow, old: AliasRow, by: Principal) -> None:
    if acting.done(
        actions.set_alias,
        name=row.name,
        steps=old.steps,
        cache_ttl_s=old.cache_ttl_s,
        answers_by_rules=old.answers_by_rules,
        note=f"as version {old.version}",
        takes_over=True,
        expected_version=row.version,
        by=by,
        at=clock.now(),
    ):
        acting.tell(f"{row.name} means again what it meant in version {old.version}.")
