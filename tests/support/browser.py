"""A real Streamlit server and the system's headless Chromium, driven by Playwright; nothing is downloaded.

Import the fixtures a test folder needs into its conftest. A machine without Chromium skips with the install line.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.missing import lacking

ROOT = Path(__file__).resolve().parents[2]
INSTALL = "no Chromium; `apt-get install chromium`, or name one in $CHROME"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
PATIENCE_MS = 60_000
"""How long anything is waited for. What is slow under load is no failure, and what is right is there at once."""
OURS = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")


def chrome() -> str | None:
    """The system's Chromium, or the one `$CHROME` names."""
    return os.environ.get("CHROME") or next(filter(None, map(shutil.which, NAMES)), None)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(script: Path, log: Path, *, flags: tuple[str, ...] = (), **environment: str) -> Iterator[str]:
    """`streamlit run script` on a free port of loopback; its address once it is healthy."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", *flags]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--server.address=127.0.0.1", "--server.headless=true"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
        )
        try:
            _await_health(process, f"http://127.0.0.1:{port}/_stcore/health", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_health(process: subprocess.Popen[bytes], url: str, log: Path, patience_s: float = 120) -> None:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.read() == b"ok":
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise RuntimeError(f"the server did not become healthy:\n{log.read_text(errors='replace')[-4000:]}")


@dataclass
class Window:
    """One browser window: the page, what it complained about, and every request that left this machine."""

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def open(self, url: str) -> Window:
        self.page.goto(url)
        return self.settled()

    def settled(self) -> Window:
        """Wait until the script has run and what it drew is on the screen."""
        self.page.wait_for_selector(IDLE)
        self.page.wait_for_timeout(400)
        self.page.wait_for_selector(IDLE)
        return self

    def text(self) -> str:
        return self.page.locator("[data-testid=stApp]").inner_text()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    path = chrome()
    if path is None:
        lacking(INSTALL)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Iterator[Window]:
    """A window of its own: no cookies, English, in Berlin, no animation."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale="en-US",
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
        color_scheme="dark" if scheme == "dark" else "light",
    )
    context.set_default_timeout(PATIENCE_MS)
    window = Window(context.new_page())
    window.page.on("pageerror", lambda error: window.errors.append(str(error)))
    window.page.on(
        "request",
        lambda request: None if request.url.startswith(OURS) else window.outside.append(request.url),
    )
    try:
        yield window
    finally:
        context.close()


@pytest.fixture
def window(chromium: Browser) -> Iterator[Window]:
    """A desktop-sized window in the light theme."""
    with opened(chromium) as found:
        yield found
