"""Usage agrees with the calls it was made of, in every time zone and along every dimension."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.calls import queries, rollup
from core.calls.recorder import Recorder
from core.db.engine import Database
from core.ids import first_at
from tests.calls import stored
from tests.calls.records import AT, record

FIRST = first_at(AT)
WEEK: dict[str, Any] = {
    "project_ids": [1],
    "start": AT - timedelta(days=4),
    "end": AT + timedelta(days=3),
}


def _at(*moments: datetime) -> list[Any]:
    return [record(FIRST + n, at=moment, total_ms=100.0 * (n + 1)) for n, moment in enumerate(moments)]


def test_a_day_is_a_day_in_the_readers_time_zone(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, _at(datetime(2026, 11, 1, 23, 30, tzinfo=UTC), datetime(2026, 11, 2, 22, 30, tzinfo=UTC)))
    with db.read() as session:
        utc = queries.usage(session, **WEEK)
        berlin = queries.usage(session, zone="Europe/Berlin", **WEEK)
    assert {point.at.day: point.calls for point in utc if point.calls} == {1: 1, 2: 1}
    assert {point.at.day: point.calls for point in berlin if point.calls} == {2: 2}
    assert berlin[0].at == datetime(2026, 10, 29, tzinfo=ZoneInfo("Europe/Berlin"))


def test_the_day_the_clock_changes_is_one_day(db: Database) -> None:
    span = {"start": datetime(2026, 10, 23, 22, tzinfo=UTC), "end": datetime(2026, 10, 26, 23, tzinfo=UTC)}
    with db.read() as session:
        points = queries.usage(session, project_ids=[1], zone="Europe/Berlin", **span)
    assert [(point.at.day, point.at.hour) for point in points] == [(24, 0), (25, 0), (26, 0)]


def test_hours_without_calls_are_there_and_empty(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, _at(AT))
    with db.read() as session:
        points = queries.usage(session, project_ids=[1], start=AT, end=AT + timedelta(hours=3), step="hour")
    assert [point.calls for point in points] == [1, 0, 0, 0]
    assert points[1].p95_ms is None


def test_sums_and_quantiles_agree_with_the_calls(db: Database, recorder: Recorder) -> None:
    calls = [
        record(
            FIRST + n, at=AT + timedelta(minutes=n), total_ms=float(n + 1),
            model_served=f"m{n % 3}", key_id=n % 2 or None,
            cost_usd=None if n % 10 == 0 else Decimal("0.000000001"), is_estimated=n % 4 == 0,
            status="refused" if n % 5 == 0 else "ok", cache="hit" if n % 7 == 0 else "",
        )
        for n in range(400)
    ]  # fmt: skip
    stored.write(recorder, calls)
    with db.read() as session:
        total = queries.totals(session, **WEEK)
        by_model = queries.breakdown(session, dimension="model", **WEEK)
        by_key = queries.breakdown(session, dimension="key", **WEEK)
        by_tag = queries.breakdown(session, dimension="tag", tag="team", **WEEK)
        by_project = queries.breakdown(session, dimension="project", **WEEK)
    assert (total.calls, total.errors, total.estimated, total.unpriced, total.cached) == (400, 80, 100, 40, 58)
    assert total.cost_usd == Decimal("0.00000036")
    answered = sorted(call.total_ms for call in calls if call.status == "ok")
    assert total.p95_ms == pytest.approx(answered[int(0.95 * (len(answered) - 1))], rel=0.011)
    for shares in (by_model, by_key, by_tag, by_project):
        assert sum(share.calls for share in shares) == 400
        assert sum(share.cost_usd for share in shares) == total.cost_usd
    assert {share.label for share in by_key} == {"1", "without a key"}


def test_a_period_stands_beside_the_one_before(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, _at(AT, AT - timedelta(days=1), AT - timedelta(days=1, hours=1)))
    start = datetime(2026, 11, 2, tzinfo=UTC)
    with db.read() as session:
        both = queries.compared(session, project_ids=[1], start=start, end=start + timedelta(days=1))
    assert (both.now.calls, both.before.calls) == (1, 2)


def test_sketches_are_folded_and_lose_nothing(db: Database, recorder: Recorder) -> None:
    for turn in range(8):
        stored.write(recorder, [record(FIRST + turn * 100 + n, total_ms=1.07 ** (n % 90)) for n in range(100)])
    with db.read() as session:
        total = queries.totals(session, **WEEK)
    assert total.calls == 800
    assert total.p50_ms == pytest.approx(sorted(1.07 ** (n % 90) for n in range(100))[49], rel=0.02)


def test_a_tag_with_a_new_value_on_every_call_cannot_flood_the_sums(db: Database, recorder: Recorder) -> None:
    calls = [record(FIRST + n, tags=(("request", f"r{n}"),)) for n in range(rollup.MOST_VALUES + 50)]
    stored.write(recorder, calls)
    with db.read() as session:
        shares = queries.breakdown(session, dimension="tag", limit=1_000, **WEEK)
    assert len(shares) == rollup.MOST_VALUES + 1
    assert {share.calls for share in shares if share.value == f"request={rollup.OTHER}"} == {50}


def test_a_failing_backend_and_an_unpriced_model_need_attention(db: Database, recorder: Recorder) -> None:
    bad = {"status": "upstream_error", "backend": "vllm", "tokens_in": 0, "tokens_out": 0, "cost_usd": None}
    stored.write(recorder, [record(FIRST + n, **bad) for n in range(4)])
    stored.write(recorder, [record(FIRST + 9, model_served="own-model", cost_usd=None)])
    with db.read() as session:
        found = queries.attention(session, project_ids=[1], at=AT)
    assert {(item.kind, item.subject, item.calls) for item in found} == {
        ("errors", "vllm", 4),
        ("unpriced", "own-model", 1),
    }


def test_a_call_never_has_more_than_eight_tags(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, [record(FIRST, tags=tuple((f"t{n}", "x" * 200) for n in range(30)))])
    with db.read() as session:
        kept = queries.call(session, FIRST, [1]).tags
    assert len(kept) == rollup.MOST_TAGS
    assert {len(value) for _, value in kept} == {rollup.LONGEST_TAG}
