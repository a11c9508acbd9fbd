"""Pages: each has a test, each widget a key, each drawing words for who cannot see it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import sys
from pathlib import Path

import pytest
import streamlit as st

from tests.house.reading import ROOT, calls, dotted, files, keywords, shown, tree

KEPT_APART = {"container", "expander", "form", "fragment", "get_option", "grid", "popover", "set_option", "tabs"}
"""They take a `key` and hold no value of a visitor's (a form's key comes first, without its name)."""


def taking(name: str) -> frozenset[str]:
    """Everything of Streamlit's that can be given this keyword."""
    found = set()
    for called in dir(st):
        with contextlib.suppress(TypeError, ValueError):
            if name in inspect.signature(getattr(st, called)).parameters:
                found.add(called)
    return frozenset(found)


WIDGETS = taking("key") - KEPT_APART
DRAWINGS = taking("alt")
PAGES = sorted(file for file in (ROOT / "pages").glob("*.py"))
HOUSE = "tests/house/"
SOURCES = [*files("pages"), ROOT / "app.py"]


def without(parsed: ast.Module, names: frozenset[str], keyword: str) -> list[str]:
    """Streamlit's calls of these names that do not give the keyword, as `line: name`, in order."""
    parts = {
        alias.asname or alias.name
        for node in parsed.body
        if isinstance(node, ast.ImportFrom) and node.module == "pages.parts"
        for alias in node.names
    }
    found = [
        (call.lineno, name)
        for name, call in calls(parsed)
        if name in names and isinstance(call.func, ast.Attribute) and keyword not in keywords(call)
        if dotted(call.func).partition(".")[0] not in parts
    ]
    return [f"{line}: {name}" for line, name in sorted(found)]


@pytest.mark.parametrize("file", SOURCES, ids=shown)
def test_every_widget_has_a_key(file: Path) -> None:
    assert without(tree(file), WIDGETS, "key") == []


@pytest.mark.parametrize("file", SOURCES, ids=shown)
def test_everything_drawn_says_in_words_what_it_shows(file: Path) -> None:
    assert without(tree(file), DRAWINGS, "alt") == []


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_page_is_named_by_a_test(page: Path) -> None:
    tests = [file for file in files("tests") if file.name.startswith("test_") and not shown(file).startswith(HOUSE)]
    named = re.compile(rf"""["'/]{page.stem}(?:\.py)?["'?]""")
    assert any(named.search(file.read_text(encoding="utf-8")) for file in tests)


def foreign(parsed: ast.Module) -> list[str]:
    """What a page imports beyond Streamlit, the core, the parts and the standard library."""
    whole = [alias.name for node in ast.walk(parsed) if isinstance(node, ast.Import) for alias in node.names]
    parts = [node.module or "." for node in ast.walk(parsed) if isinstance(node, ast.ImportFrom)]
    return [name for name in whole + parts if not _is_of_a_page(name)]


def _is_of_a_page(name: str) -> bool:
    is_part = name == "pages.parts" or name.startswith("pages.parts.")
    return is_part or name.partition(".")[0] in {"streamlit", "core", *sys.stdlib_module_names}


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_page_is_made_of_parts_and_the_core(page: Path) -> None:
    assert foreign(tree(page)) == []


def test_what_streamlit_offers_is_known() -> None:
    assert {"button", "text_area", "data_editor", "chat_input", "form_submit_button", "selectbox"} <= WIDGETS
    assert {"plotly_chart", "dataframe", "image", "audio"} <= DRAWINGS


def test_these_rules_see_a_violation() -> None:
    mixed = "import plotly, time\nfrom pages.call_list import x\nfrom pages.parts import tabs\nfrom pages import y"
    assert foreign(ast.parse(mixed)) == ["plotly", "pages.call_list", "pages"]
    bare = ast.parse(
        "with st.sidebar:\n    st.button('Go')\nleft.text_input('Name', value='')\nst.plotly_chart(figure)"
    )
    assert without(bare, WIDGETS, "key") == ["2: button", "3: text_input", "4: plotly_chart"]
    assert without(bare, DRAWINGS, "alt") == ["4: plotly_chart"]
    good = ast.parse("st.button('Go', key='go'); st.plotly_chart(figure, alt='Calls rise.', key='calls'); map(f, x)")
    assert without(good, WIDGETS, "key") == without(good, DRAWINGS, "alt") == []
