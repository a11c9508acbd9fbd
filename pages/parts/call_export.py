"""Take the calls of a filter away as a file, however many they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import streamlit as st

from core import runtime
from core.calls import queries
from core.calls.filters import Filters, span
from core.calls.paging import Masked
from core.gateway import call_exports, tickets
from core.guard import queries as guard
from core.guard.masking import Private
from core.ids import EPOCH
from core.people.queries import ProjectView
from core.people.rules import Principal
from pages.parts import amounts, hostile, reads

_COUNTED = 1_000


def draw(filters: Filters, *, project: ProjectView, by: Principal, at: datetime) -> None:
    """A button that opens the choice of formats, with how many calls there are to take."""
    picker = st.popover("Export", icon=":material/download:", key="calls_export", on_change="rerun")
    if not picker.open:
        return
    with picker:
        count = st.container()
        st.caption("With tags and messages. The file is written while it is read: its size does not matter.")
        why = _why() if reads.fresh(guard.has_private, project_ids=(project.id,)) else ""
        masks = None if why else Private((project.id,)).kinds
        how_many = _how_many(filters, project.id, at, masks)
        count.markdown(f"**{how_many}** of {hostile.label(project.name)}, newest first.")
        vault = runtime.current().vault
        for kind, label in (("csv", "CSV, for a spreadsheet"), ("jsonl", "JSON lines, for a program")):
            order = call_exports.Order(by.actor, project.id, filters, kind, at, why)
            address = tickets.link(call_exports.ticket(vault, order, by=by))
            st.link_button(label, address, key=f"calls_export_{kind}", icon=":material/download:", width="stretch")
        st.caption("The links end after 15 minutes. Every export is noted in the audit trail.")


def _why() -> str:
    """Why private words must be in the file; "" while they are masked in it."""
    if not st.toggle("With private words", key="calls_export_private"):
        st.caption(
            ":material/visibility_off: What policies found private is masked in the file; its column private says "
            "which calls have it."
        )
        return ""
    why = st.text_input(
        "Why do you need to read it?", key="calls_export_why", max_chars=call_exports.LONGEST_WHY,
        help="It goes into the audit trail with your name and with how many calls had private words.",
    )  # fmt: skip
    if not why.strip():
        st.caption(":material/visibility_off: Until you say why, it stays masked.")
        return ""
    st.caption(":material/visibility: Private words are in the file as they were said.")
    return why


def _how_many(filters: Filters, project_id: int, at: datetime, masks: Masked | None) -> str:
    """How many rows the file will have: from the hourly sums, else counted as far as that is quick."""
    is_all = filters.judges or not reads.fresh(queries.has_judges, project_ids=(project_id,))
    if is_all and not replace(filters, since="", until="", judges=False):
        start, end = span(filters, at)
        sums = reads.fresh(queries.totals, project_ids=(project_id,), start=start or EPOCH, end=end or at)
        about = "" if start is None and end is None else "About "
        return f"{about}{amounts.count(sums.calls, 'call')}"
    page = reads.fresh(queries.page, filters, project_ids=(project_id,), limit=_COUNTED, at=at, masked=masks)
    if page.next_before is not None:
        return f"At least {amounts.count(max(len(page.rows), 1), 'call')}"
    return amounts.count(len(page.rows), "call")
