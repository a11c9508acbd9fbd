"""However many people vote in however many tabs: nobody votes twice on a pair, and sums are what votes add up to."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlmodel import col, select

from core.db.engine import Database
from core.errors import Conflict
from core.ids import Ids
from core.people.rules import Principal
from core.statistics.votes import Choice
from core.votes import actions, sums
from core.votes.rules import Draws, as_if_low_left
from core.votes.tables import ComparePair
from tests.votes.arena import Arena, person

VOTERS, TABS, QUESTIONS = 20, 2, 6


@pytest.fixture
def crowded(store_url: str, ids: Ids, at: datetime) -> Iterator[Arena]:
    db = Database(store_url)
    yield Arena(db, ids, at)
    db.close()


def test_of_twenty_voters_in_two_tabs_each_nobody_votes_twice_on_a_pair(crowded: Arena) -> None:
    number = crowded.ready(
        "m/a", "m/b", "m/c", "m/d", questions=[f"{one}?" for one in range(QUESTIONS)], stays_hidden=True
    )
    accepted: Counter[tuple[str, int]] = Counter()
    refused: Counter[str] = Counter()
    failures: list[BaseException] = []
    together = threading.Barrier(VOTERS * TABS)
    lock = threading.Lock()

    def work(voter: Principal, dice: random.Random) -> None:
        together.wait()
        for _ in range(8):
            draws = Draws(dice.random(), dice.random(), dice.random())
            with crowded.db.write() as session:
                pair_id = actions.serve(
                    session, comparison_id=number, by=voter, at=crowded.at, ids=crowded.ids, draws=draws
                )
            if pair_id is None:
                return
            try:
                with crowded.db.write() as session:
                    choice = dice.choice(list(Choice))
                    actions.vote(session, pair_id=pair_id, choice=choice, by=voter, at=crowded.at)
                with lock:
                    accepted[voter.actor, pair_id] += 1
            except Conflict as error:
                with lock:
                    refused[error.code] += 1

    def guarded(voter: Principal, dice: random.Random) -> None:
        try:
            work(voter, dice)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=guarded, args=(person(f"v{one:02}"), random.Random(one * 10 + tab)))
        for one in range(VOTERS)
        for tab in range(TABS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert set(refused) <= {"voted"}
    assert set(accepted.values()) == {1}
    with crowded.db.read() as session:
        rows = session.exec(select(ComparePair).where(col(ComparePair.choice).is_not(None))).all()
        seen = session.exec(
            select(ComparePair.voter, ComparePair.question_id, ComparePair.low_id, ComparePair.high_id)
        ).all()
        counted = sums.counted(session, number)
        by_voter = sums.by_voter(session, number)
    assert {(row.voter, row.id) for row in rows} == set(accepted)
    assert len(seen) == len(set(seen))
    single = Counter(
        (sums.mark(row.low_id), sums.mark(row.high_id), as_if_low_left(
            Choice(row.choice or ""), low_is_left=row.left_id == row.low_id
        ))
        for row in rows
    )  # fmt: skip
    assert Counter({(vote.left, vote.right, vote.choice): vote.times for vote in counted}) == single
    assert Counter(one for vote in by_voter for one in [vote.voter] * vote.times) == Counter(row.voter for row in rows)
