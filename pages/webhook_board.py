"""Where applications are told that a held answer has its end: addresses, signing secrets, the log of every try."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.errors import GreenroomError
from core.people.rules import Principal
from core.webhooks import actions, queries, rules
from core.webhooks.queries import DeliveryView, WebhookView
from pages.parts import access, acting, amounts, hostile, moments, reads, states

by = access.require("webhook:change")
project = access.project()
SECRET = "webhook_secret"  # noqa: S105
WORDS = {
    "response.completed": "An answer is released",
    "response.incomplete": "An answer is rejected",
    "response.cancelled": "An answer is withdrawn",
    "response.failed": "An answer could not be made",
    "live_test.ended": "A live test has ended",
    "live_test.arm_closed": "An arm of a live test was closed",
}
STATES = {"waiting": "waits", "gone": "refused for good"}


def shown_once() -> None:
    """A secret that was just made."""
    secret = st.session_state.pop(SECRET, None)
    if secret is not None:
        st.success(
            "Copy it now: it is not shown again. The receiver verifies each message with it.", title="Signing secret"
        )
        st.code(secret, language=None)


def form() -> None:
    """A new webhook."""
    turn = st.session_state.get("webhook_turn", 0)
    with st.expander("New webhook", icon=":material/add:"), st.form(f"webhook_form_{turn}", border=False):
        url = st.text_input("Address", key=f"webhook_url_{turn}", placeholder="https://app.example.org/greenroom")
        events = st.multiselect(
            "Tell when", list(WORDS), default=list(WORDS), key=f"webhook_events_{turn}", format_func=WORDS.__getitem__
        )
        private = st.toggle(
            "It is inside our own network", key=f"webhook_private_{turn}",
            help="Else addresses that are not public are refused.",
        )  # fmt: skip
        made = st.form_submit_button("Create webhook", key=f"webhook_create_{turn}", type="primary")
    if not made:
        return
    pair = acting.do(
        actions.create, project_id=project.id, url=url, events=events, allows_private=private, by=by, at=clock.now(),
        vault=runtime.current().vault,
    )  # fmt: skip
    if pair is not None:
        st.session_state["webhook_turn"] = turn + 1
        st.session_state[SECRET] = pair[1]
        acting.tell("The webhook is on.")


def webhook(row: WebhookView, who: Principal) -> None:
    """One webhook, what can be done with it, and its newest deliveries."""
    with st.container(border=True, key=f"webhook_{row.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{hostile.label(rules.shown_url(row.url), longest=120)}**", width="content")
            st.badge("On" if row.is_on else "Off", color="green" if row.is_on else "gray")
        told = ", ".join(WORDS[one].lower() for one in row.events if one in WORDS)
        st.caption(f"Told when {told}. {amounts.count(row.waiting, 'message')} waiting.")
        if row.off_because:
            st.caption(hostile.sentence(row.off_because))
        with st.container(horizontal=True, gap="small"):
            if st.button("Send a test", key=f"webhook_test_{row.id}", icon=":material/send:", disabled=not row.is_on):
                number, ids = row.id, runtime.current().ids
                if acting.done(actions.test, webhook_id=number, by=who, at=clock.now(), ids=ids):
                    runtime.current().sender.wake()
                    acting.tell("A test message is on its way.")
            if st.button("New secret", key=f"webhook_rotate_{row.id}", icon=":material/key:"):
                secret = acting.do(
                    actions.rotate_secret, webhook_id=row.id, by=who, at=clock.now(), vault=runtime.current().vault
                )
                if secret is not None:
                    st.session_state[SECRET] = secret
                    acting.tell("The secret before it goes on signing for a day.")
            label = "Switch off" if row.is_on else "Switch on"
            if st.button(label, key=f"webhook_switch_{row.id}_{row.is_on}") and acting.done(
                actions.set_on, webhook_id=row.id, is_on=not row.is_on, by=who, at=clock.now()
            ):
                acting.tell("The webhook is off." if row.is_on else "The webhook is on.")
        log(row, who)


@st.fragment(run_every=3)
def log(row: WebhookView, who: Principal) -> None:
    """The newest deliveries, and sending one again."""
    with st.expander("Deliveries", icon=":material/list_alt:"):
        page = reads.fresh(queries.deliveries, webhook_id=row.id, project_ids=(project.id,), limit=20)
        if not page.rows:
            st.caption("Nothing was sent yet.")
        for one in page.rows:
            delivery(one, who)


def delivery(one: DeliveryView, who: Principal) -> None:
    """One message: what came of it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        answered = f", answered {one.http_status}" if one.http_status else ""
        tries = amounts.count(one.tries, "try", plural="tries")
        st.markdown(
            f"{hostile.label(one.event)} {STATES.get(one.state, one.state)} after {tries}{answered}", width="content"
        )
        moments.ago(one.made_at, clock.now())
        if one.state != "waiting" and st.button("Send again", key=f"delivery_{one.id}", type="tertiary"):
            try:
                acting.attempt(actions.redeliver, delivery_id=one.id, by=who, at=clock.now())
                runtime.current().sender.wake()
            except GreenroomError as error:
                acting.show(error)
    if one.error:
        st.caption(hostile.sentence(one.error))


st.title("Webhooks", anchor=False)
st.caption("Applications that do not want to ask again and again are told when people have decided.")
shown_once()
rows = reads.fresh(queries.webhooks, project_ids=(project.id,))
if not rows:
    states.empty(
        "No application is told.",
        "A webhook sends a signed message when a held answer has its end.",
        icon=":material/webhook:",
    )
for found in rows:
    webhook(found, by)
form()
