"""The playground in a real browser: what only typing, shortcuts and a restart can show."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.playing import GO, begun, console, double, folder, playground, question
from tests.support.browser import opened

__all__ = ["double", "folder", "playground"]

pytestmark = pytest.mark.browser


def test_counts_follow_the_typing_and_the_cursor_stays(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).press_sequentially("Hello {{name}}, and how are you", delay=5)
        expect(page).to_have_url(re.compile("draft=run_"))
        expect(question(page)).to_be_focused()
        page.keyboard.type(" today?")
        expect(question(page)).to_have_value("Hello {{name}}, and how are you today?")
        page.get_by_label("name", exact=True).fill("Mia")
        page.keyboard.press("Tab")  # as who has said all of it goes on
        expect(page.get_by_text(re.compile(r"\d+ tokens ·"))).to_be_visible()
        assert window.errors == []
        assert window.outside == []


def test_the_shortcut_runs_what_was_typed_a_moment_ago(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).press_sequentially("quick and unsaved")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("echo: quick and unsaved")).to_be_visible()
        expect(page).to_have_url(re.compile("run=run_"))
        expect(page.locator(GO)).to_contain_text("Ctrl")


def test_typing_does_not_end_a_run_and_stop_does(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("double(tokens=400 gap_s=0.1) go on")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text(re.compile(r"\bt12\b"))).to_be_visible()
        page.get_by_label("System message 1, variant A").press_sequentially("Be brief", delay=60)
        expect(page.get_by_text(re.compile(r"\bt35\b"))).to_be_visible()
        expect(page.locator(GO)).to_contain_text("Stop")
        page.locator(GO).click()
        expect(page.get_by_text("Stopped. What had come is kept.")).to_be_visible()
        expect(page.get_by_label("System message 1, variant A")).to_have_value("Be brief")


def test_stop_works_while_the_backend_is_silent_and_the_backend_is_let_go(
    chromium: Browser, playground: str, double: str
) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("double(kind=hang) silent")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("Waiting for the first token")).to_be_visible()
        page.keyboard.press("Control+Enter")
        expect(page.locator(GO)).to_contain_text("Run", timeout=20_000)
    with urllib.request.urlopen(f"{double}/_double/stats", timeout=5) as answer:
        left = orjson.loads(answer.read())["cancelled"]
    assert any("silent" in one["mark"] for one in left)


def test_two_variants_side_by_side_and_a_broken_one_says_a_sentence(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("first")
        page.get_by_role("button", name="Add variant").first.click()
        window.settled()
        page.get_by_label("User message 2, variant B").fill("double(kind=html) second")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("echo: first")).to_be_visible()
        expect(page.get_by_text("sent a web page instead of an answer")).to_be_visible()
        assert "Traceback" not in window.text()


def test_what_was_typed_survives_the_server(chromium: Browser, double: str, tmp_path: Path) -> None:
    with console(tmp_path / "data", double) as url, opened(chromium) as window:
        page = begun(window, url)
        question(page).press_sequentially("a long thought {{with}} a variable")
        expect(page).to_have_url(re.compile("draft=run_"))
        expect(page.get_by_label("with", exact=True)).to_be_visible()
    with console(tmp_path / "data", double) as url, opened(chromium) as window:
        window.open(url)
        expect(question(window.page)).to_have_value("a long thought {{with}} a variable")
