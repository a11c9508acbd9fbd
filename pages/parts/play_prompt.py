"""One variant as people write it: its model, its settings, its messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st

from core.catalog.rules import Snapshot
from core.prompts import includes, media, templates
from core.prompts.rules import Attachment, Message, RunState, Speaker, Variant
from pages.parts import amounts, hostile, play_choice, play_settings, play_state, tool_shown
from pages.parts.play_words import escaped

_TITLES = {Speaker.SYSTEM: "System", Speaker.USER: "User", Speaker.ASSISTANT: "Assistant", Speaker.TOOL: "Tool result"}
_HINTS = {
    Speaker.SYSTEM: "Who the model is and how it should answer. Optional.",
    Speaker.USER: "Your question. {{name}} makes a variable.",
    Speaker.ASSISTANT: "What the model is to have said.",
    Speaker.TOOL: "What the tool would have answered.",
}


def draw(variant: Variant, snapshot: Snapshot, *, is_alone: bool) -> None:
    """The whole card of a variant."""
    letter = variant.letter
    with st.container(border=True, key=f"play_card_{letter}"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            _model(variant, snapshot, is_alone=is_alone)
            if not is_alone:
                _button(
                    key=f"play_remove_{letter}",
                    icon=":material/close:",
                    told=f"Remove variant {letter}",
                    change=partial(RunState.removed, letter=letter),
                )
        play_settings.draw(variant)
        image, audio = play_choice.takes(snapshot, variant.model)
        for message in variant.messages:
            _message(letter, message, image=image, audio=audio)
        _more(variant)
        _not_sent(variant, image=image, audio=audio)


def _model(variant: Variant, snapshot: Snapshot, *, is_alone: bool) -> None:
    names = play_choice.names(snapshot)
    if variant.model and variant.model not in names:
        names.append(variant.model)
    st.selectbox(
        "Model" if is_alone else f"{variant.letter} · Model",
        names,
        key=play_state.key(variant.letter, "model"),
        format_func=partial(play_choice.label, snapshot),
        placeholder="Choose a model",
        accept_new_options=True,
        help="Aliases first, then backend/model. A model that is not listed can be typed.",
        persist_state=play_state.KEPT,
    )


def _message(letter: str, message: Message, *, image: bool, audio: bool) -> None:
    title = _TITLES[message.speaker]
    if message.speaker is Speaker.TOOL and message.tool_name:
        title = f"Result of {hostile.label(message.tool_name)}"
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall"):
            st.markdown(f"**{title}**", width="stretch")
            if message.speaker is Speaker.USER:
                _attach(letter, message, image=image, audio=audio)
            _button(
                key=f"play_drop_{letter}_{message.mark}",
                icon=":material/delete:",
                told=f"Remove this message ({title.lower()})",
                change=play_state.dropped(letter, message.mark),
            )
        for call in message.tool_calls:
            tool_shown.draw(call.name, call.arguments)
        if not message.tool_calls or message.text:
            st.text_area(
                f"{_TITLES[message.speaker]} message {message.mark}, variant {letter}",
                key=play_state.message_key(letter, message.mark),
                placeholder=_HINTS[message.speaker],
                height="content",
                label_visibility="collapsed",
                persist_state=play_state.KEPT,
            )
        for place, item in enumerate(message.attachments):
            _attachment(letter, message, place, item)
        if message.speaker is Speaker.USER and play_state.is_attaching(letter, message.mark):
            _uploader(letter, message, image=image, audio=audio)
        if message.is_template and (wrong := templates.mistake(includes.blanked(message.text))):
            st.markdown(f":small[:red[:material/error: {escaped(wrong)}]]")


def _attach(letter: str, message: Message, *, image: bool, audio: bool) -> None:
    """The clip: it opens and closes the place for files.

    Not a popover: one that is left while a file is on its way takes the file with it.
    """
    told = f"Attach {_takes(image=image, audio=audio)}"
    if not image and not audio:
        # it stays in its place, so that people learn that there is such a thing
        told = (
            "This model takes no pictures or sounds, as far as is known. If it does, mark it so under Backends "
            "and models."
        )
    st.button(
        "",
        key=f"play_clip_{letter}_{message.mark}",
        icon=":material/attach_file:",
        type="tertiary",
        help=told,
        disabled=not image and not audio,
        on_click=play_state.toggle_attaching,
        args=(letter, message.mark),
    )


def _uploader(letter: str, message: Message, *, image: bool, audio: bool) -> None:
    kinds = [*(media.IMAGE_ENDINGS if image else ()), *(media.AUDIO_ENDINGS if audio else ())]
    if not kinds:
        return
    upload_key = play_state.upload_key(letter, message.mark)
    st.file_uploader(
        f"Attach {_takes(image=image, audio=audio)}",
        type=kinds,
        accept_multiple_files=True,
        max_upload_size=media.MOST_FILE_BYTES // 1024 // 1024,
        key=upload_key,
        on_change=play_state.attach,
        args=(letter, message.mark, upload_key),
    )


def _takes(*, image: bool, audio: bool) -> str:
    return "a picture or sound" if image and audio else "a picture" if image else "a sound"


def _attachment(letter: str, message: Message, place: int, item: Attachment) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        shown = item.name if len(item.name) <= 40 else item.name[:39] + "…"
        data = media.content(item)
        if item.is_image and item.media_type != "image/svg+xml":
            try:
                st.image(data, width=96, alt=f"Attached picture {shown}")
            except Exception:
                # a damaged file is the model's to refuse; the page goes on
                st.caption("This picture cannot be shown.")
        elif data and not item.is_image:
            st.audio(data, format=item.media_type, width=220, alt=f"Attached sound {shown}")
        st.caption(f"{hostile.label(shown)} · {amounts.count(max(1, item.size // 1024))} KB", width="content")
        _button(
            key=f"play_detach_{letter}_{message.mark}_{place}",
            icon=":material/close:",
            told=f"Take {shown} off",
            change=play_state.detach(letter, message.mark, place),
        )


def _more(variant: Variant) -> None:
    letter = variant.letter
    with st.container(horizontal=True, gap="xsmall"):
        for speaker in (Speaker.USER, Speaker.ASSISTANT):
            _button(
                _TITLES[speaker],
                key=f"play_add_{speaker.value}_{letter}",
                icon=":material/add:",
                told=f"Add a message of the {_TITLES[speaker].lower()}",
                change=play_state.added(letter, Message(speaker)),
            )
        if not any(m.speaker is Speaker.SYSTEM for m in variant.messages):
            _button(
                "System",
                key=f"play_add_system_{letter}",
                icon=":material/add:",
                told="Add a system message, before the others",
                change=partial(_with_system, letter=letter),
            )


def _button(label: str = "", *, key: str, icon: str, told: str, change: Callable[[RunState], RunState]) -> None:
    """A quiet button that changes what is typed."""
    st.button(label, key=key, icon=icon, help=told, type="tertiary", on_click=play_state.change, args=(change,))


def _with_system(state: RunState, letter: str) -> RunState:
    variant = state.variant(letter)
    if variant is None:
        return state
    grown = variant.said(Message(Speaker.SYSTEM))
    return state.changed(replace(grown, messages=(grown.messages[-1], *variant.messages)))


def _not_sent(variant: Variant, *, image: bool, audio: bool) -> None:
    attached = [a for m in variant.messages for a in m.attachments]
    if any(not (image if a.is_image else audio) for a in attached):
        st.warning(
            "Choose a model that takes them, or mark it so under Backends and models.",
            title="Files stay here and are not sent: this model does not take them.",
            icon=":material/attach_file_off:",
        )
