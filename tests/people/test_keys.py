"""API keys: unguessable, recognised by a keyed hash alone, gone when revoked or past their end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from core.db.engine import Database
from core.errors import Invalid, NotAllowed, NotSignedIn
from core.people import actions, keys, queries
from core.people.rules import LOCAL, Permission, Principal, Role
from core.vault import Vault


@pytest.fixture
def made(db: Database, vault: Vault, at: datetime) -> tuple[int, str]:
    """A key's id and its text."""
    with db.write() as session:
        actions.ensure_default_project(session, by=LOCAL, at=at)
        row, plain = actions.create_key(session, project_id=1, name="bot", by=LOCAL, at=at, vault=vault)
        assert row.id is not None
        return row.id, plain


def ring(db: Database, vault: Vault) -> keys.KeyRing:
    with db.read() as session:
        return queries.keyring(session, vault)


def test_a_key_has_192_random_bits_and_shows_nine_letters(vault: Vault) -> None:
    plain, prefix, digest = keys.mint(vault)
    assert plain.startswith("gr_")
    assert len(plain) == 3 + 32  # base64 of 24 bytes
    assert plain.startswith(prefix)
    assert len(prefix) == 9
    assert digest == vault.digest(plain)


def test_a_key_opens_its_project(db: Database, vault: Vault, made: tuple[int, str], at: datetime) -> None:
    key_id, plain = made
    row = ring(db, vault).find(f"Bearer {plain}", at)
    assert (row.id, row.project_id, row.project, row.name) == (key_id, 1, "default", "bot")
    assert row.principal.may(Permission.GATEWAY_CALL, 1)
    assert not row.principal.may(Permission.GATEWAY_CALL, 2)


def test_the_store_has_no_letter_of_the_secret(db: Database, made: tuple[int, str]) -> None:
    with db.read() as session:
        stored = session.connection().exec_driver_sql("SELECT * FROM api_key").one()
        trail = session.connection().exec_driver_sql("SELECT * FROM audit_event").all()
    secret = made[1][keys.SHOWN :]
    assert secret not in repr(stored)
    assert secret not in repr(trail)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "gr_abc"])
def test_no_key_is_told_apart_from_a_wrong_one(vault: Vault, at: datetime, header: str | None) -> None:
    with pytest.raises(NotSignedIn, match="did not provide an API key") as told:
        keys.KeyRing(vault, {}).find(header, at)
    assert told.value.code == "invalid_api_key"


@pytest.mark.parametrize("plain", ["gr_wrong-but-long-enough", "x", "é" * 40, "g" * 5000, "a\tb" * 9])
def test_a_wrong_key_is_refused_and_never_repeated_whole(vault: Vault, at: datetime, plain: str) -> None:
    with pytest.raises(NotSignedIn, match="Incorrect API key") as told:
        keys.KeyRing(vault, {}).find(f"Bearer {plain}", at)
    assert len(told.value.message) < 60
    assert plain not in told.value.message or len(plain) == 1


def test_the_digest_of_another_installation_opens_nothing(db: Database, made: tuple[int, str], at: datetime) -> None:
    other = Vault("another-master-key-for-tests-0123456789")
    with pytest.raises(NotSignedIn):
        ring(db, other).find(f"Bearer {made[1]}", at)


def test_a_revoked_key_is_not_in_the_next_ring(db: Database, vault: Vault, made: tuple[int, str], at: datetime) -> None:
    with db.write() as session:
        actions.revoke_key(session, key_id=made[0], by=LOCAL, at=at)
    with pytest.raises(NotSignedIn):
        ring(db, vault).find(f"Bearer {made[1]}", at)


def test_a_key_ends_at_its_moment(db: Database, vault: Vault, made: tuple[int, str], at: datetime) -> None:
    end = at + timedelta(days=1)
    with db.write() as session:
        _, plain = actions.create_key(session, project_id=1, name="short", by=LOCAL, at=at, vault=vault, expires_at=end)
    held = ring(db, vault)
    assert held.find(f"bearer  {plain}", end - timedelta(microseconds=1)).name == "short"
    with pytest.raises(NotSignedIn) as told:
        held.find(f"Bearer {plain}", end)
    assert told.value.code == "expired_api_key"


def test_a_key_cannot_end_before_it_begins(db: Database, vault: Vault, made: tuple[int, str], at: datetime) -> None:
    with db.write() as session, pytest.raises(Invalid, match="past"):
        actions.create_key(session, project_id=1, name="late", by=LOCAL, at=at, vault=vault, expires_at=at)


def test_keys_of_a_project_need_the_right_in_that_project(
    db: Database, vault: Vault, made: tuple[int, str], at: datetime
) -> None:
    elsewhere = Principal("person:2", "Mo", {2: frozenset({Role.ADMIN})})
    with db.write() as session:
        with pytest.raises(NotAllowed):
            actions.create_key(session, project_id=1, name="x", by=elsewhere, at=at, vault=vault)
        with pytest.raises(NotAllowed):
            actions.revoke_key(session, key_id=made[0], by=elsewhere, at=at)
