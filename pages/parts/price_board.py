"""What each model costs now, whose word that is, and prices of your own."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation

import pandas as pd
import streamlit as st

from core import clock, runtime
from core.catalog import actions, prices, queries
from core.catalog.rules import Snapshot
from core.errors import Invalid
from core.people.rules import Principal
from pages.parts import acting, reads, states


def draw(by: Principal, *, may_change: bool) -> None:
    """The table of prices in effect, then our own with their dates."""
    catalog = runtime.current().catalog
    st.caption(
        "Dollars per million tokens. Your own prices come first, then the public list; a model without either is "
        "recorded as unpriced, never as free."
    )
    table = _table(catalog)
    if table.empty:
        states.empty("No model to price yet.", "Connect a backend and find its models.", icon=":material/payments:")
    else:
        st.dataframe(table, hide_index=True, alt="The price of every model in use", key="price_table")
    if may_change:
        _own(catalog, by)
    _history()


def _table(catalog: Snapshot) -> pd.DataFrame:
    now, lines = clock.now(), []
    for model in catalog.models:
        backend = catalog.backends[model.backend]
        if not model.is_enabled or not backend.is_enabled:
            continue
        found = prices.in_effect(catalog, backend=backend, model=model.name, at=now)
        lines.append(
            {
                "Model": f"{model.backend}/{model.name}",
                "Input": _usd(found.input_usd),
                "Cached input": _usd(found.cached_input_usd),
                "Output": _usd(found.output_usd),
                "Price from": found.source,
            }
        )
    return pd.DataFrame(lines)


def _usd(amount: Decimal | None) -> str:
    if amount is None:
        return "–"
    whole, _, cents = f"{amount.normalize():f}".partition(".")
    return f"${whole}.{cents.ljust(2, '0')}"


def _own(catalog: Snapshot, by: Principal) -> None:
    names = [f"{m.backend}/{m.name}" for m in catalog.models if catalog.backends[m.backend].kind != "builtin"]
    if not names:
        return
    st.subheader("Set a price of your own", anchor=False)
    with st.form("price_own", clear_on_submit=False):
        chosen = st.selectbox("Model", names, key="price_model", accept_new_options=True)
        columns = st.columns(4)
        input_text = columns[0].text_input("Input ($ per million)", key="price_input", placeholder="2.50")
        cached_text = columns[1].text_input("Cached input", key="price_cached", placeholder="as input")
        output_text = columns[2].text_input("Output ($ per million)", key="price_output", placeholder="10")
        start = columns[3].date_input("From (UTC)", clock.now().date(), key="price_start")
        note = st.text_input("Note", key="price_note", placeholder="Where this price comes from")
        wanted = st.form_submit_button("Set price", key="price_submit", icon=":material/check:")
    if not wanted:
        return
    backend, _, model = str(chosen).partition("/")
    try:
        input_usd, output_usd = _amount(input_text, "input"), _amount(output_text, "output")
        cached_usd = _amount(cached_text, "cached input") if cached_text.strip() else None
    except Invalid as error:
        acting.show(error)
        return
    if acting.do(
        actions.set_price,
        backend=backend,
        model=model,
        starts_at=datetime.combine(start, time.min, UTC),
        input_usd=input_usd,
        output_usd=output_usd,
        cached_input_usd=cached_usd,
        note=note.strip(),
        by=by,
        at=clock.now(),
    ):
        acting.tell("The price is set.")


def _amount(text: str, what: str) -> Decimal:
    try:
        return Decimal(text.strip().lstrip("$"))
    except InvalidOperation:
        raise Invalid(f"The price of {what} is not a number.", hint="Write dollars, such as 2.50.") from None


def _history() -> None:
    own = reads.fresh(queries.prices)
    if not own:
        return
    st.subheader("Your own prices", anchor=False)
    st.caption("A price is never overwritten: a newer date takes over, and older calls keep the price of their day.")
    lines = [
        {
            "Model": f"{price.backend}/{price.model}",
            "From (UTC)": f"{price.starts_at:%Y-%m-%d}",
            "Input": _usd(price.input_usd),
            "Cached input": _usd(price.cached_input_usd),
            "Output": _usd(price.output_usd),
            "Note": price.note,
            "Set by": price.set_by,
        }
        for price in own
    ]
    st.dataframe(pd.DataFrame(lines), hide_index=True, alt="Your own prices, newest first", key="price_own_table")
