"""One variant's answers as people read them: words, tool calls, errors, times, tokens, cost; and their spread."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial

import orjson
import streamlit as st
from streamlit.errors import StreamlitAPIException

from core import ids
from core.prompts import answers, schemas
from core.prompts.rules import RunState, Variant
from pages.parts import amounts, hostile, links, play_logprobs, play_state, tool_shown
from pages.parts.play_running import Phase
from pages.parts.play_shown import Shown
from pages.parts.play_words import escaped

FORMATTED, PLAIN, JSON = "Formatted", "Plain", "JSON"
VIEWS = (FORMATTED, PLAIN, JSON)
_ENDS = {
    "length": "Cut off: the answer reached max tokens.",
    "content_filter": "Cut off: the backend's content filter stepped in.",
}


def heading(variant: Variant, ran: tuple[Variant, bool] | None, *, is_alone: bool) -> None:
    """Whose answer stands below."""
    then = ran[0] if ran else variant
    name = hostile.label(then.model) if then.model else ""
    st.markdown(f"**{'Answer' if is_alone else variant.letter}** {name if ran else ''}", width="content")


def standing(ran: tuple[Variant, bool] | None, *, is_alone: bool) -> None:
    """Below the heading: that there is no answer yet, or that the prompt has changed since."""
    if ran is None and is_alone:
        st.caption("What the model says will stand here.")
    elif ran is not None and ran[1]:
        st.caption(":material/history: The prompt has changed since this answer.")


def draw(variant: Variant, shown: Sequence[Shown], *, asked: Variant, view: str) -> None:
    """All answers of a variant, several grouped by what they say. `asked` is the variant as it was run."""
    if len(shown) == 1:
        _one(variant, shown[0], asked=asked, view=view)
    elif shown:
        _spread(variant, shown, asked=asked, view=view)


def body(shown: Shown, *, view: str) -> None:
    """What the answer says, in the view chosen; also while it is coming in."""
    answered = shown.answered
    if view == JSON and shown.raw:
        st.code(_pretty(shown.raw), language=None, wrap_lines=True, height="content")
        return
    if answered.reasoning:
        with st.expander("Thinking", type="compact"):
            hostile.text(answered.reasoning)
    if answered.refusal:
        st.warning("The model declined to answer.", icon=":material/block:")
        hostile.text(answered.refusal)
    if answered.text and view == FORMATTED and (shape := _as_json(answered.text)):
        st.code(shape, language=None, wrap_lines=True, height="content")
    elif answered.text:
        (hostile.markdown if view == FORMATTED else hostile.text)(answered.text)
    for call in answered.tool_calls:
        tool_shown.draw(call.name, call.arguments)


def trouble(shown: Shown) -> None:
    """Why there is no whole answer, in a sentence with the next step."""
    if shown.phase is Phase.FAILED:
        st.error(
            said(shown.error),
            title="The answer broke off." if not shown.answered.is_empty else "No answer.",
            icon=":material/error:",
        )
    elif shown.phase is Phase.STOPPED:
        st.caption(":material/stop_circle: Stopped. What had come is kept.")
    elif shown.phase is Phase.DONE:
        if shown.answered.is_empty:
            st.caption("The model answered with nothing.")
        if ended := _ENDS.get(shown.answered.finish_reason):
            st.caption(f":material/content_cut: {ended}")


def said(error: str) -> str:
    """A backend's sentence, harmless in an alert; with a next step where it names none itself."""
    words = escaped(error)
    return words if ". " in error else f"{words}\n\nRun again, or choose another model."


def facts(shown: Shown) -> str:
    """Times, tokens and cost on one line."""
    parts = []
    if shown.first_token_ms is not None:
        parts.append(f"first token {amounts.duration(shown.first_token_ms)}")
    if shown.total_ms:
        parts.append(f"total {amounts.duration(shown.total_ms)}")
    if shown.is_recorded and not (shown.phase is Phase.FAILED and not shown.tokens_out and not shown.cost_usd):
        est = "est. " if shown.is_estimated else ""
        parts.append(f"{est}{amounts.count(shown.tokens_in, 'token')} in, {shown.tokens_out:,} out")
        parts.append(_cost(shown.cost_usd, is_estimated=shown.is_estimated))
    if shown.is_cached:
        parts.append("from the cache")
    if shown.fallbacks:
        parts.append(f"fell back to {escaped(shown.model_served)}")
    return " · ".join(parts)


def _cost(cost_usd: Decimal | None, *, is_estimated: bool = False) -> str:
    return amounts.money(cost_usd, is_estimated=is_estimated).replace("$", "\\$")


def _one(variant: Variant, shown: Shown, *, asked: Variant, view: str) -> None:
    letter = variant.letter
    is_priced = shown.cost_usd is not None and shown.price_source
    st.caption(facts(shown), help=f"Price: {escaped(shown.price_source)}" if is_priced else None)
    body(shown, view=view)
    trouble(shown)
    _shape(variant, shown)
    if shown.answered.tokens:
        with st.expander("Token probabilities", key=f"playopen_{letter}_logprobs"):
            play_logprobs.draw(shown.answered.tokens, key=f"playtok_{letter}")
    _next(variant, shown, asked)


def _next(variant: Variant, shown: Shown, asked: Variant) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if _may_continue(variant, shown, asked):
            asks_result = bool(shown.answered.tool_calls)
            st.button(
                "Give the tool's result" if asks_result else "Continue the conversation",
                key=f"play_continue_{variant.letter}",
                icon=":material/reply:",
                wrap=True,
                on_click=play_state.change,
                args=(partial(_continued, letter=variant.letter, shown=shown),),
            )
        if shown.is_recorded:
            _link(shown)


def _link(shown: Shown) -> None:
    # a person who may not open Calls has no such page
    with suppress(StreamlitAPIException):
        st.page_link(
            links.CALLS,
            label="Call",
            icon=":material/list_alt:",
            query_params={"call": ids.shown("call", shown.call_id)},
        )


def _may_continue(variant: Variant, shown: Shown, asked: Variant) -> bool:
    """Whether there is an answer to go on from that does not stand in the conversation already."""
    return not shown.answered.is_empty and not variant.holds(shown.answered.as_messages()[0], asked)


def _continued(state: RunState, letter: str, shown: Shown) -> RunState:
    return play_state.answered(letter, *shown.answered.as_messages())(state)


def _shape(variant: Variant, shown: Shown) -> None:
    if not variant.asks_schema or shown.phase is not Phase.DONE or shown.answered.tool_calls:
        return
    wrong = schemas.mismatch(variant.schema, shown.answered.text)
    if wrong:
        st.warning(escaped(wrong), title="The answer does not fit the schema.", icon=":material/rule:")
    else:
        st.markdown(":small[:green[:material/check: The answer fits the schema.]]")


def _spread(variant: Variant, shown: Sequence[Shown], *, asked: Variant, view: str) -> None:
    done = [one for one in shown if one.phase is Phase.DONE]
    failed = [one for one in shown if one.phase is Phase.FAILED]
    if done:
        st.markdown(f"**{_headline(len(shown), variant, done)}**")
        st.caption(_sums(shown))
    by_repeat = {one.repeat: one for one in done}
    for place, group in enumerate(answers.alike([(one.repeat, one.answered.essence) for one in done])):
        first = by_repeat[group.repeats[0]]
        with st.container(border=True, key=f"play_group_{variant.letter}_{place}"):
            is_usual = place == 0 and len(group.repeats) > 1
            st.badge(f"{len(group.repeats)} of {len(shown)}", color="green" if is_usual else "gray")
            body(first, view=view)
            trouble(first)
            _shape(variant, first)
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                if _may_continue(variant, first, asked):
                    st.button(
                        "Continue",
                        key=f"play_continue_{variant.letter}_{place}",
                        icon=":material/reply:",
                        type="tertiary",
                        on_click=play_state.change,
                        args=(partial(_continued, letter=variant.letter, shown=first),),
                    )
                if first.is_recorded:
                    _link(first)
    for error in dict.fromkeys(one.error for one in failed):
        count = sum(1 for one in failed if one.error == error)
        st.error(said(error), title=f"{count} of {len(shown)} gave no answer.")
    if stopped := sum(1 for one in shown if one.phase is Phase.STOPPED):
        st.caption(f":material/stop_circle: {stopped} of {len(shown)} stopped.")


def _headline(asked: int, variant: Variant, done: Sequence[Shown]) -> str:
    distinct = len({one.answered.essence for one in done})
    words = "all the same" if distinct == 1 and len(done) > 1 else f"{distinct} different"
    fits = ""
    if variant.asks_schema:
        good = sum(1 for one in done if not schemas.mismatch(variant.schema, one.answered.text))
        fits = f", {good} of {len(done)} fit the schema"
    return f"{len(done)} of {asked} answered, {words}{fits}"


def _sums(shown: Sequence[Shown]) -> str:
    parts = []
    for words, values in (
        ("first token", [one.first_token_ms for one in shown if one.first_token_ms is not None]),
        ("total", [one.total_ms for one in shown if one.phase is Phase.DONE]),
    ):
        if found := answers.spread(values):
            low, mid, high = (amounts.duration(ms) for ms in (found.least, found.median, found.most))
            parts.append(f"{words} {mid} ({low} to {high})")
    recorded = [one for one in shown if one.is_recorded]
    if recorded:
        parts.append(f"{sum(one.tokens_out for one in recorded):,} tokens out")
        priced = [one.cost_usd for one in recorded if one.cost_usd is not None]
        unpriced = len(recorded) - len(priced)
        parts.append(f"{_cost(sum(priced, Decimal(0)))} together" if priced else "unpriced")
        parts += [f"{unpriced} unpriced"] if unpriced and priced else []
    return " · ".join(parts)


def _as_json(text: str) -> str:
    """An answer that is JSON and nothing else, one value to a line; empty when it is anything else."""
    if text.lstrip()[:1] not in ("{", "["):
        return ""
    try:
        return hostile.clean(orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode())
    except orjson.JSONDecodeError:
        return ""


def _pretty(raw: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(raw), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return raw.decode("utf-8", "replace")
