"""ROUGE, BLEU and chrF against the papers' examples, and against what the reference programs print."""

from __future__ import annotations

import pytest

from core.evals import overlap


@pytest.mark.parametrize(
    ("answer", "rouge_2", "rouge_l"),
    [
        ("police kill the gunman", 1 / 3, 3 / 4),
        ("the gunman kill police", 1 / 3, 2 / 4),
        ("the gunman police killed", 2 / 3, 2 / 4),
    ],
)
def test_rouge_of_the_papers_gunman(answer: str, rouge_2: float, rouge_l: float) -> None:
    """Lin, "ROUGE" (2004), section 3.1, S1 to S4 with β = 1; ROUGE-2 of S4 is from the program rouge-score 0.1.2."""
    assert overlap.rouge(answer, "police killed the gunman", "2").f == pytest.approx(rouge_2)
    assert overlap.rouge(answer, "police killed the gunman", "L").f == pytest.approx(rouge_l)


def test_rouge_as_rouge_score_prints_it() -> None:
    """rouge-score 0.1.2 without its stemmer, to six places."""
    one, two = "The quick brown fox jumps over the lazy dog.", "The quick brown dog jumps on the log."
    found = [overlap.rouge(one, two, which) for which in ("1", "2", "L")]
    assert [(round(each.precision, 6), round(each.recall, 6), round(each.f, 6)) for each in found] == [
        (0.666667, 0.75, 0.705882),
        (0.25, 0.285714, 0.266667),
        (0.555556, 0.625, 0.588235),
    ]


def test_a_word_counts_no_more_often_than_it_is_expected() -> None:
    """Papineni et al. (2002), example 2: "the" seven times has a modified unigram precision of 2/7."""
    answer, expected = ["the"] * 7, ["the", "cat", "is", "on", "the", "mat"]
    assert overlap.matches(answer, expected, 1) == (2, 7)


@pytest.mark.parametrize(
    ("answer", "expected", "bleu", "chrf"),
    [
        ("the the the the the the the", "the cat is on the mat", 7.80985, 14.232427),
        ("The cat sat on the mat.", "The cat is on the mat.", 48.892302, 67.172735),
        (
            "Hello, world! It costs $1,000.50 today.",
            "Hello world! It costs $1,000.50, today.",
            61.478815,
            80.795402,
        ),
        ("", "a", 0.0, 0.0),
        ("a", "a", 100.0, 100.0),
        (
            "It is a guide to action which ensures that the military always obeys the commands of the party",
            "It is a guide to action that ensures that the military will forever heed Party commands",
            41.180376,
            63.050621,
        ),
        ("short", "a much longer reference text than this", 0.0, 3.759398),
        (
            'non-breaking 3-4 well-known 5% [a] {b} "q" x&amp;y &quot;z&quot;',
            'non-breaking 3-4 well known 5% [a] {b} "q" x&y "z"',
            83.374111,
            77.659585,
        ),
    ],
)
def test_bleu_and_chrf_as_sacrebleu_prints_them(answer: str, expected: str, bleu: float, chrf: float) -> None:
    """sacreBLEU 2.6.0: BLEU(effective_order=True).sentence_score and CHRF().sentence_score, in hundredths."""
    assert overlap.bleu(answer, expected) * 100 == pytest.approx(bleu, abs=1e-6)
    assert overlap.chrf(answer, expected) * 100 == pytest.approx(chrf, abs=1e-6)


def test_chinese_is_compared_by_character() -> None:
    assert overlap.rouge("我喜欢猫", "我喜欢狗", "1").f == pytest.approx(0.75)
