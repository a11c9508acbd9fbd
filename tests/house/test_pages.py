"""Pages: each has a test, each widget a key, each chart words for who cannot see it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.house.reading import ROOT, calls, dotted, files, keywords, shown, tree

WIDGETS = frozenset({
    "audio_input", "button", "camera_input", "chat_input", "checkbox", "color_picker", "data_editor", "date_input",
    "datetime_input", "download_button", "feedback", "file_uploader", "form_submit_button", "menu_button",
    "multiselect", "number_input", "pills", "radio", "segmented_control", "select_slider", "selectbox", "slider",
    "text_area", "text_input", "time_input", "toggle",
})  # fmt: skip
CHARTS = frozenset({
    "plotly_chart", "altair_chart", "vega_lite_chart", "line_chart", "bar_chart", "area_chart", "scatter_chart",
    "pyplot",
})  # fmt: skip
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
        if name in names and keyword not in keywords(call) and dotted(call.func).partition(".")[0] not in parts
    ]
    return [f"{line}: {name}" for line, name in sorted(found)]


@pytest.mark.parametrize("file", SOURCES, ids=shown)
def test_every_widget_has_a_key(file: Path) -> None:
    assert without(tree(file), WIDGETS, "key") == []


@pytest.mark.parametrize("file", SOURCES, ids=shown)
def test_every_chart_says_in_words_what_it_shows(file: Path) -> None:
    assert without(tree(file), CHARTS, "alt") == []


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_page_is_named_by_a_test(page: Path) -> None:
    tests = [file for file in files("tests") if file.name.startswith("test_") and not shown(file).startswith(HOUSE)]
    assert any(page.stem in file.read_text(encoding="utf-8") or page.stem in file.stem for file in tests)


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


def test_these_rules_see_a_violation() -> None:
    mixed = "import plotly, time\nfrom pages.call_list import x\nfrom pages.parts import tabs\nfrom pages import y"
    assert foreign(ast.parse(mixed)) == ["plotly", "pages.call_list", "pages"]
    bare = ast.parse(
        "with st.sidebar:\n    st.button('Go')\nleft.text_input('Name', value='')\nst.plotly_chart(figure)"
    )
    assert without(bare, WIDGETS, "key") == ["2: button", "3: text_input"]
    assert without(bare, CHARTS, "alt") == ["4: plotly_chart"]
    good = ast.parse("st.button('Go', key='go'); st.plotly_chart(figure, alt='Calls rise.')")
    assert without(good, WIDGETS, "key") == without(good, CHARTS, "alt") == []
