"""The playground in a real browser: what only typing, shortcuts and a restart can show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.settings import ROOT
from tests.support.browser import Window, free_port, opened, serving

pytestmark = pytest.mark.browser

COMMAND = "import sys; from core.cli import main; sys.argv[0] = 'greenroom'; main()"
GO = ".st-key-play_go button"


@pytest.fixture(scope="module")
def double() -> Iterator[str]:
    """An upstream of our own that streams, stalls and fails when its prompt says so."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.upstream", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{url}/_double/stats", timeout=1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise
                process_wait(process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def process_wait(process: subprocess.Popen[bytes]) -> None:
    """A tenth of a second, or the process's end."""
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return


@contextmanager
def console(folder: Path, double: str) -> Iterator[str]:
    """The whole console with the double as a backend; its address."""
    environment = {"GREENROOM_DATA_DIR": str(folder), "GREENROOM_PROBE_LOCAL": "false"}
    if not (folder / "greenroom.db").exists():
        subprocess.run(
            [sys.executable, "-c", COMMAND, "backend", "add", "double", f"{double}/v1", "--discover"],
            cwd=ROOT,
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )
    with serving(ROOT / "app.py", folder.parent / "server.log", **environment) as url:
        yield f"{url}/playground"


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory, double: str) -> Iterator[str]:
    with console(tmp_path_factory.mktemp("console") / "data", double) as url:
        yield url


def begun(window: Window, url: str, *, model: str = "double/double-small") -> Page:
    """An empty playground with this model."""
    window.open(url)
    page = window.page
    page.get_by_role("button", name="New", exact=False).first.click()
    window.settled()
    expect(question(page)).to_have_value("")
    box = page.locator(".st-key-play_A_model input")
    box.click()
    box.fill(model)
    page.keyboard.press("Enter")
    window.settled()
    return page


def question(page: Page) -> Locator:
    return page.get_by_label("User message 2, variant A")


def test_counts_follow_the_typing_and_the_cursor_stays(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).press_sequentially("Hello {{name}}, and how are you", delay=5)
        expect(page).to_have_url(re.compile("draft=run_"), timeout=15_000)
        expect(question(page)).to_be_focused()
        page.keyboard.type(" today?")
        expect(question(page)).to_have_value("Hello {{name}}, and how are you today?")
        page.get_by_label("name", exact=True).fill("Mia")
        expect(page.get_by_text(re.compile(r"\d+ tokens ·"))).to_be_visible(timeout=15_000)
        assert window.errors == []
        assert window.outside == []


def test_the_shortcut_runs_what_was_typed_a_moment_ago(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).press_sequentially("quick and unsaved")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("echo: quick and unsaved")).to_be_visible(timeout=15_000)
        expect(page).to_have_url(re.compile("run=run_"))
        expect(page.locator(GO)).to_contain_text("Ctrl")


def test_typing_does_not_end_a_run_and_stop_does(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("double(tokens=400 gap_s=0.1) go on")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text(re.compile(r"\bt12\b"))).to_be_visible(timeout=15_000)
        page.get_by_label("System message 1, variant A").press_sequentially("Be brief", delay=60)
        expect(page.get_by_text(re.compile(r"\bt35\b"))).to_be_visible(timeout=15_000)
        expect(page.locator(GO)).to_contain_text("Stop")
        page.locator(GO).click()
        expect(page.get_by_text("Stopped. What had come is kept.")).to_be_visible(timeout=15_000)
        expect(page.get_by_label("System message 1, variant A")).to_have_value("Be brief")


def test_stop_works_while_the_backend_is_silent_and_the_backend_is_let_go(
    chromium: Browser, playground: str, double: str
) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("double(kind=hang) silent")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("Waiting for the first token")).to_be_visible(timeout=15_000)
        page.keyboard.press("Control+Enter")
        expect(page.locator(GO)).to_contain_text("Run", timeout=5_000)
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
        expect(page.get_by_text("echo: first")).to_be_visible(timeout=15_000)
        expect(page.get_by_text("sent a web page instead of an answer")).to_be_visible(timeout=15_000)
        assert "Traceback" not in window.text()


def test_what_was_typed_survives_the_server(chromium: Browser, double: str, tmp_path: Path) -> None:
    with console(tmp_path / "data", double) as url, opened(chromium) as window:
        page = begun(window, url)
        question(page).press_sequentially("a long thought {{with}} a variable")
        expect(page).to_have_url(re.compile("draft=run_"), timeout=15_000)
        expect(page.get_by_label("with", exact=True)).to_be_visible(timeout=15_000)
    with console(tmp_path / "data", double) as url, opened(chromium) as window:
        window.open(url)
        expect(question(window.page)).to_have_value("a long thought {{with}} a variable")
