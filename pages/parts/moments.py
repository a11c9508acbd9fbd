"""Moments as people read them: relative in a list, exact on hover, always in the reader's own time zone."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def zone() -> ZoneInfo:
    """The reader's time zone as the browser says it; UTC where there is no browser."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def exact(at: datetime, *, in_zone: ZoneInfo | None = None) -> str:
    """`Mon 23 Nov 2026, 14:05:09.123 CET`."""
    local = at.astimezone(in_zone or zone())
    return f"{local:%a %-d %b %Y, %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}"


def short(at: datetime, *, in_zone: ZoneInfo | None = None) -> str:
    """`23 Nov, 14:05`: enough inside one year."""
    return f"{at.astimezone(in_zone or zone()):%-d %b, %H:%M}"


def relative(at: datetime, now: datetime) -> str:
    """`just now`, `40 s ago`, `5 min ago`, `3 h ago`, `2 days ago`, `in 5 min`."""
    seconds = (now - at).total_seconds()
    ahead, seconds = seconds < 0, abs(seconds)
    if seconds < 5:
        return "just now"
    if seconds < 60:
        span = f"{seconds:.0f} s"
    elif seconds < 3600:
        span = f"{seconds // 60:.0f} min"
    elif seconds < 48 * 3600:
        span = f"{seconds // 3600:.0f} h"
    else:
        span = f"{seconds // 86400:.0f} days"
    return f"in {span}" if ahead else f"{span} ago"


def ago(at: datetime, now: datetime) -> None:
    """A moment on the page: relative, the exact one on hover."""
    st.html(
        f'<time datetime="{html.escape(at.astimezone(UTC).isoformat())}" title="{html.escape(exact(at))}" '
        f'style="opacity:.75;font-size:.875rem;white-space:nowrap">{html.escape(relative(at, now))}</time>',
        width="content",
    )


def day_start(at: datetime, *, in_zone: ZoneInfo | None = None) -> datetime:
    """When the reader's day that contains `at` began, in UTC."""
    local = at.astimezone(in_zone or zone())
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def span(length: timedelta) -> str:
    """`24 hours`, `7 days`: how long a period is."""
    hours = length / timedelta(hours=1)
    if hours < 48:
        return "1 hour" if round(hours) == 1 else f"{hours:.0f} hours"
    return f"{hours / 24:.0f} days"
