"""Every page and every route × every role, as `rights.txt` says: what has no row there fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from core import clock, runtime
from core.calls.filters import Filters
from core.errors import NotAllowed
from core.gateway import call_exports, tickets
from core.gateway.app import handle
from core.gateway.routes import ROUTES, Route
from core.people import actions
from core.people.rules import LOCAL, KeyScope, Principal, Role
from core.runtime import Runtime
from core.settings import ROOT
from pages.parts import access
from tests.pages.signed_in import claims, greenroom, opened, person, said

NOBODY, KEY, ANYONE, REPOSITORY = "nobody", "key", "anyone", "repository"
ROLES = {role.name.lower(): role for role in Role}
COLUMNS = {KeyScope.APPLICATION: KEY, KeyScope.REPOSITORY: REPOSITORY}
REFUSED = re.compile("do not open this page|no role")
EXPORT = f"GET:{tickets.PATH}"


def _table() -> dict[str, dict[str, str]]:
    lines = (Path(__file__).parent / "rights.txt").read_text().splitlines()
    head, *rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


TABLE = _table()
PAGES = sorted(row.file for row in access.PAGES)
CELLS = [(page, who) for page in PAGES for who in [*ROLES, NOBODY]]


@pytest.fixture(scope="module")
def here(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A Greenroom with login, and one person per role, who is called as the role."""
    folder = tmp_path_factory.mktemp("matrix")
    (folder / "greenroom.db").write_bytes(migrated_file.read_bytes())
    with greenroom(folder, f"sqlite:///{folder / 'greenroom.db'}") as started:
        for name, role in ROLES.items():
            person(started, name, role)
        person(started, NOBODY)
        yield started


def named(route: Route) -> str:
    return f"{route.method}:{route.path}"


def test_every_page_every_route_and_every_role_has_its_place() -> None:
    files = {file.name for file in (ROOT / "pages").glob("*.py")} - {"shell.py", "__init__.py"}
    mounted = re.findall(r"Route\((\w+), \w+\)", (ROOT / "app.py").read_text())
    assert mounted == ["PATH"], "a route of app.py that the table does not know"
    assert set(TABLE) == files | {named(route) for route in ROUTES} | {EXPORT}
    assert set(PAGES) == files
    assert all(set(row) == {*ROLES, NOBODY, KEY, ANYONE, REPOSITORY} for row in TABLE.values())


def test_every_page_file_begins_by_asking_who_is_there() -> None:
    rights = {row.file: row.permission for row in access.PAGES}
    for name, permission in rights.items():
        text = (ROOT / "pages" / name).read_text()
        asked = re.search(r"""access\.require\((?:"([^"]+)"|Permission\.(\w+))\)""", text)
        assert asked, name
        assert permission in {asked[1], asked[2] and asked[2].lower().replace("_", ":")}, name
        before = text[: asked.start()]
        assert not re.search(r"\bst\.(?!set_page_config)\w+\(|reads\.|acting\.", before.split('"""', 2)[2]), name


@pytest.mark.parametrize(("page", "who"), CELLS)
def test_a_page_opens_for_whom_the_table_says(here: Runtime, page: str, who: str) -> None:
    start = opened(user=claims(who))
    try:
        start.switch_page(page).run()
    except ValueError:  # without a role there is only one page, whatever the address
        assert who == NOBODY
    assert not start.exception
    assert (REFUSED.search(said(start)) is None) is (TABLE[page][who] == "yes")


@pytest.mark.parametrize(("page", "who"), [cell for cell in CELLS if TABLE[cell[0]][cell[1]] == "no"])
def test_a_page_guards_itself_where_the_shell_was_left_out(here: Runtime, page: str, who: str) -> None:
    alone = opened(ROOT / "pages" / page, claims(who))
    assert not alone.exception
    assert REFUSED.search(said(alone))
    assert len(alone.error) == 1
    assert not alone.title


@pytest.mark.parametrize("route", ROUTES, ids=named)
@pytest.mark.parametrize("who", [*ROLES, NOBODY])
def test_the_right_behind_a_route_is_granted_as_the_table_says(route: Route, who: str) -> None:
    roles = frozenset({ROLES[who]}) if who in ROLES else frozenset()
    by = Principal("person:1", who, {None: roles})
    may = route.permission is None or by.may(route.permission, 1)
    assert may is (TABLE[named(route)][who] == "yes")


@pytest.mark.parametrize("scope", KeyScope)
@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_a_route_asks_for_a_key_as_the_table_says(here: Runtime, route: Route, scope: KeyScope) -> None:
    with here.db.write() as session:
        row, plain = actions.create_key(
            session, project_id=1, name="bot", by=LOCAL, at=clock.now(), vault=here.vault, scope=scope
        )
    here.refresh()
    row_of = TABLE[named(route)]
    assert (status(route, f"Bearer {plain}") not in {401, 403}) is (row_of[COLUMNS[scope]] == "yes")
    assert (status(route, "") not in {401, 403}) is (row_of[ANYONE] == "yes")
    with here.db.write() as session:
        assert row.id is not None
        actions.revoke_key(session, key_id=row.id, by=LOCAL, at=clock.now())
    here.refresh()
    assert (status(route, f"Bearer {plain}") not in {401, 403}) is (row_of[ANYONE] == "yes")


@pytest.mark.parametrize("who", [*ROLES, NOBODY])
def test_an_export_is_handed_out_as_the_table_says(here: Runtime, who: str) -> None:
    by = person(here, who)
    order = call_exports.Order(by.actor, 1, Filters(), "csv", clock.now())
    try:
        given = bool(call_exports.ticket(here.vault, order, by=by))
    except NotAllowed:
        given = False
    assert given is (TABLE[EXPORT][who] == "yes")


def status(route: Route, authorization: str) -> int:
    """The status of an empty request to a route."""
    sent: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            sent.append(int(str(message["status"])))

    scope = {
        "type": "http",
        "method": route.method,
        "path": route.path.replace("{model}", "builtin/tiny"),
        "headers": [(b"authorization", authorization.encode())] if authorization else [],
        "client": ("127.0.0.1", 1),
        "query_string": b"",
    }
    assert runtime.serving()
    anyio.run(handle, scope, receive, send)
    return sent[0]
