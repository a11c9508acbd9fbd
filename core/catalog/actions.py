"""Changes to the catalog: backends and their keys, models, aliases, prices. Each leaves a row in the audit trail.

A backend's key goes in and never comes out again: neither an error nor the audit trail carries it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.catalog import address, checks, queries, rows
from core.catalog.discovered import Discovered
from core.catalog.rules import BUILTIN
from core.catalog.tables import Alias, AliasVersion, Backend, Model, Price
from core.db import marks
from core.errors import Conflict, Invalid, NotFound
from core.people.rules import SYSTEM, Permission, Principal, require
from core.vault import Vault

TOPIC = "catalog"
BACKEND, ALIAS, PRICE = Permission.BACKEND_CHANGE, Permission.ALIAS_CHANGE, Permission.PRICE_CHANGE


def _finish(
    session: Session,
    action: str,
    target: str,
    *,
    by: Principal,
    at: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    marks.bump(session, TOPIC)
    audit.append(session, by=by, at=at, action=action, target=target, before=before, after=after)


def _backend(session: Session, name: str) -> Backend:
    """The backend's row, held until the transaction ends."""
    row = session.exec(select(Backend).where(Backend.name == name).with_for_update()).first()
    if row is None:
        raise NotFound(f"There is no backend named {name!r}.", hint="`greenroom backend list` shows them all.")
    return row


def _variables(session: Session, row: Backend, was_at: str) -> dict[str, str]:
    """The variables in use and where each is sent; this backend's own counts for where it was sent until now."""
    found = session.exec(select(Backend).where(Backend.key_env != "", Backend.name != row.name)).all()
    own = {row.key_env: was_at} if row.key_env and was_at else {}
    return own | {other.key_env: other.base_url for other in found}


def _put_key(
    session: Session, row: Backend, vault: Vault, key: str | None, key_env: str | None, *, by: Principal, was_at: str
) -> None:
    """Store a key, or name the variable that has it; "" removes, None leaves as it is."""
    if key and key_env:
        raise Invalid("Give the key or the name of its variable, not both.", param="key")
    if key_env:
        may_choose = by.may(Permission.BACKEND_VARIABLE)
        users = _variables(session, row, "" if may_choose else was_at)
        row.key_env = checks.variable(key_env, row.base_url, users, may_choose=may_choose)
        row.key_cipher = None
    elif key:
        row.key_cipher, row.key_env = vault.encrypt(checks.key(key)), ""
    elif key is not None or key_env is not None:
        row.key_cipher, row.key_env = None, ""


def add_backend(
    session: Session,
    *,
    name: str,
    base_url: str,
    by: Principal,
    at: datetime,
    vault: Vault,
    key: str | None = None,
    key_env: str = "",
    price_provider: str = "",
    takes_over: bool = False,
) -> int:
    """Connect a server that speaks the OpenAI protocol; its id."""
    require(by, BACKEND)
    marks.turn(session, TOPIC)
    taken = session.exec(select(Alias.name).where(Alias.name == name)).all()
    checks.backend_name(name, taken, queries.models(session), takes_over=takes_over)
    row = Backend(name=name, base_url=address.check_base_url(base_url), created_at=at, price_provider=price_provider)
    _put_key(session, row, vault, key or None, key_env or None, by=by, was_at="")
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        raise Conflict(
            f"There already is a backend named {name!r}.", param="name", hint="Change that one, or choose another name."
        ) from None
    _finish(session, "backend.added", f"backend:{name}", by=by, at=at, after=rows.public(row))
    assert row.id is not None
    return row.id


def change_backend(
    session: Session,
    *,
    name: str,
    by: Principal,
    at: datetime,
    vault: Vault,
    base_url: str | None = None,
    key: str | None = None,
    key_env: str | None = None,
    price_provider: str | None = None,
    limits: checks.Limits | None = None,
    expected_version: int | None = None,
) -> int:
    """Change a backend; what is None stays. Its new version.

    Raises: Invalid with code "key_required" when the address changes and the key is not given again (a stored
    key must never be sent to an address its owner did not see), Conflict when someone else was first.
    """
    require(by, BACKEND)
    row = _backend(session, name)
    if expected_version is not None and row.version != expected_version:
        raise Conflict(f"Someone else has changed {name!r} meanwhile.", hint="Look at it again, then change it.")
    before, was_at = rows.public(row), row.base_url
    if base_url is not None:
        rows.move(row, address.check_base_url(base_url), has_key=bool(key or key_env))
    _put_key(session, row, vault, key, key_env, by=by, was_at=was_at)
    if price_provider is not None:
        row.price_provider = price_provider
    if limits is not None:
        chosen = checks.limits(limits)
        row.connect_s, row.first_token_s = chosen.connect_s, chosen.first_token_s
        row.between_tokens_s, row.total_s = chosen.between_tokens_s, chosen.total_s
    row.version += 1
    session.flush()
    _finish(session, "backend.changed", f"backend:{name}", by=by, at=at, before=before, after=rows.public(row))
    return row.version


def set_backend_key(
    session: Session, *, name: str, key: str, by: Principal, at: datetime, vault: Vault, key_env: str = ""
) -> int:
    """Replace a backend's key (or name its variable); an empty key removes it. The backend's new version."""
    require(by, BACKEND)
    row = _backend(session, name)
    if row.kind == BUILTIN:
        raise Invalid("The embedded backend needs no key.", param="key")
    before = rows.public(row)
    _put_key(session, row, vault, key, key_env or None, by=by, was_at=row.base_url)
    row.version += 1
    session.flush()
    _finish(session, "backend.key_set", f"backend:{name}", by=by, at=at, before=before, after=rows.public(row))
    return row.version


def set_backend_enabled(session: Session, *, name: str, is_enabled: bool, by: Principal, at: datetime) -> int:
    """Switch a backend on or off; off, nothing is asked of it. Its version."""
    require(by, BACKEND)
    row = _backend(session, name)
    if row.is_enabled == is_enabled:
        return row.version
    row.is_enabled, row.version = is_enabled, row.version + 1
    session.flush()
    verb, after = "backend.enabled" if is_enabled else "backend.disabled", {"is_enabled": is_enabled}
    _finish(session, verb, f"backend:{name}", by=by, at=at, after=after)
    return row.version


def record_check(session: Session, *, name: str, result: str, by: Principal, at: datetime) -> bool:
    """Keep what testing a backend found; "" is reachable, else the sentence that says why not. Whether it is."""
    require(by, BACKEND)
    row = _backend(session, name)
    row.checked_at, row.check_result = at, result[:500]
    session.flush()
    _finish(session, "backend.checked", f"backend:{name}", by=by, at=at, after={"result": row.check_result or "ok"})
    return not row.check_result


def save_discovered(
    session: Session,
    *,
    name: str,
    models: Sequence[Discovered],
    by: Principal,
    at: datetime,
    picked: Collection[str] | None = None,
) -> int:
    """Keep the models a backend listed, those `picked` switched on (None: all that are new); how many were new."""
    require(by, BACKEND)
    row = _backend(session, name)
    known = {model.name: model for model in session.exec(select(Model).where(Model.backend_id == row.id)).all()}
    fresh = 0
    for found in models:
        model = known.get(found.name)
        if model is None:
            model = Model(backend_id=row.id or 0, name=address.check_model(found.name), kind=found.kind, seen_at=at)
            model.takes_image, model.takes_audio = found.takes_image, found.takes_audio
            known[found.name] = model
            fresh += 1
        model.seen_at = at
        model.context_window = found.context_window or model.context_window
        session.add(model)
    if picked is not None:
        for model in known.values():
            model.is_enabled = model.name in picked
            session.add(model)
    session.flush()
    on = sum(model.is_enabled for model in known.values())
    after = {"listed": len(models), "new": fresh, "switched_on": on}
    _finish(session, "models.discovered", f"backend:{name}", by=by, at=at, after=after)
    return fresh


def add_model(session: Session, *, backend: str, name: str, by: Principal, at: datetime) -> int:
    """Name a model by hand that its backend does not list, or switch on one it does; its id."""
    require(by, BACKEND)
    row = _backend(session, backend)
    statement = select(Model).where(Model.backend_id == row.id, Model.name == address.check_model(name))
    model = session.exec(statement).first() or Model(backend_id=row.id or 0, name=name, seen_at=at)
    model.is_enabled = True
    session.add(model)
    session.flush()
    _finish(session, "model.set", f"model:{backend}/{name}", by=by, at=at, after={"kind": model.kind})
    return model.id or 0


def change_model(
    session: Session,
    *,
    backend: str,
    name: str,
    by: Principal,
    at: datetime,
    is_enabled: bool | None = None,
    takes_image: bool | None = None,
    takes_audio: bool | None = None,
) -> bool:
    """Switch a model on or off, or say what it takes where its backend does not tell; whether anything changed."""
    require(by, BACKEND)
    row = _backend(session, backend)
    model = session.exec(select(Model).where(Model.backend_id == row.id, Model.name == name)).first()
    if model is None:
        raise NotFound(f"{backend!r} has no model named {name!r}.", hint="Discover its models, or add this one.")
    asked = {"is_enabled": is_enabled, "takes_image": takes_image, "takes_audio": takes_audio}
    after = {field: value for field, value in asked.items() if value is not None and value != getattr(model, field)}
    if not after:
        return False
    before = {field: getattr(model, field) for field in after}
    for field, value in after.items():
        setattr(model, field, value)
    session.flush()
    _finish(session, "model.changed", f"model:{backend}/{name}", by=by, at=at, before=before, after=after)
    return True


def set_alias(
    session: Session,
    *,
    name: str,
    steps: Sequence[tuple[str, str]],
    by: Principal,
    at: datetime,
    cache_ttl_s: int = 0,
    answers_by_rules: bool = False,
    note: str = "",
    takes_over: bool = False,
    expected_version: int | None = None,
) -> int:
    """Give an alias a meaning: a new version, the old ones stay. An identical meaning makes none.

    Returns the version in effect. `expected_version` (0: it does not exist yet) refuses with Conflict when
    someone else was first; `takes_over` allows the name of a model.
    """
    require(by, ALIAS)
    marks.turn(session, TOPIC)
    backends = session.exec(select(Backend.name)).all()
    checks.alias_name(name, backends, queries.models(session), takes_over=takes_over)
    chosen = checks.steps(steps, backends)
    checks.cache_ttl(cache_ttl_s)
    row = session.exec(select(Alias).where(Alias.name == name).with_for_update()).first()
    if expected_version is not None and (row.version if row else 0) != expected_version:
        raise Conflict(f"Someone else has changed {name!r} meanwhile.", hint="Look at it again, then change it.")
    last = session.get(AliasVersion, (row.id, row.version)) if row else None
    steps_json = [{"backend": backend, "model": model} for backend, model in chosen]
    before = rows.meaning(last) if last else None
    if row is None:
        row = Alias(name=name, version=1, created_at=at)
        try:
            with session.begin_nested():
                session.add(row)
                session.flush()
        except IntegrityError:
            raise Conflict(f"Someone else has just made {name!r}.", hint="Look at it, then change it.") from None
    elif last is not None:
        same = (last.steps, last.cache_ttl_s, last.answers_by_rules) == (steps_json, cache_ttl_s, answers_by_rules)
        if same and row.is_enabled:
            return row.version
        row.version, row.is_enabled = row.version + 1, True
    made = AliasVersion(
        alias_id=row.id or 0,
        version=row.version,
        steps=steps_json,
        cache_ttl_s=cache_ttl_s,
        answers_by_rules=answers_by_rules,
        note=note,
        made_by=by.actor,
        made_at=at,
    )
    session.add(made)
    session.flush()
    _finish(session, "alias.set", f"alias:{name}", by=by, at=at, before=before, after=rows.meaning(made))
    return row.version


def disable_alias(session: Session, *, name: str, by: Principal, at: datetime) -> int:
    """Take an alias out of use; its history stays, setting it again brings it back. Its last version."""
    require(by, ALIAS)
    marks.turn(session, TOPIC)
    row = session.exec(select(Alias).where(Alias.name == name).with_for_update()).first()
    if row is None:
        raise NotFound(f"There is no alias named {name!r}.")
    if not row.is_enabled:
        return row.version
    row.is_enabled = False
    session.flush()
    _finish(session, "alias.disabled", f"alias:{name}", by=by, at=at, before={"version": row.version})
    return row.version


def set_price(
    session: Session,
    *,
    backend: str,
    model: str,
    starts_at: datetime,
    input_usd: Decimal,
    output_usd: Decimal,
    by: Principal,
    at: datetime,
    cached_input_usd: Decimal | None = None,
    note: str = "",
) -> int:
    """Date a price of our own, in dollars per million tokens; earlier prices stay, so old calls re-price the same."""
    require(by, PRICE)
    row = _backend(session, backend)
    if row.kind == BUILTIN:
        raise Invalid("The embedded backend costs nothing.", param="backend")
    price = Price(
        backend_id=row.id or 0,
        model=address.check_model(model),
        starts_at=starts_at,
        input_usd=checks.usd(input_usd, "input"),
        output_usd=checks.usd(output_usd, "output"),
        cached_input_usd=None if cached_input_usd is None else checks.usd(cached_input_usd, "cached input"),
        note=note,
        set_by=by.actor,
        set_at=at,
    )
    session.add(price)
    session.flush()
    _finish(session, "price.set", f"model:{backend}/{model}", by=by, at=at, after=rows.price(price))
    assert price.id is not None
    return price.id


def ensure_builtin(session: Session, *, at: datetime, by: Principal = SYSTEM) -> None:
    """The embedded backend with today's models; called at every start, changes nothing when all is there."""
    from core.builtin import engine

    marks.turn(session, TOPIC)
    row = session.exec(select(Backend).where(Backend.kind == BUILTIN)).first()
    changed = row is None
    if row is None:
        row = Backend(name=BUILTIN, kind=BUILTIN, created_at=at)
        session.add(row)
        session.flush()
    known = {m.name: m for m in session.exec(select(Model).where(col(Model.backend_id) == row.id)).all()}
    for card in engine.CARDS:
        text = f"{card.title}\n\n{card.text}"
        model = known.get(card.name)
        if model is None:
            model = Model(backend_id=row.id or 0, name=card.name, seen_at=at)
        elif (model.card, model.kind, model.context_window) == (text, card.kind, card.context_window):
            continue
        model.card, model.kind, model.context_window = text, card.kind, card.context_window
        session.add(model)
        changed = True
    if changed:
        session.flush()
        after = {"models": [card.name for card in engine.CARDS]}
        _finish(session, "backend.ensured", f"backend:{BUILTIN}", by=by, at=at, after=after)
