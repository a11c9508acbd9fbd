"""Text a model or a stranger wrote, on a page: readable, and unable to load, run, restyle or lead anywhere by itself.

Whatever did not come from us passes through here: answers, prompts, tags, names of models and users.
"""

from __future__ import annotations

import re

import streamlit as st

from pages.parts import prose

_TICKS = re.compile(r"`+")
_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")
_TURNED = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""What turns the direction of all that follows on a line, our own words too (Unicode Annex 9, explicit formatting)."""


def markdown(text: str) -> None:
    """Text as Markdown: no picture is loaded, links open only from a folded list, no HTML, no directives."""
    st.html(prose.render(text))


def text(text: str) -> None:
    """Text exactly as it was written."""
    st.html(prose.plain(text))


def clean(text: str) -> str:
    """Text every browser and protocol can carry, for `st.code` and text fields."""
    return prose.clean(text)


def label(text: str, *, longest: int = 80) -> str:
    """A short hostile name, safe inside a label, title or sentence of ours: it becomes a code span.

    Streamlit's labels read Markdown, emoji codes and icon names; a code span is the one place where they do not.
    """
    words = _one_line(text)
    words = words if len(words) <= longest else words[: longest - 1] + "…"
    if not words:
        return ""
    fence = "`" * (1 + max((len(run) for run in _TICKS.findall(words)), default=0))
    pad = " " if words[0] == "`" or words[-1] == "`" else ""
    return f"{fence}{pad}{words}{pad}{fence}"


def sentence(text: str) -> str:
    """A sentence of ours that may quote a stranger, for alerts and captions: shown as it is, Markdown disarmed."""
    disarmed = _SPECIAL.sub(r"\\\g<0>", _one_line(text))
    return disarmed.replace("\\:", "&#58;\u200b").replace("\\@", "&#64;\u200b")  # no address becomes a link


def line(text: str, *, longest: int = 160) -> str:
    """The beginning of a text on one line, for a table cell, where nothing is interpreted."""
    words = _one_line(text[: longest * 4])
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _one_line(text: str) -> str:
    return " ".join(_TURNED.sub("�", prose.clean(text)).split())
