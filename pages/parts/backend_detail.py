"""One backend opened: test it, pick its models, change its address, key and timeouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core import clock, runtime
from core.catalog import actions, queries
from core.catalog.checks import Limits
from core.catalog.queries import BackendRow
from core.catalog.rules import ModelView
from core.people.rules import Permission, Principal
from pages.parts import acting, backend_asking, reads

LEAVE, PASTED, VARIABLE, NONE = "Leave as it is", "Paste a new one", "Environment variable", "None"


def draw(row: BackendRow, by: Principal, *, may_change: bool) -> None:
    """Everything about one backend, the likeliest things first."""
    if row.check_result:
        with st.container(horizontal=True, gap="small"):
            st.markdown(":material/error: :orange[Last test:]", width="content")
            st.text(row.check_result, width="stretch")
    if not may_change:
        _models_listed(row)
        return
    _buttons(row, by)
    _models(row, by)
    if row.kind != "builtin":
        with st.expander("Address and key", icon=":material/key:"):
            _address(row, by)
        with st.expander("Timeouts", icon=":material/timer:"):
            _timeouts(row, by)


def _buttons(row: BackendRow, by: Principal) -> None:
    with st.container(horizontal=True):
        if row.kind != "builtin":
            if st.button("Test", key=f"backend_test_{row.id}", icon=":material/network_check:"):
                backend_asking.models_of(row.name, by, keeps=False)
            if st.button("Find models", key=f"backend_find_{row.id}", icon=":material/search:"):
                backend_asking.models_of(row.name, by, keeps=True)
        label, icon = (
            ("Switch off", ":material/toggle_off:") if row.is_enabled else ("Switch on", ":material/toggle_on:")
        )
        if (
            st.button(label, key=f"backend_switch_{row.id}", icon=icon)
            and acting.do(
                actions.set_backend_enabled, name=row.name, is_enabled=not row.is_enabled, by=by, at=clock.now()
            )
            is not None
        ):
            st.rerun()


def _models_listed(row: BackendRow) -> None:
    names = [model.name for model in reads.fresh(queries.models, backend=row.name) if model.is_enabled]
    st.text(", ".join(names) or "It has no models yet.")


def _models(row: BackendRow, by: Principal) -> None:
    models = {model.name: model for model in reads.fresh(queries.models, backend=row.name)}
    with st.form(f"backend_models_{row.id}", border=False):
        picked = st.multiselect(
            "Models that may be asked for",
            list(models),
            default=[name for name, model in models.items() if model.is_enabled],
            key=f"backend_picked_{row.id}",
            accept_new_options=row.kind != "builtin",
            placeholder="Pick some, or type a name the backend does not list",
        )
        seeing = hearing = None
        if row.kind != "builtin":
            seeing, hearing = _taking(row, list(models.values()))
        wanted = st.form_submit_button("Save models", key=f"backend_pick_{row.id}", icon=":material/check:")
    if wanted and _save(row, by, models, picked, seeing, hearing):
        acting.tell("Saved the models.")


def _taking(row: BackendRow, models: list[ModelView]) -> tuple[list[str], list[str]]:
    """The models that take pictures and those that take sounds, as a person leaves them."""
    left, right = st.columns(2)
    told = "Guessed from its name where the backend does not say. The playground offers to attach them."
    return (
        left.multiselect(
            "Those that take pictures",
            [model.name for model in models],
            default=[model.name for model in models if model.takes_image],
            key=f"backend_seeing_{row.id}",
            placeholder="None",
            help=told,
        ),
        right.multiselect(
            "Those that take sounds",
            [model.name for model in models],
            default=[model.name for model in models if model.takes_audio],
            key=f"backend_hearing_{row.id}",
            placeholder="None",
            help=told,
        ),
    )


def _save(
    row: BackendRow,
    by: Principal,
    models: Mapping[str, ModelView],
    picked: Sequence[str],
    seeing: Sequence[str] | None,
    hearing: Sequence[str] | None,
) -> bool:
    """Keep what is different; whether all of it could be kept."""
    now = clock.now()
    for name in picked:
        if name not in models and acting.do(actions.add_model, backend=row.name, name=name, by=by, at=now) is None:
            return False
    for name, model in models.items():
        wanted = (
            name in picked,
            model.takes_image if seeing is None else name in seeing,
            model.takes_audio if hearing is None else name in hearing,
        )
        if wanted == (model.is_enabled, model.takes_image, model.takes_audio):
            continue
        changes = dict(zip(("is_enabled", "takes_image", "takes_audio"), wanted, strict=True))
        if acting.do(actions.change_model, backend=row.name, name=name, by=by, at=now, **changes) is None:
            return False
    return True


def _address(row: BackendRow, by: Principal) -> None:
    st.caption("A new address needs its key again: a stored key is never sent to an address nobody entered it for.")
    unique = f"{row.id}_{row.version}"
    way = st.segmented_control(
        "Its key",
        [LEAVE, PASTED, VARIABLE, NONE] if by.may(Permission.BACKEND_VARIABLE) else [LEAVE, PASTED, NONE],
        key=f"backend_way_{unique}",
        default=LEAVE,
        required=True,
    )
    with st.form(f"backend_address_{unique}_{way}", border=False):
        base_url = st.text_input("Address", value=row.base_url, key=f"backend_url_{unique}")
        key: str | None = None
        key_env: str | None = None
        if way == PASTED:
            key = st.text_input("New key", type="password", key=f"backend_key_{unique}", autocomplete="off")
        elif way == VARIABLE:
            key_env = st.text_input("Environment variable", value=row.key_env, key=f"backend_env_{unique}").strip()
        elif way == NONE:
            key = ""
        provider = st.text_input(
            "List prices of",
            value=row.price_provider,
            key=f"backend_provider_{unique}",
            placeholder="guessed from the address",
            help="Whose public prices this backend charges when its address does not tell, such as openai.",
        )
        wanted = st.form_submit_button("Save", key=f"backend_save_{row.id}", icon=":material/check:")
    if wanted and acting.done(
        actions.change_backend,
        name=row.name,
        base_url=base_url,
        key=key,
        key_env=key_env,
        price_provider=provider.strip(),
        expected_version=row.version,
        by=by,
        at=clock.now(),
        vault=runtime.current().vault,
    ):
        acting.tell(f"Saved {row.name}.")


def _timeouts(row: BackendRow, by: Principal) -> None:
    unique = f"{row.id}_{row.version}"
    with st.form(f"backend_limits_{unique}", border=False):
        columns = st.columns(4)
        connect = columns[0].number_input("Connect (s)", 0.1, 60.0, row.connect_s, key=f"backend_connect_{unique}")
        first = columns[1].number_input(
            "First token (s)", 0.1, 3600.0, row.first_token_s, key=f"backend_first_{unique}"
        )
        between = columns[2].number_input(
            "Between tokens (s)", 0.1, 3600.0, row.between_tokens_s, key=f"backend_between_{unique}"
        )
        total = columns[3].number_input("In total (s)", 0.1, 7200.0, row.total_s, key=f"backend_total_{unique}")
        wanted = st.form_submit_button("Save timeouts", key=f"backend_limit_{row.id}", icon=":material/check:")
    if wanted and acting.done(
        actions.change_backend,
        name=row.name,
        limits=Limits(connect, first, between, total),
        expected_version=row.version,
        by=by,
        at=clock.now(),
        vault=runtime.current().vault,
    ):
        acting.tell("Saved the timeouts.")
