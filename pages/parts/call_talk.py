"""The words of a call as a conversation: who said what, pictures and sounds, tool calls. All of it is hostile."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.calls.views import Message
from pages.parts import attached, conversation, hostile, tool_shown

_AVATARS = {
    "system": ":material/tune:",
    "developer": ":material/tune:",
    "user": ":material/person:",
    "assistant": ":material/smart_toy:",
    "tool": ":material/build:",
    "function": ":material/build:",
}
_MOST = 200
_LONG = 8_000


def draw(messages: Sequence[Message], *, as_written: bool = False) -> None:
    """Messages in order; Markdown is drawn unless `as_written`. Of a very long conversation the newest are shown."""
    if len(messages) > _MOST:
        st.caption(f"The first {len(messages) - _MOST:,} messages are left out here; the raw request has them all.")
    for message in messages[-_MOST:]:
        _message(message, as_written=as_written)


def _message(message: Message, *, as_written: bool) -> None:
    role = message.role or "assistant"
    with st.chat_message(hostile.line(role, longest=40), avatar=_AVATARS.get(role, ":material/chat:")):
        answers = conversation.said_aside(message, "tool_call_id") or message.name
        st.caption(f"{hostile.label(role)} {hostile.label(answers)}".strip())
        if reasoning := conversation.said_aside(message, "reasoning_content"):
            with st.expander("Reasoning", icon=":material/psychology:"):
                hostile.text(reasoning)
        _words(message.text or conversation.said_aside(message, "refusal"), role, as_written=as_written)
        for item in conversation.media(message):
            attached.draw(item)
        for call in conversation.tools(message):
            tool_shown.draw(call.name, call.arguments)


def _words(text: str, role: str, *, as_written: bool) -> None:
    if not text:
        return
    with st.container(height=420 if len(text) > _LONG else "content", border=False):
        if as_written or role not in {"assistant", "user"}:
            hostile.text(text)
        else:
            hostile.markdown(text)
