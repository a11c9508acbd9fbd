"""One paragraph of hostile Markdown as safe HTML: bold, italics, strike-through, code, and addresses made visible.

Everything else is literal text. The scan is linear in the text's length, whatever an attacker writes.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

OPENABLE = frozenset({"http", "https", "mailto"})
_ADDRESS_STYLE = "opacity:.75;font-size:.9em;overflow-wrap:anywhere"
_CODE_STYLE = (
    "background:color-mix(in srgb,currentColor 9%,transparent);border-radius:.25rem;padding:.1em .3em;"
    "font-size:.9em;white-space:pre-wrap;overflow-wrap:anywhere"
)
# an address may hold one level of parentheses; every quantifier is bounded and no two can share a character
_LINK = re.compile(
    r"!?\[(?P<label>[^\[\]]{0,500})\]\(\s{0,9}<?(?P<address>(?:[^\s<>()]|\([^\s<>()]{0,200}\)){0,2000})>?"
    r"(?:\s{1,9}(?:\"[^\"]{0,300}\"|'[^']{0,300}'))?\s{0,9}\)"
)
_BARE = re.compile(r"(?:https?|ftp|file)://[^\s<>\"'`|\\^{}\[\]]{1,2000}", re.IGNORECASE)
_ANGLE = re.compile(r"<([a-zA-Z][a-zA-Z0-9+.-]{1,31}:[^\s<>]{1,2000})>")
_TICKS = re.compile(r"`+")
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_STOPS = re.compile(r"[\\`*_~!\[<]|https?://|ftp://|file://", re.IGNORECASE)
_TAGS = {1: ("<em>", "</em>"), 2: ("<strong>", "</strong>"), 3: ("<strong><em>", "</em></strong>")}


@dataclass(slots=True)
class Addresses:
    """Every address a text names, in order, each once; a reader opens them from a list, never from the text."""

    seen: dict[str, None] = field(default_factory=dict)

    def add(self, address: str) -> str:
        """Note an address; how it is shown: ASCII only, so that look-alike letters cannot pass for a known host."""
        shown = spelled(address)
        self.seen.setdefault(shown)
        return shown


def spelled(address: str) -> str:
    """An address in plain ASCII: the host as it is looked up, the rest percent-encoded."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if host and not host.isascii():
            address = address.replace(host, host.encode("idna").decode("ascii"), 1)
    except (UnicodeError, ValueError):
        pass
    return quote(address, safe="!#$%&'()*+,/:;=?@[]~-._", errors="replace")


def openable(address: str) -> bool:
    """Whether a reader may be offered a door to this address (web and mail, nothing that runs)."""
    try:
        return urlsplit(address).scheme.lower() in OPENABLE
    except ValueError:
        return False


def render(text: str, addresses: Addresses) -> str:
    """The HTML of one run of text."""
    return _Scan(text, addresses).run()


class _Scan:
    def __init__(self, text: str, addresses: Addresses) -> None:
        self.text = text
        self.addresses = addresses
        self.out: list[str] = []
        self.open: list[tuple[str, int]] = []  # delimiter, its place in `out`
        self.ticks: dict[int, list[int]] = {}  # length of a run of backticks → where such runs start, last first
        for run in _TICKS.finditer(text):
            self.ticks.setdefault(len(run.group()), []).insert(0, run.start())

    def run(self) -> str:
        at = 0
        while (stop := _STOPS.search(self.text, at)) is not None:
            self._literal(self.text[at : stop.start()])
            at = self._special(stop.start())
        self._literal(self.text[at:])
        return "".join(self.out)

    def _literal(self, text: str) -> None:
        if text:
            self.out.append(html.escape(text).replace("\n", "<br>"))

    def _special(self, at: int) -> int:
        """Handle the special character at `at`; where to go on."""
        mark = self.text[at]
        if mark == "\\":
            return self._escaped(at)
        if mark == "`":
            return self._code(at)
        if mark in "*_~":
            return self._delimiter(at)
        if mark in "![" and (link := _LINK.match(self.text, at)):
            self._link(link.group("label"), link.group("address"), is_image=mark == "!")
            return link.end()
        if mark == "<" and (angle := _ANGLE.match(self.text, at)):
            self._link("", angle.group(1))
            return angle.end()
        if mark not in "![<" and (bare := _BARE.match(self.text, at)):
            address = bare.group().rstrip(".,;:!?*_~")
            if address.endswith(")") and address.count("(") < address.count(")"):
                address = address[:-1]
            self._link("", address)
            return at + len(address)
        self._literal(mark)
        return at + 1

    def _escaped(self, at: int) -> int:
        following = self.text[at + 1 : at + 2]
        # \( and \[ open a formula, which stays as written
        if following in _PUNCTUATION and following not in {"(", ")", "[", "]"}:
            self._literal(following)
            return at + 2
        self._literal("\\")
        return at + 1

    def _code(self, at: int) -> int:
        run = _TICKS.match(self.text, at)
        length = len(run.group()) if run else 1
        starts = self.ticks.get(length, [])
        while starts and starts[-1] <= at:
            starts.pop()
        if not starts:
            self._literal("`" * length)
            return at + length
        end = starts.pop()
        inner = self.text[at + length : end].replace("\n", " ")
        if inner.startswith(" ") and inner.endswith(" ") and inner.strip():
            inner = inner[1:-1]
        self.out.append(f'<code style="{_CODE_STYLE}">{html.escape(inner)}</code>')
        return end + length

    def _delimiter(self, at: int) -> int:
        mark = self.text[at]
        end = at
        while end < len(self.text) and self.text[end] == mark:
            end += 1
        run = self.text[at:end]
        before, after = self.text[at - 1 : at] or " ", self.text[end : end + 1] or " "
        opens, closes = not after.isspace(), not before.isspace()
        if mark == "_":
            opens, closes = opens and not before.isalnum(), closes and not after.isalnum()
        usable = len(run) == 2 if mark == "~" else len(run) <= 3
        if usable and closes and (place := self._opener(run)) is not None:
            left, right = ("<s>", "</s>") if mark == "~" else _TAGS[len(run)]
            self.out[place] = left
            self.out.append(right)
        else:
            if usable and opens:
                self.open.append((run, len(self.out)))
            self.out.append(run)
        return end

    def _opener(self, run: str) -> int | None:
        """The place of the delimiter this one closes; whatever was opened in between stays literal."""
        for depth in range(len(self.open) - 1, max(-1, len(self.open) - 9), -1):
            if self.open[depth][0] == run:
                place = self.open[depth][1]
                del self.open[depth:]
                return place
        return None

    def _link(self, label: str, address: str, *, is_image: bool = False) -> None:
        shown = self.addresses.add(address)
        words = html.escape(" ".join(label.split()))
        lead = "picture, not loaded: " if is_image else ""
        if words in {"", html.escape(address)}:
            self.out.append(f'<span style="{_ADDRESS_STYLE}">{lead}{html.escape(shown)}</span>')
        else:
            self.out.append(f'{words} <span style="{_ADDRESS_STYLE}">({lead}{html.escape(shown)})</span>')
