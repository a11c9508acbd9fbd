"""Reading projects, people, their roles, and keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from core.errors import NotFound
from core.people.keys import KeyRing, KeyRow
from core.people.rules import KeyScope, Principal, Role
from core.people.tables import ApiKey, Person, Project, RoleGrant
from core.vault import Vault

MOST = 1_000


@dataclass(frozen=True, slots=True)
class ProjectView:
    id: int
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PersonView:
    id: int
    email: str
    name: str
    is_active: bool
    created_at: datetime
    seen_at: datetime
    claims_at: datetime | None

    @property
    def shown(self) -> str:
        """How people know them."""
        return self.name or self.email or f"Person {self.id}"


@dataclass(frozen=True, slots=True)
class GrantView:
    """A role one person has; `project` "" means in every project."""

    id: int
    person_id: int
    project_id: int | None
    project: str
    role: Role
    source: str
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key without its secret."""

    id: int
    project_id: int
    name: str
    scope: str
    prefix: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def projects(session: Session, *, limit: int = MOST) -> list[ProjectView]:
    """Every project, oldest first."""
    rows = session.exec(select(Project).order_by(col(Project.id)).limit(limit))
    return [ProjectView(row.id or 0, row.name, row.created_at) for row in rows]


def project_by_name(session: Session, name: str) -> ProjectView:
    """Raises: NotFound."""
    row = session.exec(select(Project).where(Project.name == name)).first()
    if row is None:
        raise NotFound(f"There is no project named {name!r}.", hint="See the projects under People and keys.")
    return ProjectView(row.id or 0, row.name, row.created_at)


def persons(session: Session, *, limit: int = MOST) -> list[PersonView]:
    """Everyone who ever signed in, last seen first."""
    rows = session.exec(select(Person).order_by(col(Person.seen_at).desc(), col(Person.id)).limit(limit))
    return [_person(row) for row in rows]


def person(session: Session, person_id: int) -> PersonView | None:
    row = session.get(Person, person_id)
    return None if row is None else _person(row)


def person_by_identity(session: Session, issuer: str, subject: str) -> PersonView | None:
    """The person an identity provider knows under this subject."""
    row = session.exec(select(Person).where(Person.issuer == issuer, Person.subject == subject)).first()
    return None if row is None else _person(row)


def grants(session: Session, *, person_id: int | None = None, limit: int = 10 * MOST) -> list[GrantView]:
    """Role grants, of one person or of all."""
    query = select(RoleGrant, Project.name).join(Project, col(RoleGrant.project_id) == col(Project.id), isouter=True)
    if person_id is not None:
        query = query.where(RoleGrant.person_id == person_id)
    rows = session.exec(query.order_by(col(RoleGrant.id)).limit(limit))
    return [
        GrantView(
            row.id or 0,
            row.person_id,
            row.project_id,
            name or "",
            Role(row.role),
            row.source,
            row.granted_by,
            row.granted_at,
        )
        for row, name in rows
    ]


def keys(session: Session, *, project_id: int, limit: int = MOST) -> list[KeyView]:
    """The keys of a project, newest first, revoked ones included."""
    query = select(ApiKey).where(ApiKey.project_id == project_id).order_by(col(ApiKey.id).desc()).limit(limit)
    return [KeyView(**row.model_dump(exclude={"digest"})) for row in session.exec(query)]


def keyring(session: Session, vault: Vault) -> KeyRing:
    """Every key that may be used, ready to be found by its hash."""
    query = select(ApiKey, Project.name).join(Project, col(ApiKey.project_id) == col(Project.id))
    rows = session.exec(query.where(col(ApiKey.revoked_at).is_(None)))
    found = {}
    for row, project in rows:
        key_id = row.id or 0
        principal = Principal(
            f"key:{key_id}", row.name, key_id=key_id, key_project=row.project_id, key_scope=KeyScope(row.scope)
        )
        found[bytes(row.digest)] = KeyRow(key_id, row.project_id, project, row.name, row.expires_at, principal)
    return KeyRing(vault, found)


def principal(session: Session, person_id: int) -> Principal | None:
    """Who a person is now, with today's roles; None when unknown or switched off."""
    row = session.get(Person, person_id)
    if row is None or not row.is_active:
        return None
    roles: dict[int | None, set[Role]] = defaultdict(set)
    for grant in session.exec(select(RoleGrant).where(RoleGrant.person_id == person_id)):
        roles[grant.project_id].add(Role(grant.role))
    frozen = {project: frozenset(held) for project, held in roles.items()}
    return Principal(f"person:{person_id}", _person(row).shown, frozen, person_id=person_id)


def names(session: Session, marks: Iterable[str]) -> dict[str, str]:
    """What people call the `person:3`, `key:7` and `project:1` of the trail; unknown ones are left out."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for mark in marks:
        kind, _, number = mark.partition(":")
        if number.isascii() and number.isdigit() and len(number) < 16:
            wanted[kind].add(int(number))
    persons = session.exec(select(Person).where(col(Person.id).in_(wanted["person"])))
    keys = session.exec(select(ApiKey.id, ApiKey.name).where(col(ApiKey.id).in_(wanted["key"])))
    projects = session.exec(select(Project.id, Project.name).where(col(Project.id).in_(wanted["project"])))
    found = {f"person:{row.id}": _person(row).shown for row in persons}
    found |= {f"key:{number}": name for number, name in keys}
    return found | {f"project:{number}": name for number, name in projects}


def _person(row: Person) -> PersonView:
    return PersonView(row.id or 0, row.email, row.name, row.is_active, row.created_at, row.seen_at, row.claims_at)
