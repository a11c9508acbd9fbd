"""The whole console with the upstream double behind it, and the playground as tests drive it in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from playwright.sync_api import Locator, Page, expect

from core.settings import ROOT
from tests.support.browser import Window, free_port, serving

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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's console keeps its store."""
    return tmp_path_factory.mktemp("console") / "data"


@pytest.fixture(scope="module")
def playground(folder: Path, double: str) -> Iterator[str]:
    with console(folder, double) as url:
        yield url


def made_key(folder: Path) -> str:
    """A new key for the gateway of that console."""
    made = subprocess.run(
        [sys.executable, "-c", COMMAND, "key", "create", "pasted"],
        cwd=ROOT,
        env={**os.environ, "GREENROOM_DATA_DIR": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    return made.stdout.strip()


def seen(double: str) -> list[Any]:
    """The bodies of the newest chat requests that reached the double, oldest first."""
    with urllib.request.urlopen(f"{double}/_double/seen", timeout=5) as answer:
        newest = orjson.loads(answer.read())
    return [one["body"] for one in newest if one["path"].endswith("/chat/completions")]


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


def question(page: Page, *, mark: int = 2, letter: str = "A") -> Locator:
    return page.get_by_label(f"User message {mark}, variant {letter}")


def run(page: Page) -> None:
    """Press the shortcut, and wait until a new run has every answer, recorded."""
    before = _run_in(page.url)
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: _run_in(url) not in ("", before))
    expect(page.locator(GO)).to_contain_text("Run")
    expect(page.get_by_role("link", name="Call", exact=True).first).to_be_visible()


def _run_in(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("run", [""])[0]
