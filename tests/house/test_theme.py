"""The colours of the console can be read: WCAG 2.2, success criterion 1.4.3, 4.5 to 1 for text."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.house.reading import ROOT, calls, dotted, files, shown, tree

READABLE = 4.5
LEGIBLE_LARGE = 4.0
"""Streamlit writes in white on the primary colour, and with it on the page: no colour does both at 4.5 in the dark."""
CAPTION = 0.6
"""How much of the text's colour Streamlit gives a caption."""
BACKGROUNDS = ("backgroundColor", "secondaryBackgroundColor")

Rgb = tuple[float, ...]


def rgb(colour: str) -> Rgb:
    return tuple(float(int(colour[place : place + 2], 16)) for place in (1, 3, 5))


def blended(colour: Rgb, behind: Rgb, share: float) -> Rgb:
    return tuple(one * share + other * (1 - share) for one, other in zip(colour, behind, strict=True))


def luminance(colour: Rgb) -> float:
    """WCAG's relative luminance."""
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Rgb, other: Rgb) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][request.param])


def test_captions_can_be_read_on_every_background(theme: dict[str, Any]) -> None:
    for behind in [*(theme[name] for name in BACKGROUNDS), theme["sidebar"]["backgroundColor"]]:
        for name, place in (("textColor", behind), ("codeTextColor", theme["codeBackgroundColor"])):
            assert contrast(blended(rgb(theme[name]), rgb(place), CAPTION), rgb(place)) >= READABLE, (name, place)


def test_links_and_coloured_words_can_be_read(theme: dict[str, Any]) -> None:
    for name in ("linkColor", "redColor", "orangeColor", "yellowColor", "greenColor", "blueColor", "grayColor"):
        assert contrast(rgb(theme[name]), rgb(theme["backgroundColor"])) >= READABLE, name


def test_buttons_can_be_read_and_so_can_what_is_chosen(theme: dict[str, Any]) -> None:
    primary = rgb(theme["primaryColor"])
    assert contrast(primary, (255, 255, 255)) >= LEGIBLE_LARGE
    assert contrast(primary, rgb(theme["backgroundColor"])) >= LEGIBLE_LARGE


@pytest.mark.parametrize("file", files("pages"), ids=shown)
def test_code_is_not_coloured(file: Path) -> None:
    """Streamlit's colours of code are its own, and at 2.8 to 1 on a light page."""
    blocks = [call for name, call in calls(tree(file)) if name == "code" and dotted(call.func) == "st.code"]
    for block in blocks:
        language = next((word.value for word in block.keywords if word.arg == "language"), None)
        assert isinstance(language, ast.Constant), f"line {block.lineno} leaves the language to Streamlit"
        assert language.value is None, f"line {block.lineno}"
