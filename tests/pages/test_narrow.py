"""In a browser as narrow as a telephone: what is drawn can be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Window, opened, serving

pytestmark = pytest.mark.browser
WIDTH = 390
BOXES = """elements => elements.map(element => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return [left, top, right, bottom];
})"""


@pytest.fixture(scope="module")
def narrow(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    script = Path(__file__).parent / "narrow_script.py"
    with (
        serving(script, tmp_path_factory.mktemp("narrow") / "log") as url,
        opened(chromium, width=WIDTH, height=2400) as window,
    ):
        window.open(url).page.get_by_text("the end of the page").wait_for()
        window.page.locator(".st-key-matrix_8 .annotation-text").first.wait_for()
        yield window


@pytest.mark.parametrize("count", [5, 8])
def test_cells_and_names_of_who_beats_whom_are_all_there_and_apart(narrow: Window, count: int) -> None:
    chart = f".st-key-matrix_{count}"
    for what, wanted in ((".annotation-text", count * (count - 1)), (".xtick text", count), (".ytick text", count)):
        found = narrow.page.locator(f"{chart} {what}").evaluate_all(BOXES)
        shown = [box for box in found if box[2] > box[0]]
        assert len(shown) == wanted, what
        assert all(left >= 0 and right <= WIDTH for left, _, right, _ in shown), what
        for one, other in combinations(shown, 2):
            across, down = (min(one[at + 2], other[at + 2]) - max(one[at], other[at]) for at in (0, 1))
            assert min(across, down) < 1, f"{what}: {one} lies on {other}"


def test_a_table_that_is_too_wide_is_scrolled_and_fades_where_there_is_more(narrow: Window) -> None:
    wide, small = (narrow.page.locator("[data-testid=stTable] > div").nth(place) for place in (0, 1))
    faded = "element => getComputedStyle(element).maskPosition"
    assert wide.evaluate("element => element.scrollWidth - element.clientWidth") > 0
    assert wide.evaluate(faded) == "-45px 0px"  # the fade on the left is out of sight
    wide.evaluate("element => element.scrollTo(element.scrollWidth, 0)")
    narrow.page.wait_for_timeout(300)
    assert wide.evaluate(faded) == "0px 0px"
    assert small.evaluate("element => getComputedStyle(element).maskImage") == "none"
