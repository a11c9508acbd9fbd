"""What policies found in a call, and how people stand to it: sent, waiting, decided."""

from __future__ import annotations

import streamlit as st

from core import clock, ids, runtime
from core.calls import queries as calls
from core.calls.record import JUDGES
from core.calls.views import CallView, Payload
from core.guard import queries as guard
from core.guard.findings import Family
from core.guard.policies import Act
from core.people.rules import Permission, Principal
from core.review import actions, queries
from core.review.rules import Source
from pages.parts import access, acting, hostile, policy_words, reads, review_desk, to_dataset

STATES = {"waiting": "waits for people", "settled": "is decided", "expired": "was not decided in time",
          "withdrawn": "was withdrawn"}  # fmt: skip


def draw(call: CallView, said: Payload, by: Principal) -> None:
    """The section; a heading only where there is something under it."""
    mine = (call.project_id,)
    items = reads.fresh(queries.of_call, call.id, project_ids=mine)
    found = reads.fresh(guard.findings, call.id, project_ids=mine)
    noted = call.detail.get("guard")
    if items or found or noted or call.route in JUDGES or by.may(Permission.REVIEW_SEND, call.project_id):
        st.subheader("Policies and review", anchor=False)
    if isinstance(noted, dict):
        _noted(noted)
    for one in found[:50]:
        if one.kind == "failed":
            st.caption(f":material/error: {policy_words.broken(one.family, one.detector)}")
        else:
            where = "question" if one.side == "input" else "answer"
            acted = f": {policy_words.ACTS[Act(one.act)]}" if one.act != Act.PASS else ""
            sure = f", {one.confidence:.0%} sure" if one.family == Family.JUDGE else ""
            st.caption(f"{hostile.sentence(one.family)} ({hostile.sentence(one.kind)}) in the {where}{sure}{acted}")
    _judges(call)
    for item in items:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"In {hostile.label(item.queue_name)}: {stands(item.state, item.verdict)}.", width="content")
            st.page_link(
                access.FOLDER / "review_queue.py", label="Open", icon=":material/open_in_full:",
                query_params={"show": "all", "item": ids.shown("item", item.id)},
            )  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        _send(call, by)
        answer = "\n".join(message.text for message in said.answers)
        to_dataset.draw(said, project_id=call.project_id, by=by, original=answer, final=answer)


def _judges(call: CallView) -> None:
    """The way from a call to what its judges were asked, and back."""
    mine = (call.project_id,)
    if call.route in JUDGES:
        of = reads.fresh(calls.judged, [call.id])
        links, icon = ({"The call that it judges": of[call.id]} if of else {}), ":material/arrow_back:"
    else:
        links, icon = {}, ":material/gavel:"
        for row in reversed(reads.fresh(calls.judges, call.id, project_ids=mine)):
            model = hostile.label("/".join(filter(None, (row.backend, row.model_served or row.model_asked))))
            told = "was asked" if row.status == "ok" else "gave no answer"
            links[f"Judge {model} {told}" + (f" ({len(links) + 1})" if links else "")] = row.id
    for label, call_id in links.items():
        shown = ids.shown("call", call_id)
        st.button(label, key=f"call_judge_{shown}", icon=icon, type="tertiary", on_click=_go, args=(shown,))


def _go(shown: str) -> None:
    st.query_params["call"] = shown


def stands(state: str, verdict: str) -> str:
    """How an item stands, after its queue's name and a colon."""
    return STATES.get(state) or review_desk.WORDS.get(verdict, verdict).lower()


def _noted(noted: dict[str, object]) -> None:
    act, why = str(noted.get("act")), hostile.sentence(str(noted.get("why") or ""))
    words = policy_words.ACTS[Act(act)].capitalize() if act in set(Act) else hostile.sentence(act)
    st.markdown(f"**{words}**" + (f" ({why})" if why else ""))
    delay = noted.get("delay_ms")
    if isinstance(delay, dict):
        st.caption(f"The stream waited {delay.get('mean')} ms on average, {delay.get('most')} ms at most.")
    if noted.get("failed_closed"):
        st.caption(f"Because {hostile.sentence(str(noted['failed_closed']))}.")


def _send(call: CallView, by: Principal) -> None:
    if not by.may(Permission.REVIEW_SEND, call.project_id):
        return
    open_now = [row for row in reads.fresh(queries.queues, project_ids=(call.project_id,)) if row.is_open]
    if not open_now:
        return
    names = {row.id: row.name for row in open_now}
    with (
        st.popover("Send to review", icon=":material/rate_review:"),
        st.form(f"call_send_{call.id}", border=False),
    ):
        queue_id = st.selectbox(
            "Queue", list(names), key=f"call_send_queue_{call.id}", format_func=lambda one: hostile.line(names[one])
        )
        reason = st.text_input("Why should somebody look?", key=f"call_send_why_{call.id}", max_chars=500)
        sent = st.form_submit_button("Send", key=f"call_send_go_{call.id}", type="primary")
    if sent and queue_id is not None and acting.done(
        actions.send, queue_id=queue_id, call_id=call.id, source=Source.MANUAL, by=by, at=clock.now(),
        ids=runtime.current().ids, reason=reason,
    ):  # fmt: skip
        acting.tell("It waits in the queue.")
