"""Pictures and sounds of a message as they are: nothing is fetched, and what is no picture is not shown as one."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Mapping

import streamlit as st

from pages.parts import hostile
from pages.parts.conversation import Media

_MOST_BYTES = 12_000_000
# only formats that cannot carry a script; the browser, not this process, decodes them
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")


def named(item: Media, names: Mapping[str, str]) -> None:
    """One attachment, and below it `lamp.png · PNG picture · 12 KB`; `names` has those that do not travel with a
    message, by `Media.mark`."""
    if item.kind != "file":
        draw(item)
    name = hostile.line(item.name or names.get(item.mark, ""), longest=80)
    parts = (name, item.type, _size(item.bytes) if item.bytes else "")
    icon = ":material/attach_file: " if item.kind == "file" else ""
    st.caption(icon + hostile.sentence(" · ".join(filter(None, parts))))


def draw(item: Media) -> None:
    """One picture or sound; a sentence for what cannot be shown."""
    if item.kind == "picture" and len(item.data_url) < _MOST_BYTES and _PICTURE.fullmatch(item.data_url):
        alt = "A picture that was sent with this message"
        st.html(f'<img alt="{alt}" src="{html.escape(item.data_url)}" style="max-width:min(280px,100%)">')
    elif item.kind == "sound" and (sound := _bytes(item.data_url)):
        st.audio(sound, format=item.data_url[5:].partition(";")[0], alt="A sound that was sent with this message")
    elif item.address:
        st.caption(f":material/image: A picture, not loaded: {hostile.label(item.address, longest=200)}")
    else:
        st.caption(f":material/attach_file: A {item.kind} that cannot be shown.")


def _size(count: int) -> str:
    return f"{count / 1024 / 1024:.1f} MB" if count >= 1024 * 1024 else f"{max(1, round(count / 1024)):,} KB"


def _bytes(data_url: str) -> bytes:
    if len(data_url) > _MOST_BYTES:
        return b""
    try:
        return base64.b64decode(data_url.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return b""
