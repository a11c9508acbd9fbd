"""The versions of a prompt: what each says, how it did, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import streamlit as st

from core import clock, ids
from core.calls import usage_queries
from core.calls.views import Totals
from core.evals import comparing
from core.experiments import queries as experiments
from core.experiments.queries import RunView, Summed
from core.people import queries as people
from core.people.rules import Permission, Principal
from core.prompts import queries
from core.prompts.views import PromptView, VersionView
from core.review import queries as review
from pages.parts import actors, amounts, experiment_scores, hostile, moments, numbers, reads
from pages.parts import prompt_words as words
from pages.parts.links import CALLS, EXPERIMENTS, PLAYGROUND

DAYS = 30
Scored = tuple[RunView, tuple[Summed, ...]]
_SHOWN = 20
_VERDICTS = {"approve": "approved", "edit": "edited", "reject": "rejected", "unreviewable": "unreviewable"}


def draw(row: PromptView, by: Principal) -> None:
    """Newest first, one of them opened."""
    mine = (row.project_id,)
    before = st.query_params.get("older", "")
    found = reads.fresh(
        queries.version_list, row.id, project_ids=mine, limit=_SHOWN + 1,
        before=numbers.read(before),
    )  # fmt: skip
    now = clock.now()
    start, end = now - timedelta(days=DAYS), now + timedelta(hours=1)
    used = reads.fresh(usage_queries.of_prompt, row.id, project_ids=mine, start=start, end=end)
    judged = reads.fresh(review.of_prompt, row.id, project_ids=mine)
    scored = _scored(row) if by.may(Permission.EXPERIMENT_READ, row.project_id) else {}
    names = reads.fresh(people.names, [one.made_by for one in found])
    opened = st.query_params.get("version", "")
    if not opened and not before and found:
        opened = str(found[0].number)
    for one in found[:_SHOWN]:
        _version(
            row,
            one,
            used.get(one.number),
            judged.get(one.number, {}),
            by,
            names,
            scored,
            is_open=opened == str(one.number),
        )
    with st.container(horizontal=True):
        if before:
            st.button("Newest", key="prompt_newest", on_click=_older, args=("",))
        if len(found) > _SHOWN:
            st.button("Older", key="prompt_older", on_click=_older, args=(str(found[_SHOWN - 1].number),))


def _version(
    row: PromptView,
    one: VersionView,
    used: Totals | None,
    judged: Mapping[str, int],
    by: Principal,
    names: Mapping[str, str],
    scored: Mapping[int, Scored],
    *,
    is_open: bool,
) -> None:
    with st.container(border=True, key=f"prompt_version_{one.number}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                st.markdown(f"**Version {one.number}**", width="content")
                for label, number in row.labels.items():
                    if number == one.number:
                        st.badge(label, color=words.color(label))
                if one.number == row.latest:
                    st.badge("latest", color="gray")
                if one.branch != "main":
                    st.badge(f"branch {one.branch}", color="blue", icon=":material/fork_right:")
                st.caption(actors.name(one.made_by, names, you=by.actor), width="content")
                moments.ago(one.made_at, clock.now())
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                if by.may(Permission.PLAYGROUND_USE, row.project_id):
                    st.page_link(
                        PLAYGROUND, label="Try and change it", icon=":material/science:",
                        query_params={"from": f"{row.name}@{one.number}"},
                    )  # fmt: skip
                st.button(
                    "Close" if is_open else "Show", key=f"prompt_show_{one.number}_{is_open}", type="tertiary",
                    on_click=_open, args=("none" if is_open else str(one.number),),
                )  # fmt: skip
        if one.note:
            st.markdown(hostile.sentence(one.note))
        _did(row, one, used, judged)
        if one.number in scored:
            _scores(*scored[one.number])
        if is_open:
            content(one)


def _did(row: PromptView, one: VersionView, used: Totals | None, judged: Mapping[str, int]) -> None:
    """How a version did: calls, cost, time, errors, verdicts; the number opens the calls behind it."""
    if used is None or not used.calls:
        st.caption(f"Not asked in the last {DAYS} days.")
    else:
        priced = used.calls - used.unpriced
        per_call = amounts.money(used.cost_usd / priced) if priced else "unpriced"
        parts = [
            f"{per_call} a call",
            f"95 % within {amounts.duration(used.p95_ms)}",
            f"{amounts.share(used.errors, used.calls)} errors",
        ]
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.page_link(
                CALLS, label=f"{amounts.count(used.calls, 'call')} in {DAYS} days",
                query_params={"prompt": f"{row.name}@{one.number}", "since": f"{DAYS}d"},
            )  # fmt: skip
            st.caption(" · ".join(parts).replace("$", "\\$"), width="content")
    if judged:
        whole = sum(judged.values())
        told = [f"{_VERDICTS.get(name, name)} {count}" for name, count in sorted(judged.items())]
        st.caption(f"Reviewed {whole}: {', '.join(told)}.")


def _scored(row: PromptView) -> dict[int, Scored]:
    """The newest run of each version that was a variant lately, with what its scorers said of it."""
    found: dict[int, Scored] = {}
    sums: dict[int, tuple[Summed, ...]] = {}
    mine = (row.project_id,)
    for run, arm in reads.fresh(experiments.of_prompt, row.id, project_ids=mine):
        if arm.number is None or arm.number in found or not run.done:
            continue
        if run.id not in sums:
            sums[run.id] = reads.fresh(experiments.summed, run.id, project_ids=mine)
        found[arm.number] = (run, tuple(one for one in sums[run.id] if one.arm == arm.letter and one.n))
    return found


def _scores(run: RunView, scores: Sequence[Summed]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.page_link(
            EXPERIMENTS, label=f"Scored in {hostile.line(run.name, longest=60)}",
            query_params={"experiment": ids.shown("exp", run.id)},
        )  # fmt: skip
        told = []
        for one in scores:
            unit, scale = comparing.shown(one.unit)
            mean = experiment_scores.value((one.mean or 0.0) * scale, unit)
            passed = f", {amounts.share(one.passed, one.judged)} passed" if one.judged else ""
            told.append(f"{one.scorer} {mean}{passed}")
        st.caption(hostile.sentence(" · ".join(told)), width="content")


def content(one: VersionView) -> None:
    """What a version says, as people read it."""
    said = one.content
    settings = [said.parameters.said(), "answers in a schema" if said.schema else "", "has tools" if said.tools else ""]
    st.caption(f"Asks {hostile.label(said.model)} · {' · '.join(part for part in settings if part) or 'its defaults'}")
    for message in said.messages:
        st.caption(f"**{message.speaker.value.capitalize()}**")
        hostile.text(message.text)
        for item in message.attachments:
            st.caption(f"With {hostile.label(item.name or item.media_type)}")
    if said.variables:
        st.table(
            {
                "Variable": [hostile.label(variable.name) for variable in said.variables],
                "Takes": [
                    f"{variable.kind}{'' if variable.is_required else ', optional'}" for variable in said.variables
                ],
                "Example": [hostile.label(variable.example) for variable in said.variables],
            },
            border="horizontal",
            alt="The variables of this version",
        )
    if one.pinned:
        told = ", ".join(f"{hostile.label(name)} (version {number})" for name, number in one.pinned.items())
        st.caption(f"Includes {told}.")
    for name, text in (("Answer schema", said.schema), ("Tools", said.tools)):
        if text:
            with st.expander(name):
                st.code(hostile.clean(text), language=None)


def _open(number: str) -> None:
    st.query_params["version"] = number


def _older(number: str) -> None:
    if number:
        st.query_params["older"] = number
    else:
        st.query_params.pop("older", None)
