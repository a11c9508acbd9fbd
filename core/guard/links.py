"""Links and pictures that lead where nobody allowed: hosts not on the list, scripts, disguised addresses.

A picture is fetched by the reader's browser without a click, so its address can carry away what the answer knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.guard.findings import Hit, settled

NAME = "link/1"
REACH = 64

_ADDRESS = re.compile(
    r"(?i)(?<![\w@])(?:(?:https?|ftps?|wss?):)?//[^\s<>\"'`\\]{1,500}|"
    r"(?<![\w@./-])www\.[^\s<>\"'`\\]{3,500}"
)
_SCHEME = re.compile(r"(?i)(?<![\w.-])(?:javascript|vbscript|data|file|blob):(?=[^\s])[^\s<>\"'`)]{1,500}")
_IMAGE = re.compile(
    r"(?i)!\[[^\]\n]{0,200}\]\(\s{0,4}<?\Z|<(?:img|source|video|audio|iframe|embed|object|link|"
    r"script)\b[^<>]{0,200}(?:src|href|data|srcset)\s{0,2}=\s{0,2}[\"']?\Z"
)
_REFERENCED = re.compile(r"!\[[^\]\n]{0,200}\]\[")
_DEFINITION = re.compile(r"(?m)^ {0,3}\[[^\]\n]{1,100}\]:\s{0,4}<?\Z")
_DATA_IMAGE = re.compile(r"(?i)data:image/(?:png|jpe?g|gif|webp);base64,")
_HOST = re.compile(r"(?i)\A(?:[a-z]{2,5}:)?/?/?([^/?#]*)")
_NUMERIC = re.compile(
    r"(?i)\A(?:\d{1,10}|0x[0-9a-f]{1,8}|(?:0x[0-9a-f]{1,2}|\d{1,4})(?:\.(?:0x[0-9a-f]{1,2}|"
    r"\d{1,4})){1,3}|\[[0-9a-f:.]+\])\Z"
)


def find(text: str, hosts: tuple[str, ...] | None = None) -> list[Hit]:
    """Addresses not allowed. `hosts` names those that are, ".example.com" with all below; None: all honest ones."""
    hits: list[Hit] = []
    if "//" in text or "www." in text.lower():
        hits += _addresses(text, hosts)
    if ":" in text:
        for found in _SCHEME.finditer(text):
            scheme = found[0].partition(":")[0].lower()
            if scheme == "data" and (_DATA_IMAGE.match(found[0]) or "," not in found[0] or "/" not in found[0][:40]):
                continue
            if scheme in ("file", "blob") and not found[0][5:].startswith(("/", "http")):
                continue
            if scheme in ("javascript", "vbscript") and not re.search(r"[(=;%\[]", found[0]):
                continue
            hits.append(Hit("script" if scheme != "file" else "file", found.start(), found.end(), 0.9))
    return settled(hits)


def host_of(address: str) -> tuple[str, bool]:
    """The host an address leads to, and whether it hides behind a user name."""
    if address.lower().startswith("www."):
        authority = re.split("[/?#]", address)[0]
    else:
        authority = (_HOST.match(address) or [""])[1]
    user, at, rest = authority.rpartition("@")
    host = rest if rest.startswith("[") else rest.partition(":")[0]
    return host.rstrip(".").lower(), bool(at and user)


def _addresses(text: str, hosts: tuple[str, ...] | None) -> Iterator[Hit]:
    has_references = bool(_REFERENCED.search(text))
    for found in _ADDRESS.finditer(text):
        address = _trimmed(found[0])
        host, hides = host_of(address)
        says_scheme = found[0].lower().startswith(("http", "ftp", "ws"))
        if not host or ("." not in host and not says_scheme and not _NUMERIC.match(host)):
            continue
        start, stop = found.start(), found.start() + len(address)
        before = text[max(0, start - 220) : start]
        is_image = bool(_IMAGE.search(before)) or (has_references and bool(_DEFINITION.search(before)))
        if hides:
            yield Hit("disguised link", start, stop, 0.9)
        elif hosts is None:
            if _NUMERIC.match(host) or host.startswith("xn--") or ".xn--" in host or not host.isascii():
                yield Hit("disguised link", start, stop, 0.6)
            elif is_image and len(address.partition("?")[2]) > 40:
                yield Hit("image", start, stop, 0.6)
        elif not allowed(host, hosts):
            yield Hit("image" if is_image else "link", start, stop, 0.95)


_PAIRS = {")": "(", "]": "[", "}": "{"}


def _trimmed(address: str) -> str:
    """Without what ends the sentence and not the address."""
    address = address.rstrip(".,;:!?*_|'\"”’»")
    while (opens := _PAIRS.get(address[-1:])) and address.count(address[-1]) > address.count(opens):
        address = address[:-1].rstrip(".,;:!?*_|")
    return address


def allowed(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether a host is on the list; ".example.com" stands for example.com and all below it."""
    for one in hosts:
        name = one.lower().removeprefix("*")
        if host == name.removeprefix(".") or (name.startswith(".") and host.endswith(name)):
            return True
    return False
