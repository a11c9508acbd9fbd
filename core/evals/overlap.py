"""How much two texts have in common: ROUGE, BLEU and chrF, each by its paper, all shares from 0 to 1.

They compare words and letters, not meanings, and were made for many texts: of one short answer they say little.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import regex
from rapidfuzz.distance import LCSseq

from core.evals.wording import words

Rouge = Literal["1", "2", "L"]
_BLEU_ORDER, _CHRF_ORDER, _CHRF_BETA = 4, 6, 2

# NIST's mteval-v13a.pl, the tokens BLEU figures are compared by (Post, "A call for clarity in reporting BLEU scores",
# 2018): signs stand alone, points and commas too unless within numbers, and a hyphen after a digit
_SIGNS = regex.compile(r"([{-~\[-` -&(-+:-@/])")
_AFTER, _BEFORE, _HYPHEN = (
    regex.compile(r"([^0-9])([.,])"),
    regex.compile(r"([.,])([^0-9])"),
    regex.compile("([0-9])(-)"),
)
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


@dataclass(frozen=True, slots=True)
class Overlap:
    """Shares of the answer that were expected, and of what was expected that is in the answer."""

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """The harmonic mean; 0 when nothing is in common."""
        return _f(self.precision, self.recall, 1)


def rouge(answer: str, expected: str, which: Rouge) -> Overlap:
    """ROUGE-1, ROUGE-2: common words and pairs of words; ROUGE-L: the longest common subsequence of words.

    Source: C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries" (2004), equations 1 and 2–4 with β = 1.
    """
    ours, theirs = words(answer), words(expected)
    if which == "L":
        common, made, wanted = LCSseq.similarity(ours, theirs), len(ours), len(theirs)
    else:
        one, two = _grams(ours, int(which)), _grams(theirs, int(which))
        common, made, wanted = (one & two).total(), one.total(), two.total()
    return Overlap(common / made if made else 0.0, common / wanted if wanted else 0.0)


def bleu(answer: str, expected: str) -> float:
    """BLEU of one text against one reference, smoothed where an order has no match.

    exp(Σ log pₙ / N) · min(1, e^(1 − r/c)), N = 4 or as long as the answer is. Source: Papineni et al., "BLEU: a method
    for automatic evaluation of machine translation" (2002); the smoothing is the third of Chen and Cherry, "A
    systematic comparison of smoothing techniques for sentence-level BLEU" (2014), as in mteval-v13a and sacreBLEU.
    """
    ours, theirs = _tokens(answer), _tokens(expected)
    counts = [matches(ours, theirs, order) for order in range(1, _BLEU_ORDER + 1)]
    counts = [(common, made) for common, made in counts if made]
    if not any(common for common, _ in counts):
        return 0.0
    smooth, logs = 1, 0.0
    for common, made in counts:
        if not common:
            smooth *= 2
        logs += math.log(common / made if common else 1 / (smooth * made))
    brevity = min(1.0, math.exp(1 - len(theirs) / len(ours)))
    return brevity * math.exp(logs / len(counts))


def matches(ours: Sequence[str], theirs: Sequence[str], order: int) -> tuple[int, int]:
    """Runs of `order` words that occur in both, none more often than in `theirs` ("clipped"), and all of `ours`."""
    one, two = _grams(ours, order), _grams(theirs, order)
    return (one & two).total(), one.total()


def chrf(answer: str, expected: str) -> float:
    """chrF2: the F-score (β = 2) of runs of 1 to 6 characters without blanks, precision and recall averaged over them.

    Source: M. Popović, "chrF: character n-gram F-score for automatic MT evaluation" (2015); orders that one of the two
    texts is too short for do not count, as in sacreBLEU.
    """
    ours, theirs = "".join(answer.split()), "".join(expected.split())
    orders = range(1, min(_CHRF_ORDER, len(ours), len(theirs)) + 1)
    if not orders:
        return 0.0
    precision = recall = 0.0
    for order in orders:
        one, two = _grams(ours, order), _grams(theirs, order)
        common = (one & two).total()
        precision += common / one.total()
        recall += common / two.total()
    return _f(precision / len(orders), recall / len(orders), _CHRF_BETA)


def _f(precision: float, recall: float, beta: int) -> float:
    below = beta * beta * precision + recall
    return (1 + beta * beta) * precision * recall / below if below else 0.0


def _grams(of: Sequence[str], order: int) -> Counter[object]:
    if isinstance(of, str):
        return Counter(of[at : at + order] for at in range(len(of) - order + 1))
    return Counter(zip(*(of[at:] for at in range(order)), strict=False))


def _tokens(text: str) -> list[str]:
    made = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for name, sign in _ENTITIES:
        made = made.replace(name, sign)
    made = _SIGNS.sub(r" \1 ", f" {made} ")
    made = _AFTER.sub(r"\1 \2 ", made)
    made = _BEFORE.sub(r" \1 \2", made)
    return _HYPHEN.sub(r"\1 \2 ", made).split()
