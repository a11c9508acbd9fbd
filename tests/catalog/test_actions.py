"""Changing the catalog: who may, what is refused, and what never comes out again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import Session, select

from core.audit.tables import AuditEvent
from core.builtin import engine
from core.catalog import actions, queries
from core.catalog.checks import Limits
from core.catalog.discovered import Discovered
from core.catalog.rules import Snapshot, resolve
from core.catalog.tables import Backend
from core.db import marks
from core.db.engine import Database
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.people.rules import CLI, LOCAL, Principal, Role
from core.vault import Vault
from tests.support.overlapping import both

KEY = "sk-never-to-be-seen-again-0123456789"
VIEWER = Principal("person:9", "Vi", {None: frozenset({Role.VIEWER})})
ENGINEER = Principal("person:8", "Eve", {None: frozenset({Role.ENGINEER})})


@pytest.fixture
def session(db: Database) -> Iterator[Session]:
    """One transaction that sees its own rows of the trail: those of `db.write()` come with the COMMIT."""
    with Session(db.writer, expire_on_commit=False) as opened, opened.begin():
        yield opened


@pytest.fixture
def how(at: datetime, vault: Vault) -> dict[str, Any]:
    return {"by": LOCAL, "at": at, "vault": vault}


@pytest.fixture
def openai(session: Session, how: dict[str, Any]) -> str:
    actions.add_backend(session, name="openai", base_url="https://api.openai.com/v1", key=KEY, **how)
    return "openai"


def taken(session: Session, vault: Vault) -> Snapshot:
    return queries.snapshot(session, vault)


def test_a_backends_key_is_readable_only_for_who_asks_the_backend(session: Session, openai: str, vault: Vault) -> None:
    view = taken(session, vault).backends[openai]
    assert view.key == KEY
    row = session.exec(select(Backend)).one()
    trail = [(event.before, event.after, event.target) for event in session.exec(select(AuditEvent)).all()]
    shown = repr((view, taken(session, vault), queries.backends(session), trail, row.key_cipher))
    assert KEY not in shown
    assert KEY.encode() not in (row.key_cipher or b"")
    assert queries.backend(session, openai).key_kind == "stored"


def test_no_error_repeats_a_key(session: Session, openai: str, how: dict[str, Any]) -> None:
    for bad in (f"{KEY}\n{KEY}", f"{KEY} x", "", "ü" + KEY):
        with pytest.raises(Invalid) as caught:
            actions.add_backend(session, name="b", base_url="https://h/v1", key=bad or " ", **how)
        assert KEY not in repr(caught.value) + str(caught.value)


def test_a_new_address_demands_the_key_again(session: Session, openai: str, how: dict[str, Any], vault: Vault) -> None:
    with pytest.raises(Invalid) as caught:
        actions.change_backend(session, name=openai, base_url="https://evil.example/v1", **how)
    assert caught.value.code == "key_required"
    assert taken(session, vault).backends[openai].base_url == "https://api.openai.com/v1"
    actions.change_backend(session, name=openai, base_url="https://eu.api.openai.com/v1", key="sk-other", **how)
    view = taken(session, vault).backends[openai]
    assert (view.base_url, view.key, view.version) == ("https://eu.api.openai.com/v1", "sk-other", 2)


def test_the_same_address_spelled_otherwise_needs_no_key(session: Session, openai: str, how: dict[str, Any]) -> None:
    actions.change_backend(session, name=openai, base_url="https://API.openai.com/v1/", **how)


def test_a_variables_key_does_not_move_with_the_address_either(session: Session, how: dict[str, Any]) -> None:
    actions.add_backend(session, name="env", base_url="https://a.example/v1", key_env="A_API_KEY", **how)
    with pytest.raises(Invalid, match="needs the key again"):
        actions.change_backend(session, name="env", base_url="https://b.example/v1", **how)


def test_a_variable_is_sent_to_one_address_only(session: Session, how: dict[str, Any]) -> None:
    actions.add_backend(session, name="one", base_url="https://a.example/v1", key_env="A_API_KEY", **how)
    actions.add_backend(session, name="two", base_url="https://a.example/v2", key_env="A_API_KEY", **how)
    with pytest.raises(Invalid, match=r"A_API_KEY is the key for https://a\.example"):
        actions.add_backend(session, name="three", base_url="https://evil.example/v1", key_env="A_API_KEY", **how)


def test_who_cannot_read_the_servers_environment_sends_none_of_it_anywhere(
    session: Session, how: dict[str, Any]
) -> None:
    by_eve = {**how, "by": ENGINEER}
    evil = "https://evil.example/v1"
    with pytest.raises(NotAllowed, match="GITHUB_TOKEN"), session.begin_nested():
        actions.add_backend(session, name="three", base_url=evil, key_env="GITHUB_TOKEN", **by_eve)
    actions.add_backend(session, name="one", base_url="https://a.example/v1", key_env="A_API_KEY", **how)
    with pytest.raises(NotAllowed, match=r"A_API_KEY sent to https://evil\.example"), session.begin_nested():
        actions.change_backend(session, name="one", base_url=evil, key_env="A_API_KEY", **by_eve)
    with pytest.raises(NotAllowed), session.begin_nested():
        actions.set_backend_key(session, name="one", key="", key_env="OTHER_TOKEN", **by_eve)
    assert actions.change_backend(session, name="one", base_url="https://a.example/v2", key_env="A_API_KEY", **by_eve)
    actions.add_backend(session, name="two", base_url="https://a.example/v1", key_env="A_API_KEY", **by_eve)


def test_a_variable_that_is_not_set_is_said_and_set_is_read(
    session: Session, how: dict[str, Any], vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_API_KEY", raising=False)
    actions.add_backend(session, name="env", base_url="https://a.example/v1", key_env="SOME_API_KEY", **how)
    view = taken(session, vault).backends["env"]
    assert (view.key, view.key_trouble) == (None, "The environment variable SOME_API_KEY is not set.")
    monkeypatch.setenv("SOME_API_KEY", "sk-env")
    assert taken(session, vault).backends["env"].key == "sk-env"


def test_another_secret_key_spoils_that_backend_only(session: Session, openai: str, how: dict[str, Any]) -> None:
    actions.add_backend(session, name="free", base_url="http://localhost:11434", **how)
    views = taken(session, Vault("another-master-key-0123456789-0123456789")).backends
    assert views["openai"].key is None
    assert "cannot be read" in views["openai"].key_trouble
    assert views["free"].key_trouble == ""


def test_a_key_is_replaced_and_removed(session: Session, openai: str, how: dict[str, Any], vault: Vault) -> None:
    actions.set_backend_key(session, name=openai, key="sk-2", **how)
    assert taken(session, vault).backends[openai].key == "sk-2"
    actions.set_backend_key(session, name=openai, key="", **how)
    assert queries.backend(session, openai).key_kind == ""


def test_two_backends_cannot_share_a_name(session: Session, openai: str, how: dict[str, Any]) -> None:
    with pytest.raises(Conflict, match="already is a backend"):
        actions.add_backend(session, name=openai, base_url="https://h/v1", **how)
    assert [row.name for row in queries.backends(session)] == ["openai"]


@pytest.mark.parametrize("name", ["builtin", "with/slash", "with space", ""])
def test_a_backend_needs_a_name_of_its_own(session: Session, how: dict[str, Any], name: str) -> None:
    with pytest.raises((Conflict, Invalid)):
        actions.add_backend(session, name=name, base_url="https://h/v1", **how)


def test_a_backend_does_not_quietly_take_names_over(session: Session, how: dict[str, Any], vault: Vault) -> None:
    actions.add_backend(session, name="router", base_url="https://openrouter.ai/api/v1", **how)
    actions.save_discovered(session, name="router", models=[Discovered("openai/o3")], by=LOCAL, at=how["at"])
    with pytest.raises(Conflict, match="take all names that begin with 'openai/'") as caught:
        actions.add_backend(session, name="openai", base_url="https://api.openai.com/v1", **how)
    assert caught.value.code == "backend_shadows_model"
    actions.add_backend(session, name="openai", base_url="https://api.openai.com/v1", takes_over=True, **how)


def test_timeouts_within_reason_are_kept_and_others_named(
    session: Session, openai: str, how: dict[str, Any], vault: Vault
) -> None:
    actions.change_backend(session, name=openai, limits=Limits(2, 20, 10, 120), **how)
    view = taken(session, vault).backends[openai]
    assert (view.connect_s, view.first_token_s, view.between_tokens_s, view.total_s) == (2, 20, 10, 120)
    for bad in (Limits(connect_s=0), Limits(total_s=float("nan")), Limits(first_token_s=900, total_s=600)):
        with pytest.raises(Invalid):
            actions.change_backend(session, name=openai, limits=bad, **how)


def test_who_saw_an_older_backend_is_told(session: Session, openai: str, how: dict[str, Any]) -> None:
    actions.change_backend(session, name=openai, price_provider="openai", expected_version=1, **how)
    with pytest.raises(Conflict, match="Someone else has changed"):
        actions.change_backend(session, name=openai, price_provider="azure", expected_version=1, **how)


def test_picked_models_are_on_and_the_others_off(
    session: Session, openai: str, how: dict[str, Any], vault: Vault, at: datetime
) -> None:
    found = [Discovered("gpt-4o", context_window=128_000), Discovered("gpt-4o-mini")]
    assert actions.save_discovered(session, name=openai, models=found, by=LOCAL, at=at) == 2
    assert actions.save_discovered(session, name=openai, models=found, by=LOCAL, at=at, picked={"gpt-4o"}) == 0
    on = {model.name: model.is_enabled for model in queries.models(session)}
    assert on == {"gpt-4o": True, "gpt-4o-mini": False}
    with pytest.raises(NotFound, match="'openai/gpt-4o-mini' is switched off"):
        resolve(taken(session, vault), "openai/gpt-4o-mini")
    actions.change_model(session, backend=openai, name="gpt-4o-mini", is_enabled=True, by=LOCAL, at=at)
    assert resolve(taken(session, vault), "gpt-4o-mini").steps[0].backend.name == openai


def test_what_a_person_says_a_model_takes_outlives_the_next_discovery(
    session: Session, openai: str, vault: Vault, at: datetime
) -> None:
    found = [Discovered("house-model")]
    actions.save_discovered(session, name=openai, models=found, by=LOCAL, at=at)
    change: dict[str, Any] = {"backend": openai, "name": "house-model", "by": LOCAL, "at": at}
    assert actions.change_model(session, takes_image=True, **change)
    assert not actions.change_model(session, takes_image=True, is_enabled=True, **change)
    actions.save_discovered(session, name=openai, models=found, by=LOCAL, at=at)
    [model] = taken(session, vault).models
    assert (model.takes_image, model.takes_audio, model.is_enabled) == (True, False, True)
    told = [event for event in session.exec(select(AuditEvent)).all() if event.action == "model.changed"]
    assert [(event.before, event.after) for event in told] == [({"takes_image": False}, {"takes_image": True})]
    with pytest.raises(NotFound):
        actions.change_model(session, backend=openai, name="nobody", by=LOCAL, at=at, is_enabled=True)


def test_an_alias_keeps_every_meaning_it_had(session: Session, openai: str, vault: Vault, at: datetime) -> None:
    def set_to(*steps: tuple[str, str], ttl: int = 0, note: str = "") -> int:
        return actions.set_alias(session, name="fast", steps=steps, cache_ttl_s=ttl, note=note, by=LOCAL, at=at)

    assert set_to((openai, "gpt-4o"), note="first") == 1
    assert set_to((openai, "gpt-4o"), note="said again") == 1
    assert set_to((openai, "gpt-4o-mini"), (openai, "gpt-4o"), ttl=60) == 2
    history = queries.alias_history(session, "fast")
    assert [(row.version, row.steps, row.note) for row in history] == [
        (2, ((openai, "gpt-4o-mini"), (openai, "gpt-4o")), ""),
        (1, ((openai, "gpt-4o"),), "first"),
    ]
    resolved = resolve(taken(session, vault), "fast")
    assert (resolved.alias_version, resolved.cache_ttl_s, len(resolved.steps)) == (2, 60, 2)


def test_an_alias_out_of_use_comes_back_as_a_new_version(
    session: Session, openai: str, vault: Vault, at: datetime
) -> None:
    actions.set_alias(session, name="fast", steps=[(openai, "gpt-4o")], by=LOCAL, at=at)
    actions.disable_alias(session, name="fast", by=LOCAL, at=at)
    assert "fast" not in taken(session, vault).aliases
    assert actions.set_alias(session, name="fast", steps=[(openai, "gpt-4o")], by=LOCAL, at=at) == 2
    assert "fast" in taken(session, vault).aliases


def test_who_saw_an_older_alias_is_told(session: Session, openai: str, at: datetime) -> None:
    how: dict[str, Any] = {"name": "fast", "by": LOCAL, "at": at}
    actions.set_alias(session, steps=[(openai, "a")], expected_version=0, **how)
    with pytest.raises(Conflict, match="Someone else has changed"):
        actions.set_alias(session, steps=[(openai, "b")], expected_version=0, **how)
    assert actions.set_alias(session, steps=[(openai, "b")], expected_version=1, **how) == 2


def test_an_alias_does_not_quietly_take_a_models_name(session: Session, openai: str, at: datetime) -> None:
    actions.add_model(session, backend=openai, name="gpt-4o", by=LOCAL, at=at)
    with pytest.raises(Conflict, match="get openai/gpt-4o today") as caught:
        actions.set_alias(session, name="gpt-4o", steps=[(openai, "gpt-4o-mini")], by=LOCAL, at=at)
    assert caught.value.code == "alias_shadows_model"
    with pytest.raises(Conflict, match="name of a backend"):
        actions.set_alias(session, name=openai, steps=[(openai, "gpt-4o")], by=LOCAL, at=at)
    actions.set_alias(session, name="gpt-4o", steps=[(openai, "gpt-4o-mini")], takes_over=True, by=LOCAL, at=at)


@pytest.mark.parametrize("steps", [[], [("nobody", "m")], [("openai", "m"), ("openai", "m")], [("openai", "a b")]])
def test_an_alias_with_unusable_steps_is_refused(
    session: Session, openai: str, at: datetime, steps: list[tuple[str, str]]
) -> None:
    with pytest.raises(Invalid):
        actions.set_alias(session, name="fast", steps=steps, by=LOCAL, at=at)
    assert queries.aliases(session) == ()


def test_prices_are_dated_and_never_overwritten(session: Session, openai: str, vault: Vault, at: datetime) -> None:
    for days, usd in ((0, "2.50"), (30, "1.25"), (30, "1.10")):
        actions.set_price(
            session,
            backend=openai,
            model="gpt-4o",
            starts_at=at + timedelta(days=days),
            input_usd=Decimal(usd),
            output_usd=Decimal("0.000000001"),
            by=LOCAL,
            at=at,
        )
    assert [str(price.input_usd) for price in queries.prices(session)] == ["1.100000000", "1.250000000", "2.500000000"]
    assert taken(session, vault).own_prices["openai", "gpt-4o"][0].output_usd == Decimal("0.000000001")


@pytest.mark.parametrize("usd", ["-1", "NaN", "Infinity", "0.0000000001", "200000"])
def test_an_impossible_price_is_refused(session: Session, openai: str, at: datetime, usd: str) -> None:
    with pytest.raises(Invalid):
        actions.set_price(
            session,
            backend=openai,
            model="m",
            starts_at=at,
            input_usd=Decimal(usd),
            output_usd=Decimal(1),
            by=LOCAL,
            at=at,
        )


def test_a_check_is_kept_until_the_address_changes(session: Session, openai: str, how: dict[str, Any]) -> None:
    actions.record_check(session, name=openai, result="The server refuses the key (401).", by=LOCAL, at=how["at"])
    assert queries.backend(session, openai).check_result == "The server refuses the key (401)."
    actions.change_backend(session, name=openai, base_url="https://x.example/v1", key="sk-3", **how)
    assert queries.backend(session, openai).checked_at is None


def test_who_may_only_look_changes_nothing(session: Session, openai: str, how: dict[str, Any]) -> None:
    at, vault = how["at"], how["vault"]
    with pytest.raises(NotAllowed):
        actions.add_backend(session, name="x", base_url="https://h/v1", by=VIEWER, at=at, vault=vault)
    with pytest.raises(NotAllowed):
        actions.set_backend_key(session, name=openai, key="sk-9", by=VIEWER, at=at, vault=vault)
    with pytest.raises(NotAllowed):
        actions.set_alias(session, name="x", steps=[(openai, "m")], by=VIEWER, at=at)


def test_every_change_is_in_the_trail_and_moves_the_mark(session: Session, openai: str, how: dict[str, Any]) -> None:
    at = how["at"]
    before = marks.read(session)["catalog"]
    actions.set_backend_enabled(session, name=openai, is_enabled=False, by=CLI, at=at)
    actions.set_backend_enabled(session, name=openai, is_enabled=False, by=CLI, at=at)
    assert marks.read(session)["catalog"] == before + 1
    trail = [(event.actor, event.action, event.target) for event in session.exec(select(AuditEvent)).all()]
    assert trail == [("local", "backend.added", "backend:openai"), ("cli", "backend.disabled", "backend:openai")]


def test_the_embedded_backend_is_there_once_with_its_cards(session: Session, vault: Vault, at: datetime) -> None:
    actions.ensure_builtin(session, at=at)
    mark = marks.read(session)["catalog"]
    actions.ensure_builtin(session, at=at + timedelta(days=1))
    assert marks.read(session)["catalog"] == mark
    snapshot = taken(session, vault)
    assert snapshot.backends["builtin"].kind == "builtin"
    assert {model.name for model in snapshot.models} == {card.name for card in engine.CARDS}
    assert all(model.card for model in snapshot.models)
    with pytest.raises(Invalid):
        actions.change_backend(session, name="builtin", base_url="https://h/v1", by=LOCAL, at=at, vault=vault)


def test_one_name_is_never_an_alias_and_a_backend_at_once(db: Database, how: dict[str, Any]) -> None:
    with db.write() as session:
        actions.add_backend(session, name="one", base_url="https://a.example/v1", **how)
    told = {name: how[name] for name in ("by", "at")}
    _, second = both(
        db,
        lambda s: actions.set_alias(s, name="same", steps=[("one", "m")], **told),
        lambda s: actions.add_backend(s, name="same", base_url="https://a.example/v1", **how),
    )
    assert isinstance(second, Conflict)


def test_the_second_who_takes_an_alias_out_of_use_changes_nothing(db: Database, how: dict[str, Any]) -> None:
    told = {name: how[name] for name in ("by", "at")}
    with db.write() as session:
        actions.add_backend(session, name="one", base_url="https://a.example/v1", **how)
        actions.set_alias(session, name="same", steps=[("one", "m")], **told)
    both(db, lambda s: actions.disable_alias(s, name="same", **told))
    with db.read() as session:
        assert len(session.exec(select(AuditEvent).where(AuditEvent.action == "alias.disabled")).all()) == 1


def test_many_processes_that_start_at_once_make_one_embedded_backend(db: Database, at: datetime) -> None:
    both(db, lambda s: actions.ensure_builtin(s, at=at))
    with db.read() as session:
        assert len(session.exec(select(Backend)).all()) == 1
