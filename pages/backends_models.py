"""Where answers come from: backends and their models, the names applications ask for, and what each costs."""

from __future__ import annotations

import streamlit as st

from core.people.rules import Permission
from pages.parts import access, alias_board, backend_add, backend_board, builtin_cards, price_board

BACKENDS, ALIASES, PRICES, EMBEDDED = "Backends", "Aliases", "Prices", "Embedded"

principal = access.require("backend:read")

st.title("Backends and models")
view = st.segmented_control(
    "Show",
    [BACKENDS, ALIASES, PRICES, EMBEDDED],
    key="backends_view",
    default=BACKENDS,
    required=True,
    label_visibility="collapsed",
    bind="query-params",
)

if view == ALIASES:
    alias_board.draw(principal, may_change=principal.may(Permission.ALIAS_CHANGE))
elif view == PRICES:
    price_board.draw(principal, may_change=principal.may(Permission.PRICE_CHANGE))
elif view == EMBEDDED:
    builtin_cards.draw()
else:
    may_change = principal.may(Permission.BACKEND_CHANGE)
    if may_change:
        backend_add.offer_local(principal)
    backend_board.draw(principal, may_change=may_change)
    if may_change:
        backend_add.draw(principal)
