"""In which language a text is, among those it can be told apart from; short texts are not judged."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import Any

from core.guard.findings import Hit

NAME = "language/1"
LEAST = 20  # letters; on fewer every method guesses
MOST = 4_000  # characters that are looked at
SURE = 0.85

# code, words or addresses say nothing about the language of the words around them
_NOT_WORDS = re.compile(r"```[\s\S]{0,20000}?(?:```|\Z)|`[^`\n]{0,200}`|https?://\S+|[\w.+-]+@[\w.-]+|[\d\W_]{4,}")
_lock = threading.Lock()


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """The model of py3langid (BSD, in its wheel): read once, 97 languages."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def known() -> frozenset[str]:
    """The codes (ISO 639-1) of the languages that can be told."""
    return frozenset(str(code) for code in _identifier().nb_classes)


def of(text: str) -> tuple[str, float]:
    """The likeliest language of a text and how sure that is; ("", 0) when there is too little to tell."""
    words = _NOT_WORDS.sub(" ", text[:MOST])
    letters = sum(letter.isalpha() for letter in words)
    # a Chinese or Japanese sentence says with eight letters what takes others thirty
    if letters < LEAST and not (letters >= 8 and re.search("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", words)):
        return "", 0.0
    with _lock:  # the model keeps its place while it reads
        code, sure = _identifier().classify(words)
    return str(code), float(sure)


def find(text: str, allowed: tuple[str, ...]) -> list[Hit]:
    """One hit over the text when it is surely in a language that is not among the allowed; the kind is its code."""
    code, sure = of(text)
    if not code or code in allowed or sure < SURE:
        return []
    return [Hit(code, 0, len(text), round(min(sure, 0.99), 2))]
