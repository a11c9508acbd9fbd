"""A newcomer's first visit, in a real browser: from an empty folder to an answer, its record and its cost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core.settings import ROOT
from tests.support.browser import opened, serving

pytestmark = pytest.mark.browser


def test_from_an_empty_folder_to_an_answer_its_record_and_its_cost(chromium: Browser, tmp_path: Path) -> None:
    environment = {"GREENROOM_DATA_DIR": str(tmp_path / "data"), "GREENROOM_PROBE_LOCAL": "false"}
    with (
        serving(ROOT / "app.py", tmp_path / "server.log", **environment) as url,
        opened(chromium) as window,
    ):
        page = window.page
        window.open(url)
        for step in ("Connect a backend", "Try a prompt", "Point your app here"):
            expect(page.get_by_text(step).first).to_be_visible()
        page.get_by_role("link", name="Open the playground").click()
        window.settled()
        page.get_by_label("User message 2, variant A").fill("How do I get a refund?")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text(re.compile(r"first token .* total .* in, .* out")).first).to_be_visible()
        page.get_by_role("link", name="Call", exact=True).click()
        window.settled()
        expect(page.get_by_text("How do I get a refund?").first).to_be_visible()
        expect(page.get_by_text("Where the time went")).to_be_visible()
        window.open(f"{url}/calls")
        expect(page.get_by_label("1 call, newest first").first).to_be_visible()
        window.open(f"{url}/usage")
        expect(page.get_by_text("every call priced").first).to_be_visible()
        window.open(url)
        expect(page.get_by_role("link", name="See them").first).to_be_visible()
        assert window.errors == []
        assert window.outside == []
        with opened(chromium, scheme="dark") as dark:
            dark.open(f"{url}/policies")
            chosen = dark.page.locator("[data-testid=stButtonGroup] button[data-selected=true] p")
            expect(chosen.first).to_have_text("Policies")
            body = dark.page.locator(".stApp").first.evaluate("place => getComputedStyle(place).color")
            # not the theme's colour on its own tint, which few can read in the dark
            expect(chosen.first).to_have_css("color", body)
