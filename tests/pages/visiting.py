"""Open a page of the console without a browser: through the shell, on a store of the test's own."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from streamlit.testing.v1 import AppTest

from core import bridge, clock, ids
from core.calls.record import CallRecord
from core.runtime import Runtime
from core.settings import ROOT

PAGES = ROOT / "pages"


def visit(page: str, **params: str) -> AppTest:
    """A page by its file name, with query parameters."""
    test = AppTest.from_file(str(PAGES / "shell.py"), default_timeout=60)
    for name, value in params.items():
        test.query_params[name] = value
    test.run()
    if page != "home_today.py":
        test.switch_page(str(PAGES / page))
    test.run()
    assert not test.exception, test.exception
    return test


def words(page: AppTest) -> str:
    """What the page says: text, hostile text, alerts with their titles, numbers."""
    found: list[str] = []
    for kind in ("title", "subheader", "markdown", "caption", "text", "code", "error", "warning", "info", "html"):
        for element in page.get(kind):
            found += [str(getattr(element, "value", "") or getattr(element.proto, "body", ""))]
            found += [str(getattr(element.proto, "title", ""))]
    found += [f"{metric.label}: {metric.value}" for metric in page.metric]
    return "\n".join(found)


def made(here: Runtime, *, ago: timedelta = timedelta(minutes=5), **values: Any) -> int:
    """A recorded call; its id."""
    at: datetime = clock.now() - ago
    said = values.pop("said", ("What is a green room?", "A room behind the stage."))
    record = {
        "id": ids.first_at(at) + len(values) + here.ids.next() % 1000,
        "project_id": 1,
        "at": at,
        "status": "ok",
        "http_status": 200,
        "route": "/v1/chat/completions",
        "actor": "local",
        "model_asked": "gpt-4o",
        "model_served": "gpt-4o",
        "backend": "openai",
        "tokens_in": 12,
        "tokens_out": 34,
        "cost_usd": Decimal("0.000123"),
        "price_source": "genai-prices",
        "total_ms": 900.0,
        "upstream_ms": 880.0,
        "first_token_ms": 120.0,
        "asked_text": said[0],
        "answered_text": said[1],
        "request": _json({"model": "gpt-4o", "messages": [{"role": "user", "content": said[0]}]}),
        "response": _json({"choices": [{"message": {"role": "assistant", "content": said[1]}}]}),
    } | values
    call = CallRecord(**record)
    bridge.call(here.recorder.record, call)
    return call.id


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
