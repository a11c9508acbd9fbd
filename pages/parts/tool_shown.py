"""A function a model wants called, as people read it: its name, then one argument to a line. All of it is hostile."""

from __future__ import annotations

import orjson
import streamlit as st

from pages.parts import hostile

_LONGEST = 400


def draw(name: str, arguments: str) -> None:
    """The call; `arguments` is JSON as the model wrote it, which may be none."""
    with st.container(border=True, gap="xxsmall"):
        st.markdown(f":material/build: The model calls {hostile.label(name) or 'a tool without a name'}")
        given = _read(arguments)
        if given is None:
            st.caption("with arguments that are not a list of names and values:")
            hostile.text(arguments)
        elif not given:
            st.caption("without arguments")
        for argument, value in (given or {}).items():
            said = value if isinstance(value, str) else orjson.dumps(value).decode()
            st.markdown(f"{hostile.sentence(argument)}: {hostile.label(said, longest=_LONGEST) or 'empty'}")


def _read(arguments: str) -> dict[str, object] | None:
    try:
        given = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return None
    return given if isinstance(given, dict) else None
