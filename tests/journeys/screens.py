"""Pictures of every page, light and dark, wide and narrow: `python -m tests.journeys.screens URL` of a running console.

They land in `tests/screenshots/`, which git ignores; look at them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import FLAGS, ROOT, Window, chrome, opened

FOLDER = ROOT / "tests" / "screenshots"
SIZES = ((1280, 1700), (390, 2400))
SCHEMES = ("light", "dark")


def addresses(url: str, more: dict[str, str]) -> dict[str, str]:
    """Every page of the navigation by name, and `more` (name → path with query)."""
    from pages.parts import access

    pages = {page.url_path or "home": f"{url}/{page.url_path}" for page in access.PAGES}
    return pages | {name: f"{url}/{path}" for name, path in more.items()}


def take(browser: Browser, pages: dict[str, str], folder: Path = FOLDER) -> Iterator[tuple[str, Window]]:
    """Open each page in each size and scheme; a picture of each is in the folder when it is handed out."""
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        for width, height in SIZES:
            with opened(browser, width=width, height=height, scheme=scheme) as window:
                for name, address in pages.items():
                    window.open(address)
                    shot = f"{name}-{scheme}-{width}"
                    window.page.screenshot(path=folder / f"{shot}.png")
                    yield shot, window


def main() -> None:
    url, *paths = sys.argv[1:]
    more = {path.split("?")[0].strip("/") + f"_{number}": path for number, path in enumerate(paths)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chrome(), args=list(FLAGS))
        for shot, window in take(browser, addresses(url.rstrip("/"), more)):
            print(shot, window.outside or "", window.errors or "")
        browser.close()


if __name__ == "__main__":
    main()
