"""Near duplicates: of any number of texts, every pair that is alike, and no other."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from core.datasets import nearness, pairing, queries
from core.errors import NotFound
from tests.datasets.sets import Sets, entry

ASKED = "may i return the blue lamp that i bought last week, although i have lost its receipt and its box?"
LETTERS = "abcdefghijklmnopqrstuvwxyz "


def near(texts: Sequence[str], **told: int) -> list[list[int]]:
    rows = np.stack([nearness.signature(text, place) for place, text in enumerate(texts)])
    return nearness.groups(len(texts), nearness.pairs(rows), lambda some: [texts[place] for place in some], **told)


def test_texts_that_differ_in_a_few_letters_are_a_group_and_others_are_not() -> None:
    texts = [ASKED, "where is my parcel? it was to come on monday.", ASKED.replace("week", "month"), "hi", ASKED + "!"]
    assert near(texts) == [[0, 2, 4]]
    assert near(["hi", "hi", "", ""]) == []


@pytest.mark.parametrize("at_once", [1, 7, 500])
def test_every_pair_that_is_alike_beyond_doubt_is_found_and_no_other_is(at_once: int) -> None:
    chance = random.Random(7)
    texts = []
    for _ in range(200):
        text = "".join(chance.choices(LETTERS, k=300))
        place = chance.randrange(300)
        texts += [text, text[:place] + "#" + text[place + 1 :]]  # at most 5 of about 296 shingles differ
    assert near(texts, at_once=at_once) == [[2 * n, 2 * n + 1] for n in range(200)]


def test_pairs_of_any_resemblance_are_judged_on_all_they_say_as_a_search_of_all_pairs_would() -> None:
    chance = random.Random(5)
    texts = []
    for _ in range(60):
        text = "".join(chance.choices(LETTERS, k=200))
        for edits in (0, 2, 4, 6, 8):  # resemblances from 0.6 to 1
            letters = list(text)
            for place in chance.sample(range(200), edits):
                letters[place] = "#"
            texts.append("".join(letters))
    sets = [nearness.shingles(text) for text in texts]
    wanted = {
        (one, other)
        for one in range(len(texts))
        for other in range(one + 1, len(texts))
        if nearness.resemblance(sets[one], sets[other]) >= nearness.NEAR
    }
    group_of = {place: number for number, group in enumerate(near(texts)) for place in group}
    found = sum(one in group_of and group_of.get(one) == group_of.get(other) for one, other in wanted)
    assert found >= 0.97 * len(wanted)
    alike = {place for pair in wanted for place in pair}
    assert set(group_of) <= alike


def test_many_equal_texts_are_one_group_and_many_of_one_mould_are_not() -> None:
    assert near([ASKED] * 3_000) == [list(range(3_000))]
    chance = random.Random(3)
    mould = "write a letter of thanks to {} and tell them that the {} has come"
    texts = [mould.format(*("".join(chance.choices(LETTERS, k=24)) for _ in range(2))) for _ in range(2_000)]
    texts += [texts[7] + ".", texts[1_999] + "!"]
    assert near(texts) == [[7, 2_000], [1_999, 2_001]]


def test_what_is_too_much_to_measure_is_said() -> None:
    rows = np.stack([nearness.signature(ASKED, place) for place in range(50)])
    found = nearness.pairs(rows, most=10)
    assert (found.is_cut, len(found.places)) == (True, 10)


def test_the_last_of_many_examples_is_compared_with_the_first(sets: Sets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "_PER_READ", 4)
    keys = sets.write(entry(ASKED), *(entry(f"{n} {LETTERS[n:]} {n * 7}") for n in range(9)), entry(ASKED.upper()))
    shares: list[float] = []
    found = pairing.near(sets.db, sets.id, project_ids=(1,), progress=shares.append)
    assert (found.groups, found.count, found.compared, found.is_cut) == (((keys[0], keys[-1]),), 1, 11, False)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    with sets.db.read() as session:
        (alike,) = queries.alike(session, sets.id, found.groups, project_ids=(1,))
    assert [row.key for row in alike.rows] == [keys[0], keys[-1]]
    sets.remove(keys[0])
    with sets.db.read() as session:
        assert queries.alike(session, sets.id, found.groups, project_ids=(1,)) == ()
    with pytest.raises(NotFound):
        pairing.near(sets.db, sets.id, project_ids=(2,))


def test_of_no_examples_none_are_alike(sets: Sets) -> None:
    assert pairing.near(sets.db, sets.id, project_ids=(1,)).groups == ()


def test_a_resemblance_is_the_shared_of_all_shingles() -> None:
    one, other = nearness.shingles("what is a green room"), nearness.shingles("what is a green roof, then")
    assert nearness.resemblance(one, other) == len({*one} & {*other}) / len({*one} | {*other})
    none = nearness.shingles("so")
    assert [nearness.resemblance(*pair) for pair in ((one, none), (none, one), (none, none), (one, one))] == [
        0,
        0,
        0,
        1,
    ]
