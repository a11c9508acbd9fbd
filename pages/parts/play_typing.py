"""Tells the server what is being typed after a short pause, not only when the field is left.

Streamlit's text area commits on blur or Ctrl+Enter. This invisible component waits for a pause in any text area of
the playground and lets the field commit as if it were left for an instant; focus and cursor stay. So counts follow
the typing, and what was typed is in the store before the tab can crash.

It also commits when something else is pressed: a tap moves the focus and clicks in one go, and a page asked for before
the words were sent would be left again, with the words gone from the screen.
"""

from __future__ import annotations

import streamlit as st

PAUSE_MS = 450

_SCRIPT = """
const PAUSE_MS = __PAUSE__;

function commit(field) {
  if (document.activeElement !== field) return;
  field.dispatchEvent(new FocusEvent("focusout", { bubbles: true }));
  field.dispatchEvent(new FocusEvent("focusin", { bubbles: true }));
}

function ours(field) {
  return field instanceof HTMLTextAreaElement && field.closest('[class*="st-key-play_"]');
}

export default function () {
  const timers = new WeakMap();
  const listen = (event) => {
    const field = event.target;
    if (!ours(field) || event.isComposing) return;
    clearTimeout(timers.get(field));
    timers.set(field, setTimeout(() => commit(field), PAUSE_MS));
  };
  const leave = (event) => {
    const field = document.activeElement;
    if (ours(field) && event.target !== field) commit(field);
  };
  const stop = () => {
    document.removeEventListener("input", listen, true);
    document.removeEventListener("pointerdown", leave, true);
  };
  if (window.greenroomTyping) window.greenroomTyping();
  window.greenroomTyping = stop;
  document.addEventListener("input", listen, true);
  document.addEventListener("pointerdown", leave, true);
  return stop;
}
""".replace("__PAUSE__", str(PAUSE_MS))


_MOUNT = st.components.v2.component("greenroom_typing", js=_SCRIPT)


def follow() -> None:
    """Follow the typing on this page."""
    _MOUNT(key="play_typing")
