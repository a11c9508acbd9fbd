"""Hostile Markdown as safe HTML, without a browser: what a model wrote, readable, and unable to do anything.

Headings, lists, quotes, tables, code and emphasis are drawn. Every character of the text is escaped; no address is
ever loaded; links are words with their address beside them and a folded list at the end from which a reader may
open one. HTML, Streamlit's directives, emoji codes, formulas and diagrams stay literal text.
"""

from __future__ import annotations

import html
import re

from pages.parts import prose_inline
from pages.parts.prose_inline import Addresses

LONGEST = 200_000
_DEEPEST = 6
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^`]*)$")
_HEADING = re.compile(r"^ {0,3}(#{1,6})(?:[ \t]+(.*?))?[ \t#]*$")
_RULE = re.compile(r"^ {0,3}(?:-[ \t]*){3,}$|^ {0,3}(?:\*[ \t]*){3,}$|^ {0,3}(?:_[ \t]*){3,}$")
_ITEM = re.compile(r"^( {0,3})([-*+]|\d{1,9}[.)])([ \t]+|$)")
_TASK = re.compile(r"^\[([ xX])\][ \t]")
_DASHES = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), "�")
_LINE = "color-mix(in srgb,currentColor 22%,transparent)"
_PRE = (
    "background:color-mix(in srgb,currentColor 7%,transparent);border-radius:.5rem;padding:.75rem;margin:.5rem 0;"
    "overflow-x:auto;font-size:.85em;white-space:pre"
)
_CELL = f"border:1px solid {_LINE};padding:.3rem .6rem;text-align:start;vertical-align:top"
_SIZES = {1: "1.25em", 2: "1.15em", 3: "1.08em"}


def clean(text: str) -> str:
    """Text every browser and protocol can carry: lone surrogates and control characters become `�`."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)


def plain(text: str) -> str:
    """The HTML of text exactly as it was written, nothing interpreted."""
    body = html.escape(clean(text)).replace("\n", "&#10;")
    return f'<div dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate">{body}</div>'


def render(text: str) -> str:
    """The HTML of Markdown; text longer than anyone reads is shown as it is."""
    if len(text) > LONGEST:
        return plain(text)
    addresses = Addresses()
    body = _blocks(clean(text).split("\n"), addresses, depth=0)
    return (
        '<div dir="auto" style="overflow-wrap:anywhere;unicode-bidi:isolate;line-height:1.6">'
        f"{body}{_doors(addresses)}</div>"
    )


def _doors(addresses: Addresses) -> str:
    """The folded list of addresses: the step between reading a link and going there."""
    if not addresses.seen:
        return ""
    count = len(addresses.seen)
    rows = []
    for address in list(addresses.seen)[:50]:
        shown = html.escape(address)
        if prose_inline.openable(address):
            shown = f'<a href="{shown}" target="_blank" rel="noopener noreferrer nofollow">{shown}</a>'
        rows.append(f"<li>{shown}</li>")
    more = f"<li>and {count - 50} more</li>" if count > 50 else ""
    noun = "1 address" if count == 1 else f"{count} addresses"
    return (
        f'<details style="margin-top:.5rem;font-size:.85em"><summary style="cursor:pointer;opacity:.75">{noun} in '
        "this text</summary><p>Written by a model or a stranger. Read an address before you open it.</p>"
        f"<ul>{''.join(rows)}{more}</ul></details>"
    )


def _blocks(lines: list[str], addresses: Addresses, *, depth: int) -> str:
    out: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif fence := _FENCE.match(line):
            at = _fenced(lines, at, fence.group(1), out)
        elif heading := _HEADING.match(line):
            size = _SIZES.get(len(heading.group(1)), "1em")
            words = prose_inline.render(heading.group(2) or "", addresses)
            out.append(f'<p style="font-weight:600;font-size:{size};margin:.8em 0 .3em">{words}</p>')
            at += 1
        elif _RULE.match(line):
            out.append(f'<hr style="border:0;border-top:1px solid {_LINE};margin:1em 0">')
            at += 1
        elif line.lstrip(" ").startswith(">") and depth < _DEEPEST:
            at = _quote(lines, at, addresses, depth, out)
        elif (item := _ITEM.match(line)) and depth < _DEEPEST:
            at = _list(lines, at, item.group(2), addresses, depth, out)
        elif "|" in line and at + 1 < len(lines) and "-" in lines[at + 1] and _DASHES.match(lines[at + 1]):
            at = _table(lines, at, addresses, out)
        else:
            at = _paragraph(lines, at, addresses, out)
    return "".join(out)


def _fenced(lines: list[str], at: int, fence: str, out: list[str]) -> int:
    """Code up to its closing fence, or to the end when a stream was cut."""
    body: list[str] = []
    at += 1
    while at < len(lines):
        inner = lines[at].strip()
        at += 1
        if inner and inner[0] == fence[0] and len(inner) >= len(fence) and not inner.strip(fence[0]):
            break
        body.append(lines[at - 1])
    out.append(f'<pre style="{_PRE}"><code>{"&#10;".join(map(html.escape, body))}</code></pre>')
    return at


def _quote(lines: list[str], at: int, addresses: Addresses, depth: int, out: list[str]) -> int:
    inner: list[str] = []
    while at < len(lines) and lines[at].lstrip(" ").startswith(">"):
        inner.append(lines[at].lstrip(" ")[1:].removeprefix(" "))
        at += 1
    body = _blocks(inner, addresses, depth=depth + 1)
    style = f"border-inline-start:3px solid {_LINE};margin:.5rem 0;padding-inline-start:.8rem;opacity:.85"
    out.append(f'<blockquote style="{style}">{body}</blockquote>')
    return at


def _list(lines: list[str], at: int, mark: str, addresses: Addresses, depth: int, out: list[str]) -> int:
    """Items of one kind (bullets, or numbers) with whatever is indented below each."""
    numbered = mark[0].isdigit()
    items: list[str] = []
    while at < len(lines) and (item := _ITEM.match(lines[at])) and item.group(2)[0].isdigit() == numbered:
        inner = [lines[at][item.end() :]]
        indent = max(2, len(item.group(1)) + len(item.group(2)) + 1)
        at += 1
        while at < len(lines) and _belongs(lines, at, indent):
            inner.append(lines[at][min(indent, len(lines[at]) - len(lines[at].lstrip(" "))) :])
            at += 1
        if task := _TASK.match(inner[0]):
            inner[0] = ("☐ " if task.group(1) == " " else "☑ ") + inner[0][task.end() :]
        items.append(f"<li>{_tight(_blocks(inner, addresses, depth=depth + 1))}</li>")
        while at + 1 < len(lines) and not lines[at].strip() and _ITEM.match(lines[at + 1]):
            at += 1
    start = f' start="{int(mark[:-1])}"' if numbered else ""
    tag = "ol" if numbered else "ul"
    out.append(f'<{tag}{start} style="margin:.3em 0;padding-inline-start:1.6em">{"".join(items)}</{tag}>')
    return at


def _belongs(lines: list[str], at: int, indent: int) -> bool:
    """Whether a line is inside the item above it."""
    line = lines[at]
    if line.strip():
        return len(line) - len(line.lstrip(" ")) >= min(indent, 2)
    following = lines[at + 1] if at + 1 < len(lines) else ""
    return bool(following.strip()) and len(following) - len(following.lstrip(" ")) >= min(indent, 2)


def _tight(body: str) -> str:
    """One paragraph alone in an item needs no space around it."""
    opening = '<p style="margin:.5em 0">'
    if body.startswith(opening) and body.count("<p ") == 1:
        return body.removeprefix(opening).replace("</p>", "", 1)
    return body


def _table(lines: list[str], at: int, addresses: Addresses, out: list[str]) -> int:
    head = _cells(lines[at])
    rows = []
    at += 2
    while at < len(lines) and "|" in lines[at] and lines[at].strip():
        cells = (_cells(lines[at]) + [""] * len(head))[: len(head)]
        rows.append("".join(_cell("td", cell, addresses) for cell in cells))
        at += 1
    heads = "".join(_cell("th", cell, addresses) for cell in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    out.append(
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:.5rem 0">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    return at


def _cell(tag: str, text: str, addresses: Addresses) -> str:
    return f'<{tag} style="{_CELL}">{prose_inline.render(text, addresses)}</{tag}>'


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    line = line[:-1] if line.endswith("|") and not line.endswith("\\|") else line
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)]


def _paragraph(lines: list[str], at: int, addresses: Addresses, out: list[str]) -> int:
    """Lines up to a blank one or to the start of something else; always at least one."""
    inner = [lines[at]]
    at += 1
    while at < len(lines) and lines[at].strip() and not _starts(lines[at]):
        inner.append(lines[at])
        at += 1
    words = prose_inline.render("\n".join(line.strip() for line in inner), addresses)
    out.append(f'<p style="margin:.5em 0">{words}</p>')
    return at


def _starts(line: str) -> bool:
    return bool(
        _FENCE.match(line)
        or _HEADING.match(line)
        or _RULE.match(line)
        or _ITEM.match(line)
        or line.lstrip(" ").startswith(">")
    )
