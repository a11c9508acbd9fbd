"""Connect a backend: one found on this machine with a click, any other by address and key."""

from __future__ import annotations

import streamlit as st

from core import bridge, clock, runtime
from core.catalog import actions, discovery, queries
from core.catalog.discovery import LocalServer
from core.catalog.presets import PRESETS
from core.errors import GreenroomError
from core.people.rules import Permission, Principal
from pages.parts import acting, amounts, backend_asking, reads

NO_KEY, PASTED, VARIABLE = "No key", "Paste the key", "Environment variable"


@st.cache_data(ttl="20s", show_spinner=False)
def _local() -> list[LocalServer]:
    running = runtime.current()
    return bridge.call(discovery.probe_local, running.client, running.settings.local_ports)


def offer_local(by: Principal) -> None:
    """Inference servers that run on this machine and are not connected yet."""
    if not runtime.current().settings.probe_local:
        return
    known = {row.base_url.replace("localhost", "127.0.0.1") for row in reads.fresh(queries.backends)}
    for server in _local():
        if server.base_url in known:
            continue
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            count = amounts.count(len(server.models), "model")
            st.markdown(f":material/radar: **{server.title}** runs on this machine with {count}.", width="stretch")
            if st.button("Connect", key=f"backend_local_{server.name}", icon=":material/add_link:", type="primary"):
                _connect_local(server, by)


def _connect_local(server: LocalServer, by: Principal) -> None:
    vault = runtime.current().vault
    now = clock.now()
    if (
        acting.do(actions.add_backend, name=server.name, base_url=server.base_url, by=by, at=now, vault=vault)
        and acting.do(actions.save_discovered, name=server.name, models=server.models, by=by, at=now) is not None
    ):
        acting.do(actions.record_check, name=server.name, result="", by=by, at=now)
        st.query_params["backend"] = server.name
        acting.tell(f"Connected {server.title}.")


def draw(by: Principal) -> None:
    """The form for any other server."""
    st.subheader("Connect a backend", anchor=False)
    with st.container(border=True):
        preset = PRESETS[
            st.selectbox(
                "What is it?",
                list(PRESETS),
                key="backend_add_preset",
                help="Fills in the usual address. Anything that speaks the OpenAI protocol works.",
            )
        ]
        if preset.note:
            st.caption(preset.note)
        way = st.segmented_control(
            "Its key",
            [PASTED, VARIABLE, NO_KEY] if by.may(Permission.BACKEND_VARIABLE) else [PASTED, NO_KEY],
            key=f"backend_add_way_{preset.name}",
            default=PASTED if preset.variable else NO_KEY,
            required=True,
        )
        # a new round makes new fields: after connecting, the key is gone from the browser and from this session
        unique = f"{preset.name}_{st.session_state.get('backend_add_round', 0)}"
        with st.form(f"backend_add_{unique}", border=False):
            name = st.text_input(
                "Name",
                value=preset.name,
                key=f"backend_add_name_{unique}",
                max_chars=64,
                help="Applications may ask for name/model.",
            )
            base_url = st.text_input(
                "Address", value=preset.base_url, key=f"backend_add_url_{unique}", placeholder="https://…/v1"
            )
            key, key_env = _key(str(way), preset.variable, unique)
            takes_over = False
            if st.session_state.get("backend_add_conflict") == name:
                takes_over = st.checkbox(
                    f"Take over the model names that begin with {name}/", key="backend_add_takes_over"
                )
            wanted = st.form_submit_button(
                "Connect", key="backend_add_submit", icon=":material/add_link:", type="primary"
            )
    if wanted:
        _connect(name.strip(), base_url, key, key_env, takes_over=takes_over, by=by)


def _key(way: str, variable: str, unique: str) -> tuple[str | None, str]:
    if way == PASTED:
        text = st.text_input(
            "Key",
            type="password",
            key=f"backend_add_key_{unique}",
            autocomplete="off",
            help="Stored encrypted; nobody, not even an admin, can read it here again.",
        )
        return text, ""
    if way == VARIABLE:
        named = st.text_input(
            "Environment variable",
            value=variable,
            key=f"backend_add_env_{unique}",
            help="Read from the server's environment; its name ends in KEY or TOKEN.",
        )
        return None, named.strip()
    return None, ""


def _connect(name: str, base_url: str, key: str | None, key_env: str, *, takes_over: bool, by: Principal) -> None:
    try:
        acting.attempt(
            actions.add_backend,
            name=name,
            base_url=base_url,
            key=key,
            key_env=key_env,
            takes_over=takes_over,
            by=by,
            at=clock.now(),
            vault=runtime.current().vault,
        )
    except GreenroomError as error:
        if error.code == "backend_shadows_model":
            st.session_state["backend_add_conflict"] = name
        acting.show(error)
        return
    st.session_state.pop("backend_add_conflict", None)
    st.session_state["backend_add_round"] = st.session_state.get("backend_add_round", 0) + 1
    st.query_params["backend"] = name
    backend_asking.models_of(name, by, keeps=True)
    st.caption("It is connected all the same: mend the address or the key above, or try again later.")
