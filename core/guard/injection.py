"""Attempts to give a model other orders than its owner's: overriding, role play without rules, stealing the prompt.

Heuristics over what is said in thirteen languages, role marks of chat templates, and disguises (invisible characters,
spelt-out words, digits for letters, base64, rot13). They see the known ways, not every way; text that speaks *about*
such attempts is told apart by its manner and only lowers how sure a hit is.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from core.guard import folding
from core.guard.findings import Hit, settled

NAME = "injection/1"
REACH = 160

FILE = Path(__file__).resolve().parents[2] / "data" / "guard" / "injection.toml"


def _read() -> tuple[tuple[str, float, re.Pattern[str]], ...]:
    """The kind, the sureness and the form of everything that is said to such an end."""
    given = tomllib.loads(FILE.read_text(encoding="utf-8"))
    forms = []
    for one in given["said"]:
        form = one["form"]
        for name, part in given["parts"].items():
            form = form.replace("{" + name + "}", part)
        forms.append((one["kind"], one["sure"], re.compile(form)))
    return tuple(forms)


_FORMS = _read()
_TRIGGERS = re.compile(
    r"ignor|disregard|forget|overrid|bypass|overlook|skip|discard|drop|neglect|violat|follow|obey|adher|comply|"
    r"listen to|apply|"
    r"instruction|guideline|prompt|rules|anything now|dan\b|mode\b|restrict|filter|uncensor|amoral|jailbr|unalign|"
    r"refuse|"
    r"pretend|imagine|suppose|from now|henceforth|starting now|responses|answers|replies|above|before this|told|"
    r"\bai\b|llm|"
    r"!\[|exfil|send|post|forward|upload|email|append|transmit|leak|"
    r"vergiss|vergessen|missacht|umgeh|ubergeh|uberschreib|oubli|compte|contourn|olvid|omit|descart|caso omiso|"
    r"desobed|dimentic|trascur|"
    r"seguire|rispettare|esquec|desconsider|negeer|vergeet|omzeil|\bsla\b|zapomnij|pomin|omin|игнор|забудь|внимани|"
    r"отмени|talimat|kural|"
    r"komut|yonerge|忽|无视|無視|忘|不要遵守|绕过|指示|命令|ルール|규칙|지시|명령|지침|تجاهل|انس|تجاوز|system|initial|geheim|"
    r"систем|提示|指令|ohne|\bsin\b|sans|senza|\bsem\b"
)

_MARKS = re.compile(
    r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|"
    r"end_of_turn)\|>|"
    r"\[/?INST\]|<</?SYS>>|</?(?:system|system_prompt|sys|instructions)>|<(?:start|end)_of_turn>|"
    r"^[ \t]{0,3}(?:#{1,4} ?|\*\*|\[)?(?:system|system prompt|system message|developer)(?:\*\*|\])? ?:(?=[ \t]*\S)|"
    r"^\s{0,3}#{2,4} ?(?:instruction|system|response)s?:?[ \t]*$|^(?:human|assistant|h|a): (?=\S)",
    re.IGNORECASE | re.MULTILINE,
)
_TAGS = re.compile("[\U000e0020-\U000e007f]{4,}")
_HIDDEN = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff\u00ad]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{24,4000}={0,2}(?![A-Za-z0-9+/=])")
_ROT13 = re.compile(
    r"\b(?:vtaber|qvfertneq|sbetrg|olcnff|erirny|ercrng)\b[^.!?\n]{0,60}?\b(?:vafgehpgvba|cebzcg|"
    r"ehyr|thvqryvar)"
)
_JOINED = re.compile(
    r"(?:ignore|disregard|forget|bypass)(?:all|any|the|your|my|these)*(?:previous|prior|above|earlier|system|"
    r"safety)*(?:instruction|rule|prompt|"
    r"guideline|restriction)|systemprompt|jailbreak|doanythingnow|developermode"
)
# Manners of speaking about an attempt rather than making one
_ABOUT = re.compile(
    r"\b(?:prompt injections?|jailbreak(?:s|ing)? (?:attack|attempt|technique|detect)\w*|for example|such as|e\.g\.|"
    r"attackers?|"
    r"(?:an? )?attack(?:s|ing)? (?:that|which|where|like)|what does|what is meant|means? (?:that|when)|detect\w*|"
    r"classif\w+|defend|defence|"
    r"defense|mitigat\w+|researchers?|paper|article|blog ?post|explain (?:what|why|how)|red[- ]team\w*|"
    r"phrases? like|z\. ?b\.|par exemple|"
    r"zum beispiel|was bedeutet|was ist ein|por ejemplo|que significa|qu'est-ce)\b"
)
_OWN = re.compile(
    r"\b(?:my|our|his|her|their|doctor's|teacher's|recipe|manual|assembly|washing|ikea|care|cooking|"
    r"tax|traffic|grammar|building)\b"
)


def find(text: str) -> list[Hit]:
    """Attempts in a text, without overlaps."""
    hits: list[Hit] = [*_marks(text), *_invisible(text)]
    folded = folding.fold(text)
    meant = folding.unleet(folded.text)
    if _TRIGGERS.search(meant):
        hits += _said(meant, folded)
    hits += _joined(folded)
    hits += _encoded(text)
    return settled(hits)


def _said(meant: str, folded: folding.Folded) -> Iterator[Hit]:
    about = 0.45 if _ABOUT.search(meant) else 0.0
    for kind, sure, form in _FORMS:
        for found in form.finditer(meant):
            start, stop = folded.span(found.start(), found.end())
            less = about
            if kind == "override" and _OWN.search(found[0]):
                less = max(less, 0.45)
            yield Hit(kind, start, stop, round(max(sure - less, 0.1), 2))


def _marks(text: str) -> Iterator[Hit]:
    for found in _MARKS.finditer(text):
        plain = found[0].strip().lower()
        turns = plain in ("human:", "assistant:", "h:", "a:")
        if turns and not re.search(
            r"(?i)^(?:human|assistant|h|a): [\s\S]{0,400}?^(?:human|assistant|h|"
            r"a): ",
            text[max(0, found.start() - 400) : found.end() + 400],
            re.MULTILINE,
        ):
            continue
        yield Hit("role mark", found.start(), found.end(), 0.55 if turns else 0.8)


def _invisible(text: str) -> Iterator[Hit]:
    if text.isascii():
        return
    for found in _TAGS.finditer(text):
        yield Hit("invisible text", found.start(), found.end(), 0.95)
    overrides = [found.start() for found in _BIDI.finditer(text)]
    if overrides:
        yield Hit("reversed text", overrides[0], overrides[-1] + 1, 0.6)
    # one joiner belongs to many scripts and to emoji; several inside Latin words belong to nothing
    split = [f.start() for f in _HIDDEN.finditer(text) if _between_latin(text, f.start())]
    if len(split) >= 3:
        yield Hit("invisible characters", split[0], split[-1] + 1, 0.75)


def _between_latin(text: str, place: int) -> bool:
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    return before.isascii() and before.isalpha() and (after.isalpha() or after in "\u200b\u200c\u200d\u2060")


def _joined(folded: folding.Folded) -> Iterator[Hit]:
    words = folding.spelt(folded.text)
    if not words:
        return
    joined = "".join(word for word, _, _ in words)
    if _JOINED.search(joined):
        yield Hit("spelt out", *folded.span(words[0][1], words[-1][2]), 0.75)


def _encoded(text: str) -> Iterator[Hit]:
    for found in _BASE64.finditer(text):
        inner = _decoded(found[0])
        if inner and any(hit.confidence >= 0.6 for hit in _inside(inner)):
            yield Hit("encoded", found.start(), found.end(), 0.85)
    lowered = text.lower()
    for found in _ROT13.finditer(lowered) if len(lowered) == len(text) else ():
        if any(_inside(codecs.decode(found[0] + "f", "rot13"))):
            yield Hit("encoded", found.start(), found.end(), 0.8)


def _inside(text: str) -> Iterator[Hit]:
    folded = folding.fold(text)
    return _said(folding.unleet(folded.text), folded)


def _decoded(value: str) -> str:
    """The text in a base64 value; "" when it holds none."""
    plain = value.rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        plain = plain[:-1]
    try:
        inner = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
    return inner if sum(letter.isprintable() or letter.isspace() for letter in inner) > 0.95 * len(inner) else ""
