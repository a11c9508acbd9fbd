"""The examples of a dataset: found, looked at, edited, removed and put back; a page at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from core import clock, ids, runtime
from core.datasets import actions, queries
from core.datasets.queries import DatasetView, ItemView
from core.datasets.rules import Entry, Example, Kind
from core.people.rules import Permission, Principal
from pages.parts import (
    access,
    acting,
    attached,
    choosing,
    conversation,
    dataset_editor,
    dataset_list,
    hostile,
    moments,
    numbers,
    reads,
    states,
)

_REMOVED = "dataset_removed"
_NONE = "(none)"
_FILES = {"image_url": "a picture", "input_audio": "a sound", "file": "a file"}
_ANSWERS = ("content", "json", "preferred_output")
_SOURCES = {"call": "a call", "item": "a reviewed answer", "eval": "an eval file"}
_NAMES = {
    "content": "Expected",
    "json": "Expected data",
    "preferred_output": "The better answer",
    "non_preferred_output": "The worse answer",
}


def draw(dataset: DatasetView, by: Principal) -> None:
    """The filters, the examples, and the form for a new one."""
    may_change = by.may(Permission.DATASET_CHANGE, dataset.project_id)
    undo(dataset, by)
    asked = st.query_params
    _filters(dataset)
    split = asked.get("split")
    before = asked.get("before", "")
    page = reads.fresh(
        queries.items, dataset_id=dataset.id, project_ids=(dataset.project_id,),
        kind=Kind(asked["kind"]) if asked.get("kind") in set(Kind) else None,
        split=None if split is None else split.removeprefix(_NONE), tag=asked.get("tag", ""), words=asked.get("q", ""),
        before=numbers.read(before, numbers.MOMENT), limit=25,
    )  # fmt: skip
    if may_change:
        _new(dataset, by)
    if not page.rows:
        _nothing(dataset)
    for row in page.rows:
        _row(row, dataset, by, may_change=may_change)
    if page.next_at is not None:
        st.button(
            "Older",
            key="dataset_older",
            icon=":material/chevron_right:",
            on_click=_to,
            args=("before", str(page.next_at)),
        )


def undo(dataset: DatasetView, by: Principal) -> None:
    """What was removed a moment ago, and the way back."""
    dataset_id, removed = st.session_state.get(_REMOVED, (0, ()))
    if dataset_id != dataset.id or not removed:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        count = len(removed)
        st.markdown(f":material/delete: {'One example was' if count == 1 else f'{count} examples were'} removed.")
        pressed = st.button("Undo", key="dataset_undo", icon=":material/undo:", type="tertiary")
    if pressed and acting.done(actions.restore, dataset_id=dataset.id, removed=removed, by=by, at=clock.now()):
        st.session_state.pop(_REMOVED)
        acting.tell("They are back." if count > 1 else "It is back.", icon=":material/undo:")


def remove(dataset: DatasetView, keys: Sequence[int], by: Principal) -> None:
    """Remove examples, remember how to put them back, draw anew."""
    removed = acting.do(actions.remove, dataset_id=dataset.id, keys=keys, by=by, at=clock.now())
    if removed is not None:
        st.session_state[_REMOVED] = (dataset.id, removed)
        st.rerun()


def glance(row: ItemView) -> None:
    """The last thing that is asked, and what is expected, on a line each."""
    messages = list(row.input.get("messages") or ())
    last = messages.pop() if row.kind is Kind.TUNING and len(messages) > 1 else None
    if messages:
        hostile.text(hostile.line(_words(messages[-1].get("content")), longest=240))
    elif row.input.get("variables"):
        told = ", ".join(f"{name} = {value}" for name, value in row.input["variables"].items())
        hostile.text(hostile.line(told, longest=240))
    if last is not None:
        answer(_words(last.get("content")))
    elif row.expected:
        answer(_words(next((row.expected[name] for name in _ANSWERS if name in row.expected), None)))


def answer(text: str) -> None:
    """The beginning of what is expected, under its question."""
    st.caption(f":material/subdirectory_arrow_right: {hostile.sentence(hostile.line(text, longest=240))}")


def whole(row: ItemView) -> None:
    """Everything an example says."""
    for message in row.input.get("messages") or ():
        st.caption(hostile.label(str(message.get("role"))))
        content = message.get("content")
        files = conversation.media_of(content)
        if words := conversation.words_of(content) if files else _words(content):
            hostile.text(words[:20_000])
        for file in files:
            attached.named(file, row.files)
    for name, value in (row.input.get("variables") or {}).items():
        st.caption(f"Variable {hostile.label(str(name))}")
        hostile.text(str(value)[:20_000])
    for name, told in (row.expected or {}).items():
        if name != "role":
            st.caption(_NAMES.get(name, hostile.label(name.replace("_", " "))))
            hostile.text(_words(told)[:20_000])
    if row.notes:
        st.caption("Notes for whoever judges an answer")
        hostile.text(row.notes)


def came_from(row: ItemView) -> str:
    """What an example was made from, as people call it; "" when it was written here."""
    if row.origin or not row.source:
        return row.origin
    kind, _, rest = row.source.partition("_")
    if kind == "file" and (told := re.fullmatch(r"[0-9a-f]{16}_(\d+)", rest)):
        return f"a file, row {int(told[1]):,}"
    return _SOURCES.get(kind, row.source) if rest else row.source


def badges(row: ItemView) -> None:
    """Kind, split and tags."""
    st.badge(dataset_list.KINDS[row.kind], color="gray")
    if row.split:
        st.badge(hostile.label(row.split), color="blue")
    for tag in row.tags[:6]:
        st.badge(hostile.label(tag), color="green")


def _row(row: ItemView, dataset: DatasetView, by: Principal, *, may_change: bool) -> None:
    shown = str(row.key)
    is_open = st.query_params.get("item") == shown
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            badges(row)
            moments.ago(row.made_at, clock.now())
            st.space("stretch")
            choosing.open_or_close("item", shown, key=f"dataset_item_{shown}")
        if not is_open:
            glance(row)
            return
        whole(row)
        with st.container(horizontal=True, vertical_alignment="center"):
            if row.call_id is not None:
                call = {"call": ids.shown("call", row.call_id)}
                st.page_link(access.FOLDER / "call_list.py", label="Its call", query_params=call)
            elif origin := came_from(row):
                st.caption(f"From {hostile.sentence(origin)}", width="content")
            if may_change:
                gone = st.button("Remove", key=f"dataset_remove_{shown}", icon=":material/delete:", type="tertiary")
        if may_change:
            if gone:
                remove(dataset, [row.key], by)
            with st.expander("Edit", icon=":material/edit:"):
                _edit(row, dataset, by)


def _edit(row: ItemView, dataset: DatasetView, by: Principal) -> None:
    prefix = f"dataset_edit_{row.id}"
    entry = dataset_editor.draw(prefix, row.entry, label="Save")
    if entry is not None and acting.done(
        actions.edit, dataset_id=dataset.id, key=row.key, seen=row.id, entry=entry, by=by, at=clock.now(),
        ids=runtime.current().ids,
    ):  # fmt: skip
        dataset_editor.forget(prefix)
        acting.tell("Saved.")


def _new(dataset: DatasetView, by: Principal) -> None:
    with st.expander("Write an example", icon=":material/add:"):
        kinds = dataset_list.KINDS
        chosen = st.radio("As", list(kinds), key="dataset_new_kind", format_func=kinds.__getitem__, horizontal=True)
        kind = Kind(chosen or Kind.ITEM)
        number = st.session_state.get("dataset_new_number", 0)
        messages = [{"role": "user", "content": ""}]
        if kind is Kind.TUNING:
            messages.append({"role": "assistant", "content": ""})
        prefix = f"dataset_write_{kind}_{number}"
        entry = dataset_editor.draw(prefix, Entry(Example(kind, {"messages": messages})), label="Add")
        if entry is not None and acting.done(
            actions.write, dataset_id=dataset.id, entry=entry, by=by, at=clock.now(), ids=runtime.current().ids
        ):
            dataset_editor.forget(prefix)
            st.session_state["dataset_new_number"] = number + 1
            acting.tell("Added.")


def _filters(dataset: DatasetView) -> None:
    mine = (dataset.project_id,)
    splits = reads.fresh(queries.by_split, dataset.id, project_ids=mine)
    tags = reads.fresh(queries.tags, dataset.id, project_ids=mine)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state["dataset_words"] = st.query_params.get("q", "")
        st.text_input(
            "Search", key="dataset_words", placeholder="words of the question or answer", icon=":material/search:",
            max_chars=200, on_change=_from_widget, args=("q", "dataset_words"),
        )  # fmt: skip
        _choice("Kind", "kind", {str(kind): words for kind, words in dataset_list.KINDS.items()})
        if set(splits) - {""}:
            named = {split or _NONE: f"{split or 'without one'} ({count:,})" for split, count in splits.items()}
            _choice("Split", "split", named)
        if tags:
            _choice("Tag", "tag", {tag: tag for tag in tags})


def _choice(label: str, name: str, options: dict[str, str]) -> None:
    key = f"dataset_by_{name}"
    asked = st.query_params.get(name, "")
    st.session_state[key] = asked if asked in options else ""
    st.selectbox(
        label, ["", *options], key=key, width=150, on_change=_from_widget, args=(name, key),
        format_func=lambda value: hostile.line(options.get(value, "all")),
    )  # fmt: skip


def _nothing(dataset: DatasetView) -> None:
    if dataset.count and st.query_params.get("kind") in set(Kind):
        states.empty("There is no example of this kind here.", "Choose another kind, or write or import one.")
    elif dataset.count:
        states.empty("No example is like that.", "Search for other words, or choose another split or tag.")
    else:
        states.empty("There is no example here yet.", "Write one, import a file, or take some from calls.")


def _words(told: object) -> str:
    """The words of a message's content, of a preference's messages, or of data."""
    parts = told if isinstance(told, list) else [told]
    return "\n".join(_word(part) for part in parts if part is not None)


def _word(part: object) -> str:
    if not isinstance(part, dict):
        return str(part)
    said = part.get("text", part.get("content"))
    kind = str(part.get("type", "data"))
    return str(said) if isinstance(said, str) else f"({_FILES.get(kind, kind.replace('_', ' '))})"


def _to(name: str, value: str) -> None:
    st.query_params[name] = value


def _from_widget(name: str, key: str) -> None:
    st.query_params.pop("before", None)
    if value := st.session_state[key]:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)
