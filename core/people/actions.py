"""What can be done about projects, people, roles and keys; each verb checks, changes, and tells the trail."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.db import marks
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.people import keys, queries
from core.people.claims import read, roles
from core.people.rules import SYSTEM, KeyScope, Permission, Principal, Role, require
from core.people.tables import ApiKey, Person, Project, RoleGrant
from core.settings import Settings
from core.vault import Vault

DEFAULT_PROJECT = "default"
TOPIC = "people"
CLAIM, BY_PERSON = "claim", "person"
_PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def create_project(session: Session, *, name: str, by: Principal, at: datetime) -> Project:
    """Raises: Invalid, Conflict, NotAllowed."""
    require(by, Permission.PROJECT_CHANGE)
    marks.turn(session, TOPIC)
    if not _PROJECT_NAME.fullmatch(name):
        raise Invalid(
            "A project's name is 1 to 64 small letters, digits, dots, dashes or underscores.",
            hint="For example: support-bot.",
        )
    if session.exec(select(Project).where(Project.name == name)).first():
        raise Conflict(f"There is a project named {name!r} already.", hint="Choose another name.")
    project = Project(name=name, created_at=at)
    session.add(project)
    session.flush()
    audit.append(session, by=by, at=at, action="project.created", target=f"project:{project.id}", after={"name": name})
    return project


def ensure_default_project(session: Session, *, by: Principal, at: datetime) -> None:
    """Make sure there is a project to work in, however many processes start at once."""
    marks.turn(session, TOPIC)
    if session.exec(select(Project).limit(1)).first() is None:
        create_project(session, name=DEFAULT_PROJECT, by=by, at=at)


def sign_in(session: Session, *, claims: Mapping[str, Any], settings: Settings, at: datetime) -> Principal:
    """The person behind verified claims, made on first sight; roles that come from claims follow the newest ones.

    Claims older than those seen last change nothing: an old cookie in another browser brings no lost role back.
    Raises: NotAllowed when the person was switched off, Invalid when the claims name nobody.
    """
    who = read(claims)
    marks.turn(session, TOPIC)
    same = select(Person).where(Person.issuer == who.issuer, Person.subject == who.subject)
    person = session.exec(same.with_for_update()).first()
    if person is None:
        try:
            with session.begin_nested():
                person = Person(issuer=who.issuer, subject=who.subject, created_at=at, seen_at=at)
                session.add(person)
        except IntegrityError:  # two tabs at once
            person = session.exec(same.with_for_update()).one()
        else:
            seen = {"email": who.email, "name": who.name}
            audit.append(session, by=SYSTEM, at=at, action="person.seen", target=f"person:{person.id}", after=seen)
    if not person.is_active:
        raise NotAllowed("Your access was switched off.", hint="Ask an admin if this is a mistake.")
    assert person.id is not None
    if person.claims_at is None or who.signed_in_at >= person.claims_at:
        person.email, person.name = who.email or person.email, who.name or person.name
        person.seen_at, person.claims_at = at, who.signed_in_at
        session.add(person)
        wanted = roles(claims, roles_claim=settings.roles_claim, role_map=settings.role_map, admins=settings.admins)
        _follow_claims(session, person.id, wanted, at=at)
        session.flush()
    found = queries.principal(session, person.id)
    assert found is not None
    return found


def _follow_claims(session: Session, person_id: int, wanted: Collection[Role], *, at: datetime) -> None:
    of_claims = select(RoleGrant).where(RoleGrant.person_id == person_id, RoleGrant.source == CLAIM)
    held = {Role(grant.role): grant for grant in session.exec(of_claims)}
    if set(held) == set(wanted):
        return
    for role in set(wanted) - set(held):
        row = RoleGrant(person_id=person_id, role=role, source=CLAIM, granted_by="identity provider", granted_at=at)
        session.add(row)
    for role in set(held) - set(wanted):
        session.delete(held[role])
    audit.append(
        session,
        by=SYSTEM,
        at=at,
        action="roles.followed_claims",
        target=f"person:{person_id}",
        before={"roles": sorted(held)},
        after={"roles": sorted(wanted)},
    )
    marks.bump(session, TOPIC)


def grant(
    session: Session, *, person_id: int, role: Role, project_id: int | None, by: Principal, at: datetime
) -> RoleGrant:
    """Give a person a role, in one project or (None) in all. Raises: NotAllowed, NotFound, Conflict."""
    require(by, Permission.PEOPLE_CHANGE, project_id)
    marks.turn(session, TOPIC)
    _person(session, person_id)
    if project_id is not None and session.get(Project, project_id) is None:
        raise NotFound("There is no such project.", hint="Reload the page and choose again.")
    same = select(RoleGrant).where(
        RoleGrant.person_id == person_id,
        RoleGrant.role == role,
        col(RoleGrant.project_id).is_not_distinct_from(project_id),
    )
    if session.exec(same).first():
        raise Conflict("This person has this role already.", hint="Nothing needs to be done.")
    row = RoleGrant(person_id=person_id, project_id=project_id, role=role, granted_by=by.actor, granted_at=at)
    session.add(row)
    _told(session, by, at, "role.granted", person_id, project_id, after={"role": role, "project_id": project_id})
    return row


def revoke_grant(session: Session, *, grant_id: int, by: Principal, at: datetime) -> None:
    """Take a role away. Raises: NotAllowed, NotFound, Conflict when nobody could administer Greenroom any more."""
    marks.turn(session, TOPIC)
    row = session.get(RoleGrant, grant_id)
    if row is None:
        raise NotFound("This role was taken away already.", hint="Reload the page.")
    require(by, Permission.PEOPLE_CHANGE, row.project_id)
    if row.source == CLAIM:
        raise Invalid(
            "This role comes from the identity provider.",
            hint="Change the person's groups there, it follows at the next sign-in; or switch off their access now.",
        )
    if row.role == Role.ADMIN and row.project_id is None:
        _keep_an_admin(session, without_grant=grant_id)
    session.delete(row)
    told = {"role": row.role, "project_id": row.project_id}
    _told(session, by, at, "role.revoked", row.person_id, row.project_id, before=told)


def set_active(session: Session, *, person_id: int, is_active: bool, by: Principal, at: datetime) -> None:
    """Switch a person's access off or on. Raises: NotAllowed, NotFound, Conflict (the last admin stays)."""
    require(by, Permission.PEOPLE_CHANGE)
    marks.turn(session, TOPIC)
    person = _person(session, person_id)
    if not is_active:
        _keep_an_admin(session, without_person=person_id)
    was = person.is_active
    if was == is_active:
        return
    person.is_active = is_active
    session.add(person)
    word = "person.activated" if is_active else "person.deactivated"
    _told(session, by, at, word, person_id, None, before={"is_active": was}, after={"is_active": is_active})


def create_key(
    session: Session,
    *,
    project_id: int,
    name: str,
    by: Principal,
    at: datetime,
    vault: Vault,
    expires_at: datetime | None = None,
    scope: KeyScope = KeyScope.APPLICATION,
) -> tuple[ApiKey, str]:
    """A new key of a project and its text, which is never shown again. Raises: NotAllowed, NotFound, Invalid."""
    require(by, Permission.KEY_CHANGE, project_id)
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("A key needs a name of 1 to 100 characters.", hint="Name it after the application that uses it.")
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.", hint="Reload the page and choose again.")
    if expires_at is not None and expires_at <= at:
        raise Invalid("A key cannot expire in the past.", hint="Choose a later day, or none.")
    plain, prefix, digest = keys.mint(vault)
    row = ApiKey(
        project_id=project_id,
        name=name,
        scope=scope,
        prefix=prefix,
        digest=digest,
        created_by=by.actor,
        created_at=at,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action="key.created",
        target=f"key:{row.id}",
        project_id=project_id,
        after={
            "name": name,
            "scope": scope,
            "prefix": prefix,
            "expires_at": expires_at.isoformat() if expires_at else None,
        },
    )
    marks.bump(session, TOPIC)
    return row, plain


def revoke_key(session: Session, *, key_id: int, by: Principal, at: datetime) -> None:
    """End a key now. Raises: NotFound, NotAllowed, Conflict when it was revoked already."""
    row = session.get(ApiKey, key_id)
    if row is None:
        raise NotFound("There is no such key.", hint="Reload the page.")
    require(by, Permission.KEY_CHANGE, row.project_id)
    ended = session.execute(
        update(ApiKey)
        .where(col(ApiKey.id) == key_id, col(ApiKey.revoked_at).is_(None))
        .values(revoked_at=at)
        .returning(col(ApiKey.id))
    )
    if ended.first() is None:
        raise Conflict("This key was revoked already.", hint="Nothing needs to be done.")
    told = {"name": row.name, "prefix": row.prefix}
    audit.append(
        session, by=by, at=at, action="key.revoked", target=f"key:{key_id}", project_id=row.project_id, before=told
    )
    marks.bump(session, TOPIC)


def _told(
    session: Session,
    by: Principal,
    at: datetime,
    action: str,
    person_id: int,
    project_id: int | None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    session.flush()
    target = f"person:{person_id}"
    audit.append(session, by=by, at=at, action=action, target=target, project_id=project_id, before=before, after=after)
    marks.bump(session, TOPIC)


def _person(session: Session, person_id: int) -> Person:
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound("There is no such person.", hint="Reload the page.")
    return person


def _keep_an_admin(session: Session, *, without_grant: int = -1, without_person: int = -1) -> None:
    """Raises: Conflict when the last active admin of everything would go.

    The grants are locked: of two admins who remove each other at once, the second is refused.
    """
    query = (
        select(RoleGrant, Person)
        .join(Person, col(RoleGrant.person_id) == col(Person.id))
        .where(RoleGrant.role == Role.ADMIN, col(RoleGrant.project_id).is_(None))
        .order_by(col(RoleGrant.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    held = [(grant.id, person.id) for grant, person in session.exec(query) if person.is_active]
    left = [grant for grant, person in held if grant != without_grant and person != without_person]
    if held and not left:
        raise Conflict("This is the last admin.", hint="Make somebody else an admin of all projects first.")
