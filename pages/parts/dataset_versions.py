"""The versions of a dataset: keep the draft as one, see what each has, and what changed between two."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import streamlit as st

from core import clock, runtime
from core.datasets import actions, versions
from core.datasets.queries import DatasetView, ItemView
from core.datasets.versions import Change, Sums, VersionView, What
from core.people import queries as people
from core.people.rules import Permission, Principal
from pages.parts import acting, actors, amounts, dataset_items, hostile, moments, reads, states
from pages.parts import numbers as addresses

_DRAFT, _NOTHING = "draft", "0"
_AGREED = "dataset_back_agreed"
_COLOURS: dict[What, Literal["green", "red", "blue"]] = {What.ADDED: "green", What.REMOVED: "red", What.CHANGED: "blue"}


def draw(dataset: DatasetView, by: Principal) -> None:
    """The form, the list, the comparison."""
    mine = (dataset.project_id,)
    if by.may(Permission.DATASET_CHANGE, dataset.project_id):
        with st.form("dataset_keep", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            note = st.text_input(
                "What is new in it", key="dataset_note", max_chars=500, placeholder="Refund questions of November"
            )
            label = f"Keep as version {dataset.version + 1}"
            pressed = st.form_submit_button(label, key="dataset_keep_go", icon=":material/lock:", type="primary")
        if dataset.as_in is not None:
            st.caption(f"The draft was taken back to version {dataset.as_in}, and none was kept since.")
        if pressed and acting.done(actions.keep, dataset_id=dataset.id, note=note, by=by, at=clock.now()):
            acting.tell(f"Version {dataset.version + 1} is kept: it never changes again.")
    found = reads.fresh(versions.versions, dataset.id, project_ids=mine)
    if not found:
        states.empty(
            "No version was kept yet.", "Keep one, and a test that ran on it can be run again on the same examples."
        )
        return
    names = reads.fresh(people.names, [row.made_by for row in found])
    may_change = by.may(Permission.DATASET_CHANGE, dataset.project_id)
    for row in found:
        with st.container(border=True, gap="small"):
            _row(row, actors.name(row.made_by, names, you=by.actor), may_change=may_change)
            if may_change and st.query_params.get("back") == str(row.number):
                _back(dataset, row.number, by)
    st.subheader("What changed", anchor=False)
    _compare(dataset, found)


def named(number: str) -> str:
    """How a version is called."""
    return {_DRAFT: "draft", _NOTHING: "nothing"}.get(number, f"version {number}")


def _row(row: VersionView, who: str, *, may_change: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Version {row.number}**", width="content")
        if row.as_in is not None:
            st.badge(f"as in version {row.as_in}", color="gray", icon=":material/history:")
        if row.note:
            st.markdown(hostile.sentence(row.note), width="content")
        st.caption(f"{amounts.count(row.count, 'example')} · {hostile.sentence(who)}", width="content")
        moments.ago(row.made_at, clock.now())
        if may_change:
            st.space("stretch")
            st.button(
                "Go back to it", key=f"dataset_back_{row.number}", icon=":material/history:", type="tertiary",
                on_click=_ask, args=(str(row.number),),
            )  # fmt: skip


def _back(dataset: DatasetView, number: int, by: Principal) -> None:
    """What going back would change, and the button that does it. It is for the state that was shown, and no other."""
    agreed = st.session_state.pop(_AGREED, None)
    if agreed is not None and agreed[:2] == (dataset.id, number):
        with st.spinner("Going back…"):
            before = acting.do(
                actions.revert, dataset_id=dataset.id, version=number, seen=agreed[2], by=by, at=clock.now(),
                ids=runtime.current().ids,
            )  # fmt: skip
        if before is not None:
            _leave()
            acting.tell(f"The draft is as in version {number}. What it was is version {before}.")
    way = reads.fresh(versions.way_back, dataset.id, project_ids=(dataset.project_id,), version=number)
    if not way.changes.count:
        st.caption(f"The draft is as in version {number} already.")
    else:
        st.markdown(f"The draft becomes what version {number} is: **{counted(way.changes)}**.")
        if way.unkept.count:
            st.caption(
                f"What is in no version yet ({counted(way.unkept)}) is kept first, as version {dataset.version + 1}. "
                "Nothing is lost: every version stays."
            )
        else:
            st.caption("Nothing is lost: every version stays.")
    with st.container(horizontal=True):
        if way.changes.count:
            st.button(
                f"Go back to version {number}", key="dataset_back_go", type="primary", on_click=_agree,
                args=(dataset.id, number, dataset.changed_at),
            )  # fmt: skip
        st.button("Leave it", key="dataset_back_no", type="tertiary", on_click=_leave)


def counted(sums: Sums) -> str:
    """`3 added, 1 removed`: how many examples differ."""
    told = ((sums.added, "added"), (sums.removed, "removed"), (sums.changed, "changed"))
    return ", ".join(f"{amounts.count(count)} {what}" for count, what in told if count) or "nothing is different"


def _compare(dataset: DatasetView, found: tuple[VersionView, ...]) -> None:
    numbers = [str(row.number) for row in found]
    with st.container(horizontal=True):
        old = _choice("From", "old", [_DRAFT, *numbers, _NOTHING], numbers[0])
        new = _choice("To", "upto", [_DRAFT, *numbers], _DRAFT)
    after = st.query_params.get("after", "")
    mine = (dataset.project_id,)
    since, upto = (None if number == _DRAFT else int(number) for number in (old, new))
    page = reads.fresh(
        versions.diff, dataset.id, project_ids=mine, old=since, new=upto,
        after=addresses.read(after, addresses.MOMENT) or 0, limit=25,
    )  # fmt: skip
    if page.rows:
        st.caption(counted(reads.fresh(versions.sums, dataset.id, project_ids=mine, old=since, new=upto)) + ".")
    else:
        st.caption(f"Nothing is different between {named(old)} and {named(new)}.")
    for change in page.rows:
        _change(change)
    if page.next_after is not None:
        st.button("More changes", key="dataset_changes", on_click=_to, args=(str(page.next_after),))


def _change(change: Change) -> None:
    with st.container(border=True, gap="xsmall"):
        if change.before is None or change.after is None:
            st.badge(str(change.what), color=_COLOURS[change.what])
            one = change.after or change.before
            if one is not None:
                dataset_items.glance(one)
            return
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(str(change.what), color=_COLOURS[change.what])
            st.caption(_parts(change.before, change.after), width="content")
        if change.before.example == change.after.example and change.before.notes == change.after.notes:
            dataset_items.glance(change.after)  # twice the same would be shown
            return
        for column, label, row in zip(st.columns(2), ("Before", "After"), (change.before, change.after), strict=True):
            with column:
                st.caption(label)
                with st.container(horizontal=True, gap="small"):
                    dataset_items.badges(row)
                dataset_items.whole(row)


def _parts(before: ItemView, after: ItemView) -> str:
    """What of an example is different, in a line."""
    told = []
    if before.split != after.split:
        told.append(f"split: {_or_none(before.split)} → {_or_none(after.split)}")
    if before.tags != after.tags:
        told.append(f"tags: {_or_none(', '.join(before.tags))} → {_or_none(', '.join(after.tags))}")
    if before.input != after.input:
        told.append("what is asked")
    if before.expected != after.expected:
        told.append("what is expected")
    if before.notes != after.notes:
        told.append("the notes")
    return " · ".join(told)


def _or_none(text: str) -> str:
    return hostile.sentence(text) if text else "none"


def _choice(label: str, name: str, options: list[str], default: str) -> str:
    key = f"dataset_compare_{name}"
    asked = st.query_params.get(name, default)
    st.session_state[key] = asked if asked in options else default
    return str(st.selectbox(label, options, key=key, format_func=named, on_change=_chosen, args=(name, key), width=150))


def _chosen(name: str, key: str) -> None:
    st.query_params[name] = st.session_state[key]
    st.query_params.pop("after", None)


def _ask(number: str) -> None:
    st.query_params["back"] = st.query_params["upto"] = number
    st.query_params["old"] = _DRAFT
    st.query_params.pop("after", None)


def _leave() -> None:
    for name in ("back", "old", "upto"):
        st.query_params.pop(name, None)


def _agree(dataset_id: int, number: int, seen: datetime | None) -> None:
    st.session_state[_AGREED] = (dataset_id, number, seen)


def _to(after: str) -> None:
    st.query_params["after"] = after
