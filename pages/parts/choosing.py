"""A choice of a few, or the one row that is opened, that lives in the URL under a short name.

Streamlit's own binding writes what people read ("last 30 days") into the address, so a link would break with every
change of wording; here the address holds the value ("30d").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import streamlit as st

from pages.parts import hostile


def one(label: str, options: Mapping[str, str], *, key: str, default: str, disabled: bool = False) -> str:
    """One of the options (value → words); `key` is its name in the URL, `default` is left out there."""
    asked = st.query_params.get(key, default)
    now = asked if asked in options else default
    if st.session_state.get(_widget(key)) != now:
        st.session_state[_widget(key)] = now
    st.segmented_control(
        label,
        list(options),
        key=_widget(key),
        format_func=lambda value: options.get(value, value),
        required=True,
        disabled=disabled,
        on_change=_write,
        args=(key, default),
    )
    return now


def apart(options: Mapping[str, str]) -> dict[str, str]:
    """The words of each value on one line, none twice (value → words).

    A browser tells which was chosen by its words, and of two that have the same the first would be meant: who has
    another's name would be taken for them. Two spaces are in no line that was cleaned.
    """
    lines = {value: hostile.line(said) for value, said in options.items()}
    often = Counter(lines.values())
    return {value: f"{said}  ({value})" if often[said] > 1 else said for value, said in lines.items()}


def open_or_close(name: str, value: str, *, key: str) -> None:
    """The button of a row that is opened by `?name=value`, and closed again."""
    is_opened = st.query_params.get(name) == value
    label, icon = ("Close", ":material/expand_less:") if is_opened else ("Open", ":material/expand_more:")
    if st.button(label, key=key, icon=icon, type="tertiary"):
        if is_opened:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value
        st.rerun()


def _write(key: str, default: str) -> None:
    chosen = st.session_state.get(_widget(key))
    if chosen is None or chosen == default:
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = chosen


def _widget(key: str) -> str:
    return f"{key}_choice"
