"""Secrets that should not be in a prompt or an answer: keys of known services, tokens, private keys, passwords.

Known forms first; then what is assigned to a name that means a secret and looks random, or is said to be a password.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator

from core.guard.findings import Hit, settled

NAME = "secret/1"
REACH = 160

# Forms as the services document them, or as their published scanners know them
_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("openai key", "sk-", r"sk-(?!ant-)(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,200}"),
    ("anthropic key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,200}"),
    ("aws key id", "A", r"(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}"),
    ("github token", "gh", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    ("github token", "github_pat_", r"github_pat_[A-Za-z0-9_]{60,255}"),
    ("gitlab token", "gl", r"gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent)-[A-Za-z0-9_-]{20,100}"),
    ("slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,250}"),
    ("slack webhook", "hooks.slack", r"https://hooks\.slack\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30}"),
    ("google key", "AIza", r"AIza[A-Za-z0-9_-]{35}"),
    ("google oauth", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    ("google oauth", "ya29.", r"ya29\.[A-Za-z0-9_-]{30,300}"),
    ("hugging face token", "hf_", r"hf_[A-Za-z0-9]{30,60}"),
    ("npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi token", "pypi-", r"pypi-[A-Za-z0-9_-]{50,300}"),
    ("stripe key", "k_", r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,120}"),
    ("stripe webhook secret", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,100}"),
    ("sendgrid key", "SG.", r"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}"),
    ("twilio key", "SK", r"SK[0-9a-f]{32}"),
    ("telegram token", ":AA", r"\d{8,10}:AA[A-Za-z0-9_-]{31,34}"),
    ("discord token", ".", r"[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,40}"),
    ("digitalocean token", "do", r"do[opr]_v1_[a-f0-9]{64}"),
    ("shopify token", "shp", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("mailgun key", "key-", r"key-[0-9a-f]{32}"),
    ("databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("azure storage key", "AccountKey=", r"AccountKey=[A-Za-z0-9+/]{86}=="),
    ("groq key", "gsk_", r"gsk_[A-Za-z0-9]{40,60}"),
    ("perplexity key", "pplx-", r"pplx-[A-Za-z0-9]{40,60}"),
    ("greenroom key", "gr_", r"gr_[A-Za-z0-9_-]{32,64}"),
    ("age key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
)  # fmt: skip
_FORMS = tuple((kind, mark, re.compile(rf"(?<![A-Za-z0-9_]){form}(?![A-Za-z0-9])")) for kind, mark, form in _KNOWN)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,2000}\.eyJ[\w-]{4,4000}\.[\w-]{0,1000}")
_KEY_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[A-Za-z0-9+/=\s\\:,.]|-(?!----BEGIN)){0,8000}?"
    r"-----END (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
)
_VALUE = re.compile(r"(?:=>|:=|=|:)\s{0,3}[\"'`]?([^\s\"'`,;<>{}()]{6,300})")
_NAME = re.compile(
    r"(?i)(?:pass(?:word|wd|phrase)?|pwd|passwort|contraseña|secret(?:[_-]?(?:access[_-]?)?key)?|"
    r"(?:access|auth|bearer|refresh|session|api)[_-]?(?:token|key|secret)|apikey|token|client[_-]?secret|"
    r"private[_-]?key|encryption[_-]?key|credentials?)[\"'`]?\s{0,3}$"
)
_SAID_WORDS = (
    "passw", "passphrase", "mot de passe", "contraseña", "parola", "senha", "wachtwoord", "hasło", "pin",
)  # fmt: skip
_SAID = re.compile(
    r"(?i)\b(?:password|passwort|passphrase|mot de passe|contraseña|parola|senha|wachtwoord|hasło|pin(?: code)?)\b"
    r"(?: (?:for|to|of|für|du|de|del|per) [^.:\n]{1,40}?)?\s?(?:is|ist|lautet|est|es|è|é|to|war|was|"
    r"jest)(?: now)?:? [\"'`“«]?([^\s\"'`”»,;]{4,80})"
)
_IN_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,80}:([^\s/@\"']{3,120})@[\w.-]{1,200}", re.IGNORECASE)
_BEARER = re.compile(r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9+/_.=-]{16,2000})")
_FAKE = re.compile(
    r"(?i)^(?:x{3,}|\*{3,}|\.{3,}|-{3,}|<.*|\$.*|%.*|\[.*|your.*|my[_-]?.*|example.*|changeme.*|placeholder.*|"
    r"redacted.*|none|null|true|false|"
    r"undefined|string|str|os\.\w.*|process\.env.*|env\..*|getenv.*|config.*|settings.*|self\..*|secrets?\..*|"
    r"vault.*|input.*|hunter2\*+|"
    r"required|optional|enter.*|insert.*|.*\*{4,}.*|(?:password|passwort|token|secret)s?[.!?]?)$"
)


def find(text: str) -> list[Hit]:
    """Everything that looks like a secret, without overlaps."""
    hits: list[Hit] = []
    for kind, mark, form in _FORMS:
        if mark in text:
            hits += [
                Hit(kind, found.start(), found.end(), 0.97)
                for found in form.finditer(text)
                if entropy(found[0][len(mark) :]) > 2.4
            ]
    if "eyJ" in text:
        hits += [Hit("jwt", f.start(), f.end(), 0.97) for f in _JWT.finditer(text) if _is_header(f[0])]
    if "PRIVATE KEY" in text:
        hits += [Hit("private key", f.start(), f.end(), 0.99) for f in _KEY_BLOCK.finditer(text)]
    if "://" in text:
        hits += [
            Hit("password in address", f.start(1), f.end(1), 0.9)
            for f in _IN_URL.finditer(text)
            if not _FAKE.match(f[1])
        ]
    hits += _assigned(text)
    return settled(hits)


def _assigned(text: str) -> Iterator[Hit]:
    for found in _VALUE.finditer(text):
        named = _NAME.search(text[max(0, found.start() - 40) : found.start()])
        value = found[1].rstrip(".!?")
        if named is None or _FAKE.match(value) or value.startswith(("http:", "https:", "/")):
            continue
        is_password = named[0].lower().startswith(("pass", "pwd", "contraseña"))
        if _random(value, least=6 if is_password else 12, bits=2.2 if is_password else 3.0):
            yield Hit("assigned secret", found.start(1), found.start(1) + len(value), 0.8)
    lowered = text.lower()
    if any(word in lowered for word in _SAID_WORDS):
        for found in _SAID.finditer(text):
            value = found[1].rstrip(".!?)")
            mixed = any(c.isdigit() for c in value) or any(not c.isalnum() for c in value[1:-1])
            if len(value) >= 4 and mixed and not _FAKE.match(value):
                yield Hit("password", found.start(1), found.start(1) + len(value), 0.75)
    if "bearer" in lowered or "basic" in lowered:
        for found in _BEARER.finditer(text):
            if not _FAKE.match(found[1]) and _random(found[1], least=16, bits=3.0):
                yield Hit("bearer token", found.start(1), found.end(1), 0.85)


def entropy(value: str) -> float:
    """Shannon's entropy of the letters of a text, in bits per letter."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values()) if total else 0.0


def _random(value: str, *, least: int, bits: float) -> bool:
    """Whether a value looks made up by a machine or against guessing: long, varied, not a plain word or a path."""
    if len(value) < least or entropy(value) < bits:
        return False
    kinds = (any(c.islower() for c in value), any(c.isupper() for c in value), any(c.isdigit() for c in value))
    signs = any(not c.isalnum() for c in value)
    if re.fullmatch(r"[A-Za-z_.()-]+", value):
        return False
    return sum(kinds) + signs >= 2


def _is_header(token: str) -> bool:
    head = token.partition(".")[0]
    try:
        return b'"alg"' in base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))
    except (binascii.Error, ValueError):
        return False
