"""One event of the trail: a sentence, and on a click everything that is kept of it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from datetime import datetime

import streamlit as st

from core.audit.queries import EventView
from pages.parts import actors, audit_words, hostile, moments


def draw(event: EventView, names: Mapping[str, str], now: datetime, *, you: str) -> None:
    """Who did what to what and when; folded, the lines that changed and the row's place in the chain."""
    who = actors.name(event.actor, names, you=you)
    what = audit_words.target(event.target, names, before=event.before, after=event.after)
    known = {int(mark[8:]): name for mark, name in names.items() if mark.startswith("project:")}
    lines = audit_words.lines(event.before, event.after, known)
    did = audit_words.did(event.action, event.after or event.before)
    if audit_words.is_of_themselves(event.action):
        label = f"**{hostile.sentence(what)}** {did}"
    else:
        label = f"**{hostile.sentence(who)}** {hostile.sentence(did)} {hostile.label(what)}"
    with st.expander(f"{label} :gray[· {moments.relative(event.at, now)}]", icon=_icon(event.action)):
        if lines:
            st.html(_table(lines, has_before=event.before is not None))
        where = "" if event.project_id is None else f" · project {known.get(event.project_id, event.project_id)}"
        st.caption(hostile.sentence(f"{moments.exact(event.at)}{where} · {event.action} · {event.target}"))
        st.caption(f"Row {event.number} of the trail, hash `{event.hash[:16]}…`", help=event.hash)


def projects(events: Iterable[EventView]) -> set[int]:
    """The projects that before and after speak of by number."""
    sides = [side for event in events for side in (event.before, event.after) if side]
    return {side["project_id"] for side in sides if isinstance(side.get("project_id"), int)}


def _table(lines: list[tuple[str, str, str]], *, has_before: bool) -> str:
    """Line by line; the text is somebody's, so it is escaped and can do nothing."""
    rows = []
    for name, was, now in lines:
        cells = f"<td {_CELL}><b>{_safe(name)}</b></td>"
        if has_before:
            cells += f"<td {_CELL}><del>{_safe(was)}</del></td>"
        rows.append(f"<tr>{cells}<td {_CELL}>{_safe(now)}</td></tr>")
    head = "<th></th><th>before</th><th>after</th>" if has_before else "<th></th><th></th>"
    return f'<table style="border-collapse:collapse"><thead><tr style="text-align:left">{head}</tr></thead>' + (
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


_CELL = 'style="padding:.15rem 1.5rem .15rem 0;vertical-align:top;overflow-wrap:anywhere"'


def _safe(text: str) -> str:
    return html.escape(hostile.clean(text))


_ICONS = {
    "key": ":material/key:",
    "role": ":material/badge:",
    "roles": ":material/badge:",
    "person": ":material/person:",
    "project": ":material/folder_open:",
    "backend": ":material/dns:",
    "models": ":material/deployed_code:",
    "model": ":material/deployed_code:",
    "alias": ":material/alt_route:",
    "price": ":material/payments:",
    "calls": ":material/download:",
    "feedback": ":material/thumbs_up_down:",
}


def _icon(action: str) -> str:
    return _ICONS.get(action.partition(".")[0], ":material/history:")
