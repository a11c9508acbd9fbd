"""The card of a dataset: its first lines over everything else, and the form."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core import clock
from core.datasets import actions, cards
from core.datasets.cards import Sensitivity
from core.datasets.queries import DatasetView
from core.people.rules import Permission, Principal
from pages.parts import acting, dataset_list, hostile

_COLOURS: dict[str, Literal["gray", "blue", "orange", "red"]] = {
    "public": "gray",
    "internal": "blue",
    "personal": "orange",
    "secret": "red",
}
_HELP = {
    "description": "What the examples are, and what for",
    "origin": "Where they come from: support mails of 2026, written by the team …",
    "licence": "What may be done with them: CC BY 4.0, internal use only …",
    "languages": "English, German …",
    "limits": "What is missing or one-sided",
    "contact": "Who answers questions",
}
_LONG = ("description", "limits")
_SENSITIVITIES = {
    Sensitivity.UNSTATED: "not stated",
    Sensitivity.PUBLIC: "public",
    Sensitivity.INTERNAL: "internal",
    Sensitivity.PERSONAL: "personal data",
    Sensitivity.SECRET: "secret",
}


def summary(dataset: DatasetView) -> None:
    """What everybody must know before they use it."""
    card = dataset.card
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if card.sensitivity:
            st.badge(_SENSITIVITIES[card.sensitivity], color=_COLOURS[card.sensitivity])
        if card.licence:
            st.badge(hostile.label(card.licence, longest=40), color="gray")
        version = f"version {dataset.version}" if dataset.version else "no version yet"
        st.caption(f"{dataset_list.counted(dataset)} · {version}", width="content")
    if card.description:
        hostile.text(hostile.line(card.description, longest=400))
    if len(card.missing) > 4:
        st.caption(":material/info: Its card says little yet: where the examples are from, and who may see them.")


def draw(dataset: DatasetView, by: Principal) -> None:
    """The card as a form; for who may not change it, as text."""
    card = dataset.card
    if not by.may(Permission.DATASET_CHANGE, dataset.project_id):
        for name, title in cards.TITLES.items():
            st.caption(title)
            hostile.text(str(getattr(card, name)) or "not stated")
        return
    told: dict[str, str] = {}
    with st.form("dataset_card"):
        for name, title in cards.TITLES.items():
            start = hostile.clean(str(getattr(card, name)))
            key = f"dataset_card_{name}"
            if name == "sensitivity":
                options = list(_SENSITIVITIES)
                told[name] = st.selectbox(
                    title, options, index=options.index(card.sensitivity), key=key,
                    format_func=_SENSITIVITIES.__getitem__,
                )  # fmt: skip
            elif name in _LONG:
                told[name] = st.text_area(title, start, key=key, max_chars=cards.LONGEST, placeholder=_HELP[name])
            else:
                told[name] = st.text_input(title, start, key=key, max_chars=400, placeholder=_HELP[name])
        pressed = st.form_submit_button("Save", key="dataset_card_save", type="primary")
    if pressed and acting.done(actions.describe, dataset_id=dataset.id, card=cards.made(told), by=by, at=clock.now()):
        acting.tell("The card is saved.")
