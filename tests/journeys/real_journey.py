"""The main job on real input: a real inference server behind Greenroom, from the playground and the `openai` client.

Opt-in, by its path only: start `python tests/journeys/real_server.py`, name what it printed in
GREENROOM_TEST_BASE_URL and GREENROOM_TEST_MODEL, then `uv run pytest tests/journeys/real_journey.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openai import OpenAI
from playwright.sync_api import Browser, expect

from core.settings import ROOT
from tests.support.browser import opened, serving

URL, MODEL = os.environ.get("GREENROOM_TEST_BASE_URL", ""), os.environ.get("GREENROOM_TEST_MODEL", "")
COMMAND = "import sys; from core.cli import main; sys.argv[0] = 'greenroom'; main()"
pytestmark = pytest.mark.browser


def greenroom(folder: Path, *words: str) -> str:
    """What a command prints on standard output."""
    environment = os.environ | {"GREENROOM_DATA_DIR": str(folder), "GREENROOM_PROBE_LOCAL": "false"}
    command = [sys.executable, "-c", COMMAND, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_real_server_answers_through_greenroom_and_everything_is_recorded(chromium: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    greenroom(folder, "backend", "add", "real", URL)
    key = greenroom(folder, "key", "create", "journey").strip()
    environment = {"GREENROOM_DATA_DIR": str(folder), "GREENROOM_PROBE_LOCAL": "false"}
    with serving(ROOT / "app.py", tmp_path / "server.log", **environment) as url:
        with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            asked = [{"role": "user", "content": "How do I get a refund?"}]
            told = {"model": f"real/{MODEL}", "messages": asked, "max_tokens": 30, "temperature": 0}
            whole = client.chat.completions.create(**told, metadata={"journey": "real"})
            words = whole.choices[0].message.content or ""
            stream = client.chat.completions.create(**told, stream=True)
            streamed = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
        assert words.strip()
        assert streamed.strip() == words.strip()
        with opened(chromium) as window:
            window.open(f"{url}/playground")
            page = window.page
            box = page.locator(".st-key-play_A_model input")
            box.click()
            box.fill(f"real/{MODEL}")
            page.keyboard.press("Enter")
            window.settled()
            page.get_by_label("User message 2, variant A").fill("How do I get a refund?")
            page.keyboard.press("Control+Enter")
            expect(page.get_by_text(re.compile(r"first token", re.IGNORECASE)).first).to_be_visible(timeout=60_000)
            page.screenshot(path=str(tmp_path / "playground.png"))
            window.open(f"{url}/calls")
            expect(page.get_by_label("3 calls, newest first").first).to_be_visible(timeout=30_000)
    rows = [json.loads(line) for line in greenroom(folder, "calls", "export", "--format", "jsonl").splitlines()]
    assert len(rows) == 3
    assert {row["status"] for row in rows} == {"ok"}
    assert all(row["tokens_in"] > 0 and row["tokens_out"] > 0 for row in rows)
