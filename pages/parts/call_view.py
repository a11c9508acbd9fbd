"""One recorded call as people read it: what happened, what it took, what it cost and why. Raw JSON is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import streamlit as st

from core.calls.views import CallRow, CallView
from pages.parts import amounts, call_time, charts, hostile, moments

Color = Literal["green", "red", "orange", "gray"]
STATUS: Mapping[str, tuple[str, Color, str]] = {
    "ok": ("answered", "green", ":material/check_circle:"),
    "upstream_error": ("failed", "red", ":material/error:"),
    "refused": ("refused", "orange", ":material/block:"),
    "cancelled": ("caller left", "gray", ":material/logout:"),
}
_RATES = {
    "input_mtok": "input",
    "input_text_mtok": "input",
    "cache_read_mtok": "cached input",
    "cache_text_read_mtok": "cached input",
    "output_mtok": "output",
    "output_text_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "requests_kcount": "1,000 requests",
}


def _ended(row: CallRow) -> tuple[str, Color, str]:
    return STATUS.get(row.status, (hostile.line(row.status), "gray", ""))


def status(row: CallRow) -> str:
    """How a call ended, in a word or two, for a list."""
    words = _ended(row)[0]
    if row.cache:
        return f"{words}, cached"
    return words if row.status in {"ok", "cancelled"} else f"{words} {row.http_status}"


def badges(row: CallRow) -> None:
    """How it ended and what was special about it."""
    words, color, icon = _ended(row)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", width="content"):
        st.badge(words if row.status == "ok" else f"{words} · {row.http_status}", color=color, icon=icon or None)
        if row.cache:
            st.badge("from the cache", color="blue", icon=":material/cached:")
        if row.is_stream:
            st.badge("streamed", color="gray", icon=":material/stream:")
        if row.retries:
            st.badge(amounts.count(row.retries, "retry", plural="retries"), color="orange", icon=":material/replay:")
        if row.fallbacks:
            st.badge("answered by a fallback", color="orange", icon=":material/alt_route:")
        if row.finish_reason == "length":
            st.badge("cut off at the token limit", color="orange", icon=":material/content_cut:")


def when(row: CallRow, now: datetime) -> None:
    """Relative, the exact moment on hover."""
    moments.ago(row.at, now)


def numbers(row: CallRow) -> None:
    """Time, tokens and money, each with its unit."""
    with st.container(horizontal=True):
        st.metric("Total time", amounts.duration(row.total_ms), border=True, width="content")
        st.metric("First token", amounts.duration(row.first_token_ms), border=True, width="content")
        st.metric("Tokens in", _tokens(row.tokens_in, row), border=True, width="content")
        st.metric("Tokens out", _tokens(row.tokens_out, row), border=True, width="content")
        st.metric(
            "Cost",
            amounts.money(row.cost_usd, is_estimated=row.is_estimated),
            border=True,
            width="content",
            help=f"Price: {hostile.label(row.price_source)}" if row.price_source else None,
        )


def facts(call: CallView) -> None:
    """Who asked what of whom; empty ones are left out."""
    asked = f"{hostile.label(call.model_asked)}"
    alias = f"{hostile.label(call.alias)}, version {call.alias_version}" if call.alias else ""
    prompt = ""
    if call.prompt_version is not None:
        name = call.model_asked.removeprefix("prompt:").partition("@")[0]
        prompt = f"{hostile.label(name)}, version {call.prompt_version}"
    served = "/".join(part for part in (call.backend, call.model_served) if part)
    lines = {
        "Model asked": asked,
        "Alias": alias,
        "Prompt": prompt,
        "Answered by": hostile.label(served),
        "Ended because": hostile.label(call.finish_reason),
        "Error": hostile.label(call.error_kind),
        "Route": hostile.label(call.route),
        "Asked with": hostile.label(call.key_name or call.actor),
        "End user": hostile.label(call.end_user),
        "Session": hostile.label(call.session),
        "Moment": moments.exact(call.at),
        "Request id": hostile.label(call.request_id),
        "Response id": hostile.label(call.response_id),
        **{f"Tag {hostile.label(name, longest=30)}": hostile.label(value) for name, value in call.tags},
    }
    st.table(
        {name: value for name, value in lines.items() if value},
        border="horizontal",
        alt="What is known of this call",
    )


def timings(call: CallView) -> None:
    """The waterfall, with its sentence."""
    says = call_time.says(call)
    st.caption(says)
    charts.draw(charts.waterfall(call_time.stretches(call)), key="call_waterfall", alt=f"Where the time went: {says}")


def price(call: CallView) -> None:
    """The cost, where its price came from, and the entry of the price list that matched."""
    if call.cost_usd is None:
        st.warning(
            "Nobody knows this model's price, so its cost is missing from every sum. Set a price under Backends.",
            title="Unpriced",
            icon=":material/money_off:",
        )
        return
    cost = amounts.money(call.cost_usd, is_estimated=call.is_estimated).replace("$", "\\$")
    st.markdown(f"**{cost}**, by {hostile.label(call.price_source)}")
    if call.is_estimated:
        st.caption("The backend named no token counts, so they are our own and the cost is an estimate.")
    entry = call.detail.get("price")
    if isinstance(entry, dict):
        _entry(call, entry)


def _entry(call: CallView, entry: dict[str, Any]) -> None:
    matched = "/".join(str(entry[name]) for name in ("provider", "backend", "model") if entry.get(name))
    lines = {"Matched entry": hostile.label(matched)}
    if entry.get("starts_at"):
        lines["In effect since"] = hostile.label(str(entry["starts_at"])[:10])
    rates = entry.get("prices")
    for name, rate in rates.items() if isinstance(rates, dict) else ():
        if rate is not None and name in _RATES:
            per = "" if name == "requests_kcount" else " per million tokens"
            lines[f"Price of {_RATES[name]}"] = f"{_rate(rate)}{per}"
    lines["Tokens in"] = _parts(call.tokens_in, call.tokens_cached, "cached")
    lines["Tokens out"] = _parts(call.tokens_out, call.tokens_reasoning, "reasoning")
    st.table(lines, border="horizontal", width="content", alt="The price that was applied")


def _rate(rate: Any) -> str:
    if isinstance(rate, dict):
        tiers = ", ".join(f"{tier.get('usd')} above {tier.get('above_tokens')}" for tier in rate.get("tiers") or ())
        return hostile.label(f"{rate.get('usd')} dollars ({tiers})")
    return f"\\${hostile.line(str(rate), longest=20)}"


def _parts(tokens: int, of_these: int, what: str) -> str:
    return f"{amounts.tokens(tokens)}, {of_these:,} of them {what}" if of_these else amounts.tokens(tokens)


def _tokens(number: int, row: CallRow) -> str:
    return f"est. {amounts.count(number)}" if row.is_estimated else amounts.count(number)
