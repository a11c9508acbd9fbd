"""Write or edit one example as people speak of it: who says what, what is expected, notes and tags; never JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.datasets.rules import Entry, Example, Kind
from core.errors import GreenroomError
from core.prompts import bodies, media
from core.prompts.rules import Attachment
from pages.parts import acting, attached, conversation, hostile
from pages.parts.conversation import Media

ROLES = ("system", "user", "assistant")
_MORE = "dataset_editor_more"


def draw(prefix: str, start: Entry, *, label: str) -> Entry | None:
    """The form; the example when it was submitted. What it cannot show (tool calls) is kept as it is."""
    example = start.example
    messages = list(example.input.get("messages") or ())
    variables = dict(example.input.get("variables") or {})
    more = st.session_state.get(_MORE, {}).get(prefix, (0, 0))
    shown = [*messages, *({"role": _next_role(messages, n), "content": ""} for n in range(more[0]))]
    filled = [*variables.items(), *(("", "") for _ in range(more[1]))]
    with st.form(prefix):
        said = [_message(f"{prefix}_{place}", message, start.files) for place, message in enumerate(shown)]
        files = _files(prefix) if example.kind is Kind.ITEM else []
        given = [_variable(f"{prefix}_v{place}", name, value) for place, (name, value) in enumerate(filled)]
        expected = _expected(prefix, example)
        notes = st.text_area(
            "Notes for whoever judges an answer", hostile.clean(start.notes), key=f"{prefix}_notes", max_chars=10_000,
            height=80,
        )  # fmt: skip
        left, right = st.columns(2)
        tags = left.text_input(
            "Tags", ", ".join(start.tags), key=f"{prefix}_tags", placeholder="refunds, german",
            help="Examples that are alike, such as questions on one text, get one tag that begins with group: as in "
            "group:contract-7. Experiments then do not take them for independent.",
        )  # fmt: skip
        split = right.text_input("Split", start.split, key=f"{prefix}_split", max_chars=32, placeholder="test")
        pressed = st.form_submit_button(label, key=f"{prefix}_save", type="primary")
    with st.container(horizontal=True):
        st.button("Another message", key=f"{prefix}_more", icon=":material/add:", on_click=_add, args=(prefix, 0))
        if example.kind is Kind.ITEM:
            st.button(
                "A variable", key=f"{prefix}_fill", icon=":material/data_object:", on_click=_add, args=(prefix, 1)
            )
    if not pressed:
        return None
    try:
        attachments = [media.attachment(file.name, file.getvalue()) for file in files]
        said = _with_files(said, attachments)
    except GreenroomError as error:
        acting.show(error)
        return None
    told: dict[str, Any] = {name: one for name, one in example.input.items() if name not in ("messages", "variables")}
    if kept := [message for message in said if message is not None]:
        told["messages"] = kept
    if named := {name: value for name, value in given if name}:
        told["variables"] = named
    called = {Media(one.media_type, data_url=one.data_url).mark: one.name for one in attachments}
    return Entry(
        Example(example.kind, told, expected), notes, tuple(tags.replace(";", ",").split(",")), split, start.source,
        start.origin, {**start.files, **called},
    )  # fmt: skip


def forget(prefix: str) -> None:
    """Once it is saved, the form begins anew."""
    st.session_state.get(_MORE, {}).pop(prefix, None)


def _message(key: str, message: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any] | None:
    """A message as it is now; None when its text was taken away."""
    content, role = message.get("content"), str(message.get("role"))
    files = conversation.media_of(content)
    if files and isinstance(content, list):
        others = [part for part in content if part.get("type") != "text"]
        content = conversation.words_of(content)
    if not isinstance(content, str) or role not in ROLES or message.get("tool_calls"):
        st.caption(f"{hostile.label(role)} with more than text: it is kept as it is.")
        return message
    with st.container(border=True, gap="xsmall"):
        spoken = st.segmented_control("Who", ROLES, default=role, key=f"{key}_role", label_visibility="collapsed")
        text = st.text_area(
            "Says", hostile.clean(content), key=f"{key}_text", label_visibility="collapsed", height="content"
        )
        for file in files:
            attached.named(file, names)
        keeps = st.checkbox("Keep what is attached", value=True, key=f"{key}_files") if files else False
    changed = message | {"role": spoken or role, "content": content if text == hostile.clean(content) else text}
    if keeps:
        return changed | {"content": [*_said(str(changed["content"])), *others]}
    return changed if text.strip() else None


def _files(prefix: str) -> list[Any]:
    return st.file_uploader(
        "Attach pictures or sounds to the last message of the user", key=f"{prefix}_attach",
        type=[*media.IMAGE_ENDINGS, *media.AUDIO_ENDINGS], accept_multiple_files=True,
        max_upload_size=media.MOST_FILE_BYTES // 1024 // 1024,
    )  # fmt: skip


def _with_files(said: list[dict[str, Any] | None], files: list[Attachment]) -> list[dict[str, Any] | None]:
    """The messages, the last one of the user with these files; a message of its own where there is none."""
    if not files:
        return said
    parts = [bodies.part_of(file) for file in files]
    for place in reversed(range(len(said))):
        message = said[place]
        if message is not None and message.get("role") == "user":
            content = message.get("content")
            before = content if isinstance(content, list) else _said(str(content or ""))
            return [*said[:place], message | {"content": [*before, *parts]}, *said[place + 1 :]]
    return [*said, {"role": "user", "content": parts}]


def _said(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _variable(key: str, name: str, value: Any) -> tuple[str, Any]:
    with st.container(horizontal=True, vertical_alignment="top"):
        called = st.text_input("Variable", name, key=f"{key}_name", max_chars=100, width=180)
        text = st.text_area("Value", hostile.clean(str(value)), key=f"{key}_value", height=70)
    return called.strip(), value if text == str(value) else text


def _expected(prefix: str, example: Example) -> dict[str, Any] | None:
    if example.kind is Kind.TUNING:
        return None
    if example.kind is Kind.PREFERENCE:
        pair = example.expected or {}
        return {
            name: [_answer(f"{prefix}_{name}", label, (pair.get(name) or [{}])[0])]
            for name, label in (("preferred_output", "The better answer"), ("non_preferred_output", "The worse answer"))
        }
    if example.expected is not None and "content" not in example.expected:
        st.caption("What is expected is data, and kept as it is:")
        hostile.text(str(example.expected.get("json")))
        return example.expected
    answer = _answer(f"{prefix}_expected", "Expected answer (may be left empty)", example.expected or {})
    return answer if str(answer["content"]).strip() else None


def _answer(key: str, label: str, message: dict[str, Any]) -> dict[str, Any]:
    content = str(message.get("content") or "")
    text = st.text_area(label, hostile.clean(content), key=key, height="content")
    return {**message, "role": "assistant", "content": content if text == hostile.clean(content) else text}


def _next_role(messages: list[Any], place: int) -> str:
    roles = [str(message.get("role")) for message in messages if isinstance(message, dict)]
    is_user = (roles[-1:] == ["user"]) == (place % 2 == 0) and bool(roles)
    return "assistant" if is_user else "user"


def _add(prefix: str, which: int) -> None:
    found = dict(st.session_state.get(_MORE, {}))
    counts = list(found.get(prefix, (0, 0)))
    counts[which] += 1
    st.session_state[_MORE] = found | {prefix: tuple(counts)}
