"""Numbers as people write them: "$1,234.50", "1.234,50 €", "−3 °C", "6.02e23", "#### 72".

Read as decimals, not as floats: what is printed is what is compared.
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import Literal

import regex

Mark = Literal[".", ","]
Which = Literal["last", "first", "only"]
MOST_DIGITS = 100
LONGEST = 200_000
_EXACT = Context(prec=2 * MOST_DIGITS, Emax=999_999, Emin=-999_999)
# letters before it make it a name (A4, v2), a digit before its hyphen a range (3-5)
_WRITTEN = (
    r"(?<![\p{{L}}\p{{N}}_])[-−+]?+(?:\p{{Sc}}\s?+)?+"
    r"((?:[0-9]{{1,3}}(?:[{gap}'’\u00a0\u202f][0-9]{{3}})++(?![0-9])|[0-9]++)(?:{mark}[0-9]++)?+|{mark}[0-9]++)"
    r"([eE][-+]?[0-9]{{1,4}}+)?+"
)
_FORMS: dict[str, regex.Pattern[str]] = {
    ".": regex.compile(_WRITTEN.format(gap=",", mark=r"\.")),
    ",": regex.compile(_WRITTEN.format(gap=".", mark=",")),
}
_GAPS = str.maketrans("", "", "'’\u00a0\u202f")


def find(text: str, *, mark: Mark = ".", unit: str = "", which: Which = "last") -> Decimal | None:
    """The number of a text: its last, its first, or its only one; with a `unit`, of those it stands behind.

    None when there is none, or when there are several different ones and it should be the only one. Numbers of more
    than 100 digits are not read; of long texts, the last number is looked for near the end, the first at the beginning.
    """
    if which != "only":
        text = text[-LONGEST:] if which == "last" else text[:LONGEST]
    found: Decimal | None = None
    for match in _FORMS[mark].finditer(text):
        if unit and not text[match.end() : match.end() + len(unit) + 1].lstrip("\u00a0\u202f ").startswith(unit):
            continue
        number = _read(match, mark)
        if number is None:
            continue
        if which == "first":
            return number
        if which == "only" and found is not None and found != number:
            return None
        found = number
    return found


def is_close(given: Decimal, wanted: Decimal, *, absolute: Decimal, relative: Decimal) -> bool:
    """Whether |given − wanted| ≤ max(absolute, relative · |wanted|)."""
    away = _EXACT.abs(_EXACT.subtract(given, wanted))
    return away <= absolute or away <= _EXACT.multiply(relative, _EXACT.abs(wanted))


def _read(match: regex.Match[str], mark: Mark) -> Decimal | None:
    whole, body, power = match[0], match[1], match[2] or ""
    if len(body) > MOST_DIGITS:
        return None
    digits = body.translate(_GAPS).replace("," if mark == "." else ".", "").replace(mark, ".")
    try:
        number = _EXACT.create_decimal(digits + power)
    except InvalidOperation:
        return None
    return -number if whole[0] in "-−" else number
