"""Hostile text: what a model wrote can be read, and can do nothing."""

from __future__ import annotations

import html
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.parts import hostile, prose, prose_inline
from tests.pages.attacks import ATTACKS, HOST
from tests.support.browser import Window, serving

NAUGHTY = json.loads((Path(__file__).parents[1] / "data/naughty/blns.json").read_text(encoding="utf-8"))
ALLOWED = {
    "div", "p", "br", "hr", "em", "strong", "s", "code", "pre", "ul", "ol", "li", "blockquote", "table", "thead",
    "tbody", "tr", "th", "td", "span", "details", "summary", "a",
}  # fmt: skip
PIECES = st.lists(
    st.sampled_from([*"*_~`[]()!<>|#->\\:$\n \t1.a", "](", "```", "**", "http://", "- ", "> ", "|-|", "\u202e"]),
    max_size=60,
).map("".join)


class _Reader(HTMLParser):
    """Collects the tags, attributes and words of HTML; complains of tags that do not pair."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in {"br", "hr"}:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(markup: str) -> _Reader:
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    assert not reader.stack
    return reader


def assert_inert(markup: str) -> None:
    reader = read(markup)
    assert reader.tags <= ALLOWED
    for name, value in reader.attributes:
        assert name in {"style", "dir", "start", "href", "target", "rel"}
        if name == "href":
            assert re.match(r"(https?|mailto):", value or "", re.IGNORECASE)
        if name == "style":
            assert "url(" not in (value or "")


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_becomes_inert_html(text: str) -> None:
    assert_inert(prose.render(text))
    assert_inert(prose.plain(text))


@pytest.mark.parametrize("start", range(0, len(NAUGHTY), 50))
def test_a_naughty_string_becomes_inert_html(start: int) -> None:
    for text in NAUGHTY[start : start + 50]:
        assert_inert(prose.render(text))


@given(PIECES)
def test_whatever_is_written_the_html_is_well_formed_and_inert(text: str) -> None:
    assert_inert(prose.render(text))


@given(st.text(max_size=200))
def test_plain_text_is_shown_to_the_letter(text: str) -> None:
    shown = html.unescape("".join(read(prose.plain(text)).words))
    assert shown == prose.clean(text)


def test_a_link_shows_its_address_and_opens_only_from_the_folded_list() -> None:
    markup = prose.render(f"See [the bank](https://{HOST}/login).")
    before, folded = markup.split("<details", 1)
    assert "the bank <span" in before
    assert f"(https://{HOST}/login)" in before
    assert "<a " not in before
    assert f'<a href="https://{HOST}/login" target="_blank" rel="noopener noreferrer nofollow">' in folded


def test_an_address_that_runs_code_is_never_a_link() -> None:
    assert "href" not in prose.render("[x](javascript:alert(1)) <data:text/html,x> file:///etc/passwd")


def test_look_alike_letters_in_a_host_are_spelled_out() -> None:
    assert prose_inline.spelled("https://exаmple.com/ä") == "https://xn--exmple-4nf.com/%C3%A4"


def test_streamlit_directives_and_formulas_stay_as_written() -> None:
    text = ":material/home: :red[x] :tada: $a^2$ -> <- \\(b\\) \\[c\\]"
    assert html.unescape("".join(read(prose.render(text)).words)) == text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("**bold** and *it*", "<strong>bold</strong> and <em>it</em>"),
        ("***both***", "<strong><em>both</em></strong>"),
        ("a_snake_case name", "a_snake_case name"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("~~gone~~", "<s>gone</s>"),
        ("1. a\n2. b", '<ol start="1"'),
        ("- a\n  - b", "<li>a<ul"),
        ("- [x] done", "☑ done"),
        ("> quoted", "<blockquote"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "<td "),
        ("```python\n  x = 1\n```", "<code>  x = 1</code>"),
        ("```\ncut off", "<code>cut off</code>"),
        ("a\nb", "a<br>b"),
        ("**never closed", "**never closed"),
        ("x `a*b*c` y", ">a*b*c</code>"),
    ],
)
def test_what_models_write_is_drawn(text: str, part: str) -> None:
    assert part in prose.render(text)


@pytest.mark.parametrize(
    "text",
    [
        "*" * 100_000,
        "[a](b" * 40_000,
        "![[" * 60_000,
        "**a " * 50_000,
        "`a``b```" * 20_000,
        "> " * 50_000,
        "<http:" * 30_000,
        "\n".join("  " * depth + "- a" for depth in range(400)),
        "|-" * 50_000 + "\n" + "|-" * 50_000,
    ],
    ids=lambda text: text[:8],
)
def test_no_text_makes_the_reader_wait(text: str) -> None:
    began = time.perf_counter()
    prose.render(text)
    # linear work takes some 0.1 s here; quadratic work takes minutes
    assert time.perf_counter() - began < 5


def test_text_longer_than_anyone_reads_is_shown_as_it_is() -> None:
    text = "**x** " * (prose.LONGEST // 6 + 1)
    assert prose.render(text) == prose.plain(text)


@pytest.mark.parametrize("text", [*ATTACKS, "`", "``a", "a`b``c", "  "])
def test_a_label_is_one_code_span(text: str) -> None:
    shown = hostile.label(text)
    assert "\n" not in shown
    if shown:
        fence = re.match(r"`+", shown).group()  # type: ignore[union-attr]
        inner = shown[len(fence) : -len(fence)]
        assert shown.endswith(fence)
        assert fence not in inner


@pytest.mark.browser
def test_in_a_browser_no_request_leaves_and_no_script_runs(window: Window, tmp_path: Path) -> None:
    script = Path(__file__).parent / "hostile_script.py"
    with serving(script, tmp_path / "log") as url:
        window.open(url)
        window.page.get_by_text("the end of the page").wait_for()
        window.page.wait_for_timeout(1500)
        assert window.outside == []
        assert window.errors == []
        assert window.page.evaluate("window.stolen") is None
        assert window.page.locator("[data-testid=stHtml] :is(img, script, iframe, svg, object, form)").count() == 0
        assert window.page.locator("[data-testid=stMarkdown] :is(img, .katex, svg)").count() == 0
        assert ":material/home: :red[red] :tada:" in window.text()
        # links are out of reach until the reader unfolds the list
        assert window.page.locator("[data-testid=stHtml] a:visible").count() == 0
        window.page.locator("summary").first.click()
        link = window.page.locator("[data-testid=stHtml] a:visible").first
        assert link.get_attribute("rel") == "noopener noreferrer"


def test_a_name_that_turns_the_direction_of_a_line_turns_nothing_of_ours() -> None:
    for written in (hostile.label, hostile.sentence, hostile.line):
        assert written("\u202egpj.exe\u2066") == written("�gpj.exe�")
    assert hostile.line("שלום\u200f!") == "שלום\u200f!"
