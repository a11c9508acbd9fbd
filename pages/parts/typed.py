"""What is typed reaches the server, whatever its reader does next.

Streamlit's fields commit when they are left. This invisible component sees to two things that go wrong then. A link to
another page waits until the words have arrived: Streamlit drops a run that it has not begun when the next request
comes, words and all, and a tap, which moves the focus and clicks in one go, may even send the two the wrong way round,
so that the reader stays where they were. And on the playground words are also sent after a short pause in typing, as
if the field were left for an instant (focus and cursor stay): counts follow the typing, and what was typed is in the
store before the tab can crash.
"""

from __future__ import annotations

import streamlit as st

_SCRIPT = """
// how long a pause in typing is; how long a link waits for a run that does not begin, and for one that does not end
const PAUSE_MS = 450, NEVER_RAN_MS = 1000, PATIENCE_MS = 3000, QUIET_MS = 150;

// kept over drawings of the component
const unsent = new WeakSet();
let onTheWay = 0, next = null;

function commit(field) {
  if (document.activeElement !== field) return;
  field.dispatchEvent(new FocusEvent("focusout", { bubbles: true }));
  field.dispatchEvent(new FocusEvent("focusin", { bubbles: true }));
}

const FIELDS = ["stTextArea", "stTextInput", "stNumberInput"].map((name) => `[data-testid=${name}] *`).join();

function ours(field) { // one that is sent when it is left; those of a form are when its button is pressed
  return field instanceof Element && field.matches("input, textarea") && field.matches(FIELDS)
    && !field.closest("[data-testid=stForm]");
}

function follows(field) {
  return field.matches("textarea") && field.closest('[class*="st-key-play_"]');
}

function isRunning() {
  return document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === "running";
}

// resolves when the run that takes the words has come and gone; what ran before it may end in between
async function taken() {
  const start = performance.now();
  let ran = isRunning(), quiet = ran ? QUIET_MS : 0, since = start;
  for (;;) {
    await new Promise((done) => setTimeout(done, 20));
    const now = performance.now();
    if (isRunning()) [ran, since] = [true, now];
    else if (now - since >= (ran ? quiet : NEVER_RAN_MS)) return;
    if (now - start > PATIENCE_MS) return;
  }
}

function leads(event) {
  const link = event.target instanceof Element && event.target.closest("a[href]");
  if (!link || link.target === "_blank" || link.origin !== location.origin) return null;
  return event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey ? null : link;
}

export default function () {
  const timers = new WeakMap();
  const listen = (event) => {
    const field = event.target;
    if (!ours(field)) return;
    unsent.add(field);
    if (event.isComposing || !follows(field)) return;
    clearTimeout(timers.get(field));
    timers.set(field, setTimeout(() => commit(field), PAUSE_MS));
  };
  const sent = async (event) => {
    if (!unsent.delete(event.target)) return;
    onTheWay += 1;
    await taken();
    onTheWay -= 1;
    const link = next;
    if (onTheWay || !link) return;
    next = null;
    if (link.isConnected) link.click();
    else location.assign(link.href);
  };
  const entered = (event) => { // what Enter has sent is not sent again when the field is left
    const sends = event.ctrlKey || event.metaKey || event.target instanceof HTMLInputElement;
    if (event.key === "Enter" && sends) sent(event);
  };
  const hold = (event) => {
    const link = leads(event);
    if (!link || !onTheWay) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    next = link;
  };
  const leave = (event) => {
    const field = document.activeElement;
    if (ours(field) && event.target !== field) commit(field);
  };
  const stop = () => {
    document.removeEventListener("input", listen, true);
    document.removeEventListener("pointerdown", leave, true);
    document.removeEventListener("focusout", sent, true);
    document.removeEventListener("keydown", entered, true);
    document.removeEventListener("click", hold, true);
  };
  if (window.greenroomTyping) window.greenroomTyping();
  window.greenroomTyping = stop;
  document.addEventListener("input", listen, true);
  document.addEventListener("pointerdown", leave, true);
  document.addEventListener("focusout", sent, true);
  document.addEventListener("keydown", entered, true);
  document.addEventListener("click", hold, true);
  return stop;
}
"""

_MOUNT = st.components.v2.component("greenroom_typed", js=_SCRIPT)


def follow() -> None:
    """See to it on every page."""
    with st.container(key="shell_typed"):
        _MOUNT(key="typed")
