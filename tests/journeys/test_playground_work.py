"""A working day on the playground in a real browser: files, shapes, tools, code to paste, and nothing lost."""

from __future__ import annotations

import base64
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.playing import GO, begun, double, folder, made_key, playground, question, run, seen
from tests.support.browser import Window, opened

__all__ = ["double", "folder", "playground"]
pytestmark = pytest.mark.browser

NASTY = "it's \"quoted\" `x` $(touch hacked) \\ {{ name }} ☃\n<<'JSON'\nJSON"


def png(side: int = 300) -> bytes:
    """A picture of noise: it does not pack, so it is longer than a command's argument may be."""
    rows = b"".join(b"\0" + os.urandom(side * 3) for _ in range(side))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wav() -> bytes:
    """A tenth of a second of silence."""
    data = bytes(1600)
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 4 + len(head) + 8 + len(data))
        + b"WAVE"
        + head
        + struct.pack("<4sI", b"data", len(data))
        + data
    )


def picked(page: Page, label: str, option: str) -> None:
    """Choose one more option of a multiselect."""
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option).click()
    page.keyboard.press("Escape")


def settings(window: Window, tab: str) -> Page:
    """The settings of the first variant, opened at a tab."""
    window.page.get_by_role("button", name="Settings").first.click()
    window.page.get_by_role("tab", name=tab).click()
    return window.page


def copied(window: Window, *, kind: str, streams: bool = False) -> str:
    """What the button on the code puts on the clipboard."""
    page = window.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Code").click()
    window.settled()
    if streams:
        page.get_by_text("Stream the answer").click()
        window.settled()
    page.get_by_role("radio", name=kind, exact=True).click()
    window.settled()
    block = page.get_by_test_id("stCode").last
    block.hover()
    block.get_by_role("button", name="Copy to clipboard").click()
    text = str(page.evaluate("navigator.clipboard.readText()"))
    page.keyboard.press("Escape")
    return text


def pasted(text: str, kind: str, key: str, folder: Path) -> str:
    """Run what was copied as a person would, in a folder of its own; what it printed."""
    file = folder / ("pasted.py" if kind == "Python" else "pasted.sh")
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, file.name] if kind == "Python" else ["bash", file.name]
    environment = {**os.environ, "GREENROOM_API_KEY": key}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not (folder / "hacked").exists()
    return done.stdout


def without_streaming(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}


def test_pictures_and_sounds_reach_a_model_that_takes_them(
    chromium: Browser, playground: str, double: str, folder: Path, tmp_path: Path
) -> None:
    picture, sound = png(), wav()
    (tmp_path / "noise.png").write_bytes(picture)
    (tmp_path / "silence.wav").write_bytes(sound)
    key = made_key(folder)
    with opened(chromium) as window:
        page = window.page
        window.open(playground.replace("/playground", "/backends?backend=double"))
        picked(page, "Those that take pictures", "double-large")
        picked(page, "Those that take sounds", "double-large")
        page.get_by_role("button", name="Save models").click()
        expect(page.get_by_text("Saved the models.")).to_be_visible()

        page = begun(window, playground, model="double/double-large")
        question(page).fill("What do you see and hear?")
        for name in ("noise.png", "silence.wav"):
            page.get_by_role("button", name="attach_file").click()
            page.locator("input[type=file]").set_input_files(tmp_path / name)
            # at once back to the question, as quick hands do
            question(page).click()
            expect(page.get_by_test_id("stCaptionContainer").get_by_text(name)).to_be_visible()
            expect(page.locator("input[type=file]")).to_have_count(0)
        run(page)
        link = page.url
        expected = [
            {"type": "text", "text": "What do you see and hear?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(picture).decode()}},
            {"type": "input_audio", "input_audio": {"data": base64.b64encode(sound).decode(), "format": "wav"}},
        ]
        sent = seen(double)[-1]
        assert sent["messages"] == [{"role": "user", "content": expected}]

        for kind in ("curl", "Python"):
            assert "echo: What do you see and hear?" in pasted(copied(window, kind=kind), kind, key, tmp_path)
            assert seen(double)[-1] == without_streaming(sent)

    with opened(chromium) as window:
        window.open(link)
        expect(window.page.get_by_alt_text("Attached picture noise.png")).to_be_visible()
        expect(window.page.get_by_text("silence.wav")).to_be_visible()
        assert window.errors == []


@pytest.mark.parametrize("kind", ["curl", "Python"])
@pytest.mark.parametrize("streams", [False, True])
def test_copied_code_does_as_pasted_what_the_playground_did(
    chromium: Browser, playground: str, double: str, folder: Path, tmp_path: Path, kind: str, streams: bool
) -> None:
    key = made_key(folder)
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill(NASTY)
        expect(page.get_by_label("name", exact=True)).to_be_visible()
        page.get_by_label("name", exact=True).fill("Mia's {{cat}}")
        settings(window, "Parameters").get_by_label("Temperature", exact=True).fill("0.3")
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        window.settled()
        question(page).focus()
        run(page)
        ran = seen(double)[-1]
        text = copied(window, kind=kind, streams=streams)
        assert window.errors == []
    printed = pasted(text, kind, key, tmp_path)
    assert ran["messages"][-1]["content"] == NASTY.replace("{{ name }}", "Mia's {{cat}}")
    assert ran["temperature"] == 0.3
    assert seen(double)[-1] == (ran if streams else without_streaming(ran))
    assert "☃" in printed


@pytest.mark.parametrize("finger_ms", [0, 100], ids=["a tap", "a click"])
def test_words_typed_in_the_moment_of_leaving_are_there_on_coming_back(
    chromium: Browser, playground: str, finger_ms: int
) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).click()
        page.keyboard.type("half a thought, then the phone rang")
        page.get_by_role("link", name="Home").first.click(delay=finger_ms)  # how long the finger stays
        expect(page.get_by_role("heading", name="Home")).to_be_visible()
        page.get_by_role("link", name="Playground").first.click()
        expect(question(page)).to_have_value("half a thought, then the phone rang")
        page.reload()
        expect(question(page)).to_have_value("half a thought, then the phone rang")


def test_a_tap_on_another_page_right_after_typing_goes_there(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        window.open(playground.replace("/playground", "/calls"))
        page = window.page
        page.get_by_label("Filter calls").click()
        page.keyboard.type("parcel")
        page.get_by_role("link", name="Usage and cost").first.click()  # a tap: nothing between down and up
        expect(page.get_by_role("heading", name="Usage and cost")).to_be_visible()
        window.settled()
        assert "/usage" in page.url

        page.get_by_role("link", name="Calls").first.click()
        page.get_by_label("Filter calls").fill("parcel")
        page.keyboard.press("Enter")
        window.settled()
        page.evaluate("window.clicks = 0; window.addEventListener('click', () => { window.clicks += 1; }, true)")
        page.get_by_role("link", name="Usage and cost").first.click()
        page.wait_for_url("**/usage*")
        assert page.evaluate("window.clicks") == 1  # nothing was on its way, so the link was not held and pressed again
        assert window.errors == []


def test_a_schema_is_checked_while_it_is_typed_and_the_answer_against_it(
    chromium: Browser, playground: str, double: str
) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("lamps")
        settings(window, "Answer schema").get_by_text("Ask for JSON of this shape").click()
        schema = page.get_by_role("textbox", name="JSON schema")
        schema.fill('{"type": "object", "properties": {"score": {"type": "numbr"}}}')
        expect(page.get_by_text("there is no type “numbr”").first).to_be_visible()
        schema.fill('{"type": "object", "properties": {"score": {"type": "integer", "maximum": 5}}}')
        expect(page.get_by_text("The schema is valid.")).to_be_visible()
        page.keyboard.press("Escape")
        run(page)
        expect(page.get_by_text("7 is greater than the maximum of 5")).to_be_visible()
    asked = seen(double)[-1]["response_format"]
    assert asked["json_schema"]["schema"]["properties"]["score"]["maximum"] == 5


def test_a_tools_call_is_words_and_its_result_goes_back_to_the_model(
    chromium: Browser, playground: str, double: str
) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("Is it raining in Kiel?")
        settings(window, "Tools").get_by_role("button", name="Use the example").click()
        expect(page.get_by_text("The tools are valid.")).to_be_visible()
        window.settled()  # what the button set reaches the browser's own switch a frame after it can be seen
        page.keyboard.press("Escape")
        run(page)
        expect(page.get_by_text("The model calls get_weather").first).to_be_visible()
        assert '{"mark"' not in window.text()
        page.get_by_role("button", name="Give the tool's result").click()
        result = page.get_by_label("Tool result message 4, variant A")
        expect(result).to_be_visible()
        expect(page.get_by_text("The result of get_weather is missing.")).to_be_visible()
        result.fill("No, but it will.")
        run(page)
    roles = [message["role"] for message in seen(double)[-1]["messages"]]
    assert roles == ["user", "assistant", "tool"]
    assert seen(double)[-1]["messages"][2] == {
        "role": "tool",
        "tool_call_id": "call_double",
        "content": "No, but it will.",
    }


def test_how_sure_the_model_was_is_shaded_with_what_else_it_might_have_said(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground, model="builtin/tiny")
        question(page).fill("How do I get a refund?")
        settings(window, "Parameters").get_by_text("Token probabilities").click()
        window.settled()
        page.keyboard.press("Escape")
        run(page)
        page.get_by_text("Token probabilities").last.click()
        tokens = page.locator("span[tabindex='0'][title*='Instead of it:']")
        expect(tokens.first).to_be_visible()
        assert re.search(r"\d %", tokens.first.get_attribute("title") or "")


def test_repetitions_show_how_far_the_answers_spread(chromium: Browser, playground: str) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("double(latency_s=0.2) the same each time")
        page.get_by_label("Repetitions", exact=True).fill("4")
        page.keyboard.press("Enter")
        run(page)
        expect(page.get_by_text("4 of 4 answered, all the same")).to_be_visible()
        expect(page.get_by_text(re.compile(r"total \d+ ms \(\d+ ms to \d+ ms\)"))).to_be_visible()


def test_four_variants_answer_side_by_side_each_with_its_own_model(
    chromium: Browser, playground: str, double: str
) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("which of you")
        for letter in "BCD":
            page.get_by_role("button", name="Add variant").click()
            expect(question(page, letter=letter)).to_have_value("which of you")
        expect(page.get_by_role("button", name="Add variant")).to_be_disabled()
        question(page, letter="D").fill("which of you four")
        run(page)
        expect(page.get_by_text("echo: which of you", exact=True)).to_have_count(3)
        expect(page.get_by_text("echo: which of you four", exact=True)).to_be_visible()
        link = page.url
    with opened(chromium) as window:
        window.open(link)
        expect(window.page.get_by_text("echo: which of you", exact=True)).to_have_count(3)
        assert window.page.locator(GO).inner_text().startswith("Run") or "Run" in window.page.locator(GO).inner_text()


def test_a_recorded_call_opens_in_the_playground_as_it_was_sent(
    chromium: Browser, playground: str, double: str
) -> None:
    with opened(chromium) as window:
        page = begun(window, playground)
        question(page).fill("from the record {% raw %}{{not_a_variable}}{% endraw %}")
        run(page)
        first = seen(double)[-1]
        page.get_by_role("link", name="Call", exact=True).click()
        page.get_by_role("link", name="Open in playground").click()
        expect(page.get_by_label("User message 1, variant A")).to_be_visible()
        page.get_by_label("User message 1, variant A").focus()
        run(page)
        assert seen(double)[-1] == first
        assert first["messages"] == [{"role": "user", "content": "from the record {{not_a_variable}}"}]
