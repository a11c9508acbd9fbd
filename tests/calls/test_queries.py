"""Pages of calls are complete, in order, and never show another project's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, text

from core.calls import filters, queries
from core.calls.recorder import Recorder
from core.calls.views import Page
from core.db.engine import Database
from core.errors import NotFound
from core.ids import first_at, shown
from core.people.tables import ApiKey, Project
from tests.calls import stored
from tests.calls.records import AT, record

FIRST = first_at(AT)
COUNT = 60
LATER = AT + timedelta(hours=1)


@pytest.fixture
def filled(db: Database, recorder: Recorder) -> Database:
    """Sixty calls of project 1, five of project 2, and a key named "my app"."""
    with db.write() as session:
        for name in ("one", "two"):
            session.add(Project(name=name, created_at=AT))
        session.flush()
        one = {"project_id": 1, "created_by": "local", "created_at": AT, "prefix": "gr_a"}
        session.add(ApiKey(name="my app", digest=b"1", **one))
    calls = [
        record(
            FIRST + n,
            status=("ok", "refused", "upstream_error", "cancelled")[n % 4],
            model_served="gpt-4o" if n % 2 else "extract",
            session="talk" if n % 5 == 0 else "",
            end_user="ann" if n % 6 == 0 else "",
            total_ms=float(n * 100),
            cost_usd=Decimal(n) / 1000 if n % 3 else None,
            tags=(("team", "a" if n % 2 else "b"), ("n", str(n))),
            asked="The blue lamp is broken" if n % 10 == 0 else "Where is my parcel?",
            request_id=f"req-{n}",
            response_id=f"chatcmpl-{n}",
            key_id=1 if n % 2 else None,
        )
        for n in range(COUNT)
    ]
    calls += [record(FIRST + 1_000 + n, project_id=2, session="talk", key_id=2) for n in range(5)]
    assert stored.write(recorder, calls) == [None] * len(calls)
    return db


def _page(db: Database, bar: str, **more: object) -> Page:
    with db.read() as session:
        wanted = filters.parse(bar)
        return queries.page(session, wanted, **({"project_ids": [1], "at": LATER} | more))  # type: ignore[arg-type]


def _numbers(page: Page) -> list[int]:
    return [row.id - FIRST for row in page.rows]


@pytest.mark.parametrize(
    ("bar", "meets"),
    [
        ("", lambda n: True),
        ("model:gpt-4o", lambda n: n % 2),
        ("status:error", lambda n: n % 4 in (1, 2)),
        ("status:ok", lambda n: n % 4 == 0),
        ("status:cancelled", lambda n: n % 4 == 3),
        ("session:talk", lambda n: n % 5 == 0),
        ("user:ann", lambda n: n % 6 == 0),
        ("user:ann model:gpt-4o", lambda n: False),
        ("tag.team:a", lambda n: n % 2),
        ("tag.team:b tag.n:4", lambda n: n == 4),
        ("latency:>3s", lambda n: n > 30),
        ("cost:>0.04", lambda n: n % 3 and n > 40),
        ("latency:>3s status:error tag.team:a", lambda n: n > 30 and n % 4 == 1),
        ('key:"my app"', lambda n: n % 2),
        ("key:1 status:refused", lambda n: n % 4 == 1),
        ("key:nobody", lambda n: False),
        ("alias:support backend:openai", lambda n: True),
        ("route:playground", lambda n: False),
        ("lamp", lambda n: n % 10 == 0),
        ('"blue lamp" session:talk', lambda n: n % 10 == 0),
        ('"lamp blue"', lambda n: False),
        ("lamp status:ok", lambda n: n % 20 == 0),
        ("BROKEN lamp model:extract", lambda n: n % 10 == 0),
        ("since:2h", lambda n: True),
        ("since:2026-11-03", lambda n: False),
        ("until:2026-11-01", lambda n: False),
        ("id:req-7", lambda n: n == 7),
        ("id:chatcmpl-7", lambda n: n == 7),
        (f"id:{shown('call', FIRST + 7)}", lambda n: n == 7),
        ("id:call_nonsense", lambda n: False),
    ],
)
def test_a_filter_finds_exactly_the_calls_that_meet_it(
    filled: Database, bar: str, meets: Callable[[int], object]
) -> None:
    assert _numbers(_page(filled, bar, limit=100)) == [n for n in reversed(range(COUNT)) if meets(n)]


@pytest.mark.parametrize("bar", ["", "model:gpt-4o", "parcel", "latency:>1s", "tag.team:a status:error"])
def test_pages_follow_each_other_without_gap_or_repeat(filled: Database, bar: str) -> None:
    found, before = [], None
    while True:
        page = _page(filled, bar, limit=7, before=before)
        found += _numbers(page)
        before = page.next_before
        if before is None:
            break
    assert found == _numbers(_page(filled, bar, limit=100))


@pytest.mark.parametrize("bar", ["parcel", "parcel model:gpt-4o", "session:talk lamp"])
def test_a_masked_call_is_found_by_everything_but_its_words(filled: Database, bar: str) -> None:
    hidden = {FIRST + n for n in range(0, COUNT, 3)}
    everything = _numbers(_page(filled, bar, limit=100))
    found, before = [], None
    while True:
        page = _page(filled, bar, limit=4, before=before, masked=lambda session, ids: hidden & set(ids))
        found += _numbers(page)
        before = page.next_before
        if before is None:
            break
    assert found == [n for n in everything if n % 3]
    assert found != everything
    facts = bar.replace("parcel", "").replace("lamp", "").strip()
    assert _page(filled, facts, masked=lambda session, ids: hidden) == _page(filled, facts)


def test_a_search_that_finds_little_says_how_far_back_it_looked(filled: Database) -> None:
    page = _page(filled, "latency:>5900000", scan=10, limit=5)
    assert page.rows == ()
    assert page.next_before is None or page.searched_to is not None


HOSTILE = (
    '"', '""', "*", "a* OR b", "NEAR(x y)", "scope:", "{asked}", "-lamp", "lamp AND", "'; DROP TABLE call",
    "p1", "p2", "^lamp", "a & !b", "\0",
)  # fmt: skip


@pytest.mark.parametrize("typed", HOSTILE)
def test_what_people_type_is_never_search_syntax(filled: Database, typed: str) -> None:
    wanted = filters.Filters(words=typed)
    with filled.read() as session:
        found = queries.page(session, wanted, project_ids=[1], at=LATER)
    assert all(row.project_id == 1 for row in found.rows)
    assert typed not in ("p1", "p2") or not found.rows


@pytest.fixture
def judged(filled: Database, recorder: Recorder) -> Database:
    """Each of the sixty calls was judged twice, the newest of all by one more judge."""
    calls = [
        record(
            FIRST + 100 + n, route="judge" if n % 2 else "judge: moderation", model_served="grader", backend="judges",
            tags=(("judges", shown("call", FIRST + n // 2)),), status="upstream_error" if n == 119 else "ok",
        )
        for n in range(2 * COUNT)
    ]  # fmt: skip
    assert stored.write(recorder, calls) == [None] * len(calls)
    return filled


@pytest.mark.parametrize(
    ("bar", "finds"),
    [
        ("", COUNT),
        ("judges:yes", 3 * COUNT),
        ("status:error", COUNT // 2),
        ("status:error judges:yes", COUNT // 2 + 1),
        ("backend:judges", 0),
        ("backend:judges judges:yes", 2 * COUNT),
        ("route:judge", COUNT),
        ("route:/v1/chat/completions", COUNT),
        (f"tag.judges:{shown('call', FIRST + 7)}", 2),
        (f"id:{shown('call', FIRST + 100)}", 1),
        ("lamp", COUNT // 10),
    ],
)
def test_what_judges_were_asked_is_found_where_it_is_asked_for(judged: Database, bar: str, finds: int) -> None:
    found: list[int] = []
    page = _page(judged, bar, limit=7)
    while True:
        found += _numbers(page)
        if page.next_before is None:
            break
        page = _page(judged, bar, limit=7, before=page.next_before)
    assert found == sorted(set(found), reverse=True)
    assert len(found) == finds


def test_a_page_without_the_calls_of_judges_reads_none_of_them(judged: Database) -> None:
    """However many lie between two that people made: each other route is walked along its own index."""
    seen: list[str] = []
    event.listen(judged.reader, "before_cursor_execute", lambda *told: seen.append(told[2]))
    assert len(_page(judged, "", limit=5, scan=5).rows) == 5
    walks = [statement for statement in seen if "ORDER BY id DESC LIMIT" in statement]
    assert len(walks) == 1
    assert not [statement for statement in seen if "IN (SELECT value" in statement or "= ANY" in statement]
    if judged.is_sqlite:
        with judged.read() as session:
            step = "EXPLAIN QUERY PLAN SELECT MIN(route) FROM call WHERE project_id = 1 AND route > 'a'"
            plan = " ".join(str(row) for row in session.execute(text(step)))
        assert "ix_call_route (project_id=? AND route>?)" in plan


def test_a_call_and_what_its_judges_were_asked_lead_to_each_other(judged: Database) -> None:
    with judged.read() as session:
        asked = queries.judges(session, FIRST + 3, project_ids=[1])
        assert [row.id - FIRST for row in asked] == [107, 106]
        assert queries.judges(session, FIRST + 3, project_ids=[2]) == ()
        assert queries.judged(session, [FIRST + 3, FIRST + 106]) == {FIRST + 106: FIRST + 3}
        assert queries.has_judges(session, project_ids=[1])
        assert not queries.has_judges(session, project_ids=[2])


def test_the_tag_of_a_judge_makes_no_applications_call_one(filled: Database, recorder: Recorder) -> None:
    stored.write(recorder, [record(FIRST + 900, tags=(("judges", shown("call", FIRST)),))])
    with filled.read() as session:
        assert queries.judged(session, [FIRST + 900]) == {}
        assert queries.judges(session, FIRST, project_ids=[1]) == ()
    assert _numbers(_page(filled, "", limit=1)) == [900]


def test_two_projects_are_paged_as_one_and_none_is_the_default(filled: Database) -> None:
    both = _page(filled, "session:talk", project_ids=[1, 2], limit=100)
    assert [row.project_id for row in both.rows] == [2] * 5 + [1] * 12
    assert _page(filled, "session:talk", project_ids=[]).rows == ()
    assert _page(filled, "parcel", project_ids=[2]).rows == ()


def test_a_call_of_another_project_is_not_there(filled: Database) -> None:
    with filled.read() as session:
        assert queries.call(session, FIRST + 1, [1]).key_name == "my app"
        for read in (queries.call, queries.payload):
            with pytest.raises(NotFound):
                read(session, FIRST + 1, [2])
        assert queries.find_response(session, 2, "chatcmpl-7") is None
        found = queries.find_response(session, 1, "chatcmpl-7")
        assert found is not None
        assert found.id == FIRST + 7
        assert [row.id - FIRST for row in queries.session_calls(session, "talk", project_ids=[1], limit=3)] == [
            45,
            50,
            55,
        ]


@pytest.mark.parametrize("name", ["a\0b", "\0", "x" * 100_000, "'; DROP TABLE call; --", "call_7zzzzzzzzzzzz"])
def test_an_id_or_a_session_of_any_shape_finds_nothing(filled: Database, name: str) -> None:
    with filled.read() as session:
        assert queries.find_response(session, 1, name) is None
        assert queries.session_calls(session, name, project_ids=[1]) == ()


@pytest.mark.parametrize(
    "words",
    [
        " ".join(f"w{n}" for n in range(64)),
        "lamp AND parcel",
        "NEAR(blue lamp)",
        'scope : "p2"',
        '"scope : p2"',
        'lamp" OR "p2',
        "lamp) OR (p2",
        "p2",
        "lamp & !parcel",
        "lamp <-> :*",
        "{asked} : x",
        "-- %_\\ '",
    ],
)
def test_search_words_are_words_and_never_the_databases_own_language(filled: Database, words: str) -> None:
    with filled.read() as session:
        wanted = filters.from_params({"q": words})
        found = queries.page(session, wanted, project_ids=[1], at=LATER)
    assert all(row.project_id == 1 for row in found.rows)


@pytest.mark.parametrize("since", ["1970-01-01", "2200-12-31", "99999w"])
def test_any_moment_can_be_asked_for(filled: Database, since: str) -> None:
    assert _page(filled, f"since:{since}").rows if since != "2200-12-31" else not _page(filled, f"since:{since}").rows
    assert _page(filled, f"until:{since}") is not None
