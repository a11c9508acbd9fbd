"""Fixtures of the page tests: the browser, for what only a browser can show."""

from tests.support.browser import chromium, window

__all__ = ["chromium", "window"]
