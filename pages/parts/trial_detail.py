"""One live test: the decision first, then what it rests on, then what can be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import clock, runtime
from core.people import queries as people
from core.people.rules import Permission, Principal
from core.trials import actions, cards, counting, queries, reading, rules
from core.trials.cards import Card, Said
from core.trials.queries import TrialView
from core.trials.rules import Ending, State
from pages.parts import acting, actors, hostile, links, moments, reads, trial_figures, trial_list
from pages.parts import trial_words as words

_NAMED = "trial_named"


def draw(row: TrialView, by: Principal) -> None:
    """The whole test."""
    st.button(
        "All live tests", key="trial_back", icon=":material/arrow_back:", type="tertiary", on_click=trial_list.opened,
        args=("",),
    )  # fmt: skip
    card = card_of(row)
    said, color = words.STATES[row.state]
    st.title(hostile.label(row.name, longest=130), anchor=False)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.badge(said, color=color)
        if row.ending:
            st.badge(_ending(row, card), color="gray")
        st.caption(
            f"{hostile.sentence(words.tested(row))} · {words.days(row, clock.now())} · covers "
            f"{words.coverage(row.coverage)}",
            width="stretch",
        )
    if row.question:
        st.markdown(hostile.sentence(row.question))
    if card is not None:
        _decision(row, card)
    if by.may(Permission.TRIAL_CHANGE, row.project_id):
        _verbs(row, by, card)
    if row.state is State.ENDED:
        _way_on(row, by)
    if card is not None:
        trial_figures.draw(row, card)
    _plan(row)
    _history(row, by)


def card_of(row: TrialView) -> Card | None:
    """The frozen report of a test that has ended, else what it says now; None of a draft."""
    if row.report is not None:
        return cards.card_in(row.report)
    if row.started_at is None:
        return None
    return reading.card(row.read_by, reads.fresh(counting.counted, row))


def _decision(row: TrialView, card: Card) -> None:
    icon, title = words.decided(card, has_ended=row.state is State.ENDED)
    with st.container(border=True, key="trial_decision", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"### {icon} {title}", width="content")
            st.caption(
                f"{card.seen:,} of {card.planned:,} {row.unit.many}"
                + (", as it stood at the end" if row.state is State.ENDED else ""),
                width="content",
            )
        about = card.promoted or card.leader
        st.markdown(hostile.sentence(card.sentence if about == card.leader else card.of(about).sentence))
        st.caption(f"Why: {words.why(card, about)}")
        if card.changes and row.state is not State.ENDED:
            st.caption(f"What would change it: {hostile.sentence(' '.join(card.changes))}")
        for told in card.between:
            st.caption(hostile.sentence(told))
        if not card.is_off and card.seen:
            for said in card.said:
                if said.number != about:
                    _of_arm(said, card)


def _of_arm(said: Said, card: Card) -> None:
    """An arm that does not lead: in whole sentences, for who asks."""
    name = hostile.sentence(said.name)
    with st.expander(f"{name}, as it was when it was closed" if said.is_closed else f"{name} against A"):
        st.markdown(hostile.sentence(said.sentence))
        st.caption(f"Why: {words.why(card, said.number)}")


def _ending(row: TrialView, card: Card | None) -> str:
    if card is None or card.promoted is None or len(row.arms) == 2:
        return row.ending
    return f"{hostile.sentence(row.arms[card.promoted].name)} {row.ending}"


def _verbs(row: TrialView, by: Principal, card: Card | None) -> None:
    told: dict[str, Any] = {"trial_id": row.id, "by": by, "at": clock.now(), "ids": runtime.current().ids}
    outcome = card.outcome if card else ""
    is_back = outcome in ("keep", "unhealthy", "inconclusive") and not (card and words.is_only_better(card))
    row_of_buttons = st.container(horizontal=True, gap="small", key="trial_verbs")
    below = st.container()  # where a refusal is told: in the row it would push the buttons aside
    with row_of_buttons:
        if row.state is State.DRAFT:
            _start(row, told, f"Start with {words.coverage(row.coverage)}", below)
            if st.button("Remove the draft", key="trial_remove", type="tertiary") and _done(
                below, actions.remove, trial_id=row.id, by=by, at=clock.now()
            ):
                trial_list.opened("")
                acting.tell("Removed.")
        if row.state is State.PAUSED:
            _start(row, told, "Let it run again", below)
        if row.state is State.RUNNING:
            _widen(row, told, below, is_next=outcome == "running")
            if st.button(
                "Pause", key="trial_pause", icon=":material/pause:",
                help="Everybody gets A for now; who had another gets it back later.",
            ) and _done(below, actions.pause, **told):  # fmt: skip
                acting.tell("Paused. Everybody gets A.")
        if row.state in (State.RUNNING, State.PAUSED):
            _promote(row, told, card, is_next=outcome == "ship")
            if len(row.read_by.open) > 1:
                _close(row, told)
            if st.button(
                "Roll back", key="trial_roll_back", icon=":material/undo:",
                type="primary" if is_back else "secondary",
                help="Ends the test: everybody gets A, at once. The report stays.",
            ) and _done(below, actions.roll_back, **told):  # fmt: skip
                acting.tell("Ended. Everybody gets A.")


def _done(below: DeltaGenerator, action: Callable[..., object], **told: Any) -> bool:
    with below:
        return acting.done(action, **told)


def _start(row: TrialView, told: dict[str, Any], label: str, below: DeltaGenerator) -> None:
    if st.button(label, key="trial_start", type="primary", icon=":material/play_arrow:") and _done(
        below, actions.start, **told
    ):
        acting.tell(f"It runs, for {words.coverage(row.coverage)}.")


def _widen(row: TrialView, told: dict[str, Any], below: DeltaGenerator, *, is_next: bool) -> None:
    further = rules.next_step(row.coverage)
    if further is None:
        return
    if st.button(
        f"Cover {words.coverage(further)}", key=f"trial_widen_{further}", icon=":material/open_in_full:",
        type="primary" if is_next else "secondary", help="Nobody who is in the test moves.",
    ) and _done(below, actions.widen, coverage=further, **told):  # fmt: skip
        acting.tell(f"It covers {words.coverage(further)} now.")


def _promote(row: TrialView, told: dict[str, Any], card: Card | None, *, is_next: bool) -> None:
    is_off = card is not None and card.is_off
    with st.popover(
        "Promote" if len(row.arms) > 2 else f"Promote {hostile.sentence(row.arms[1].name)}",
        icon=":material/rocket_launch:", key="trial_promote_door", type="primary" if is_next else "secondary",
    ):  # fmt: skip
        arm = _chosen(row, "trial_promote_arm", card.leader if card else 1)
        name = hostile.sentence(row.arms[arm].name)
        st.markdown(
            f"Ends the test and lets {hostile.label(row.target)} mean {hostile.label(rules.told_arm(row.arms[arm]))} "
            "for everybody. A protected label is asked for: somebody else decides."
        )
        note = st.text_input("Why", key="trial_promote_why", max_chars=500)
        is_blind = is_off and st.checkbox(
            f"The traffic did not split as planned, so nothing is known of {name}. Promote it all the same.",
            key="trial_promote_blind",
        )  # fmt: skip
        if st.button(
            f"Promote {name} for everybody", key="trial_promote", type="primary", disabled=is_off and not is_blind,
            on_click=_name, args=(arm,),
        ):  # fmt: skip
            arm = st.session_state.pop(_NAMED, arm)
            name = hostile.sentence(row.arms[arm].name)
            ending = acting.do(actions.promote, arm=arm, note=note, is_blind=is_blind, **told)
            if ending is not None:
                acting.tell(
                    "Asked for. Until somebody agrees, everybody gets A." if ending is Ending.ASKED else
                    f"{name} is what everybody gets."
                )  # fmt: skip


def _chosen(row: TrialView, key: str, first: int) -> int:
    """One of the arms that are still in the test; not asked where there is one."""
    open_ = row.read_by.open
    first = first if first in open_ else open_[0]
    if len(open_) == 1:
        return first
    chosen = st.segmented_control(
        "Which one?", open_, default=first, key=key, required=True,
        format_func=lambda number: hostile.sentence(row.arms[number].name),
    )  # fmt: skip
    return chosen or first


def _close(row: TrialView, told: dict[str, Any]) -> None:
    with st.popover("Close an arm", icon=":material/block:", key="trial_close_door"):
        arm = _chosen(row, "trial_close_arm", row.read_by.open[-1])
        name = hostile.sentence(row.arms[arm].name)
        st.markdown(f"Who had {name} gets A from now on. The others go on, and what is known of {name} is kept.")
        if st.button(f"Close {name}", key="trial_close", on_click=_name, args=(arm,)):
            arm = st.session_state.pop(_NAMED, arm)
            if acting.done(actions.close_arm, arm=arm, **told):
                acting.tell(f"{hostile.sentence(row.arms[arm].name)} is closed.")


def _name(arm: int) -> None:
    """A button's callback: the arm that stood on it when it was pressed. Meanwhile that one may have been closed, and
    the page would choose another."""
    st.session_state[_NAMED] = arm


def _way_on(row: TrialView, by: Principal) -> None:
    """Where what was tested is changed now: the labels of the prompt, or the aliases."""
    target = rules.prompt_of(row.target)
    if target is not None and by.may(Permission.PROMPT_READ, row.project_id):
        ways: dict[str, str] = {Ending.PROMOTED: ": roll back there", Ending.ASKED: ": decide there"}
        told = ways.get(row.ending, "")
        st.page_link(
            links.PROMPTS, label=f"Labels of {hostile.label(target.name)}{told}", icon=":material/sell:",
            query_params={"prompt": target.name, "view": "labels"},
        )  # fmt: skip
    elif target is None and any(arm.model for arm in row.arms) and by.may(Permission.BACKEND_READ):
        told = ": change it back there" if row.ending == Ending.PROMOTED else ""
        st.page_link(
            links.BACKENDS, label=f"Aliases in Backends and models{told}", icon=":material/dns:",
            query_params={"backends_view": "Aliases", "alias": row.target},
        )  # fmt: skip


def _plan(row: TrialView) -> None:
    """What was decided before: open while it can still be changed, folded away once it runs."""
    if row.started_at is None:
        with st.container(border=True, key="trial_plan", gap="small"):
            st.markdown("**What will be tested**")
            _planned(row)
    else:
        with st.expander("What is tested, and for whom", icon=":material/assignment:"):
            _planned(row)


def _planned(row: TrialView) -> None:
    told = {
        **{hostile.sentence(arm.name): hostile.sentence(rules.told_arm(arm)) for arm in row.arms},
        "Given to": hostile.sentence(f"{row.unit.many}, {words.split(row)}"),
        "Only": hostile.sentence(
            "; ".join(f"{one.tag}: {', '.join(one.values)}" for one in row.conditions) or "no condition"
        ),
        "Apart from other tests": hostile.sentence(words.layer(row)),
        "Widened": words.ramp(row),
        "Planned": f"{row.planned:,} {row.unit.many}",
        "Goal": trial_figures.name(row.measures.goal),
        "Told beside it": ", ".join(map(trial_figures.name, row.measures.secondary)) or "nothing",
        "Must not become worse": "; ".join(
            f"{trial_figures.name(metric)} {trial_figures.told_margin(metric, margin)}"
            for metric, margin in row.measures.margins.items()
        ) or "nothing",
    }  # fmt: skip
    st.table({"": list(told), "Plan": list(told.values())}, border="horizontal", alt="The plan of the test")


def _history(row: TrialView, by: Principal) -> None:
    found = reads.fresh(queries.events, row.id, limit=50)
    names = reads.fresh(people.names, [event.by for event in found])
    with st.expander("What happened", icon=":material/history:"):
        for event in found:
            with st.container(horizontal=True, gap="xsmall"):
                who = hostile.sentence(actors.name(event.by, names, you=by.actor))
                detail = ""
                if event.what == "widened":
                    detail = f": {words.coverage(int(event.detail.get('coverage', 0)))}"
                if event.what == "ended":
                    detail = f": {event.detail.get('ending', '')}"
                if event.what == "closed":
                    detail = f": {hostile.sentence(str(event.detail.get('arm', '')))}"
                st.caption(f"{who} {words.EVENTS.get(event.what, event.what)}{detail}", width="content")
                moments.ago(event.at, clock.now())
