"""Reads of the catalog: the snapshot that serves calls, and the rows that the console and the CLI show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from core import settings
from core.catalog.rules import AliasView, BackendView, ModelView, PriceView, Snapshot
from core.catalog.tables import Alias, AliasVersion, Backend, Model, Price
from core.errors import GreenroomError, NotFound
from core.vault import Vault


@dataclass(frozen=True, slots=True)
class BackendRow:
    """A backend as people see it: everything but its key. `key_kind` is "", "stored" or "environment"."""

    id: int
    name: str
    kind: str
    base_url: str
    key_kind: str
    key_env: str
    is_enabled: bool
    price_provider: str
    connect_s: float
    first_token_s: float
    between_tokens_s: float
    total_s: float
    version: int
    created_at: datetime
    checked_at: datetime | None
    check_result: str
    models: int


@dataclass(frozen=True, slots=True)
class AliasRow:
    """An alias as people see it: what it means now, and whether it is in use."""

    name: str
    version: int
    is_enabled: bool
    steps: tuple[tuple[str, str], ...]
    cache_ttl_s: int
    answers_by_rules: bool
    note: str
    made_by: str
    made_at: datetime


def snapshot(session: Session, vault: Vault) -> Snapshot:
    """The whole catalog, keys readable: only for the process that asks the backends."""
    names = {row.id: row.name for row in session.exec(select(Backend)).all() if row.id is not None}
    return Snapshot(
        backends={view.name: view for view in _backend_views(session, vault)},
        models=_models(session, names),
        aliases={
            row.name: AliasView(row.name, row.version, row.steps, row.cache_ttl_s, row.answers_by_rules)
            for row in aliases(session)
            if row.is_enabled
        },
        prices=_prices(session, names),
    )


def _backend_views(session: Session, vault: Vault) -> list[BackendView]:
    views = []
    for row in session.exec(select(Backend).order_by(Backend.name)).all():
        key, trouble = _key(row, vault)
        views.append(
            BackendView(
                id=row.id or 0,
                name=row.name,
                kind=row.kind,
                base_url=row.base_url,
                key=key,
                is_enabled=row.is_enabled,
                price_provider=row.price_provider,
                connect_s=row.connect_s,
                first_token_s=row.first_token_s,
                between_tokens_s=row.between_tokens_s,
                total_s=row.total_s,
                version=row.version,
                key_trouble=trouble,
            )
        )
    return views


def _key(row: Backend, vault: Vault) -> tuple[str | None, str]:
    """The readable key, and why it cannot be read; one unreadable key must not stop the other backends."""
    if row.key_env:
        value = settings.environment(row.key_env).strip()
        return (value, "") if value else (None, f"The environment variable {row.key_env} is not set.")
    if row.key_cipher is None:
        return None, ""
    try:
        return vault.decrypt(row.key_cipher), ""
    except GreenroomError as error:
        return None, str(error)


def backends(session: Session) -> tuple[BackendRow, ...]:
    """Every backend by name, without its key."""
    counts: dict[int, int] = {}
    for backend_id in session.exec(select(Model.backend_id)).all():
        counts[backend_id] = counts.get(backend_id, 0) + 1
    rows = session.exec(select(Backend).order_by(Backend.name)).all()
    return tuple(_row(row, counts.get(row.id or 0, 0)) for row in rows)


def backend(session: Session, name: str) -> BackendRow:
    """One backend. Raises: NotFound."""
    for row in backends(session):
        if row.name == name:
            return row
    raise NotFound(f"There is no backend named {name!r}.", hint="`greenroom backend list` shows them all.")


def _row(row: Backend, models: int) -> BackendRow:
    return BackendRow(
        id=row.id or 0,
        name=row.name,
        kind=row.kind,
        base_url=row.base_url,
        key_kind="environment" if row.key_env else "stored" if row.key_cipher else "",
        key_env=row.key_env,
        is_enabled=row.is_enabled,
        price_provider=row.price_provider,
        connect_s=row.connect_s,
        first_token_s=row.first_token_s,
        between_tokens_s=row.between_tokens_s,
        total_s=row.total_s,
        version=row.version,
        created_at=row.created_at,
        checked_at=row.checked_at,
        check_result=row.check_result,
        models=models,
    )


def backend_view(session: Session, vault: Vault, name: str) -> BackendView:
    """One backend with its key, to be asked. Raises: NotFound."""
    for view in _backend_views(session, vault):
        if view.name == name:
            return view
    raise NotFound(f"There is no backend named {name!r}.", hint="`greenroom backend list` shows them all.")


def models(session: Session, *, backend: str | None = None) -> tuple[ModelView, ...]:
    """Every model, or those of one backend, by backend and name."""
    names = {row.id: row.name for row in session.exec(select(Backend)).all() if row.id is not None}
    return tuple(view for view in _models(session, names) if backend is None or view.backend == backend)


def _models(session: Session, names: Mapping[int, str]) -> tuple[ModelView, ...]:
    rows = session.exec(select(Model).order_by(col(Model.backend_id), col(Model.name))).all()
    return tuple(
        ModelView(
            id=row.id or 0,
            backend=names[row.backend_id],
            name=row.name,
            kind=row.kind,
            is_enabled=row.is_enabled,
            takes_image=row.takes_image,
            takes_audio=row.takes_audio,
            context_window=row.context_window,
            card=row.card,
        )
        for row in rows
    )


def aliases(session: Session) -> tuple[AliasRow, ...]:
    """Every alias by name with its newest meaning, those out of use included."""
    found = session.exec(
        select(Alias, AliasVersion)
        .join(AliasVersion, (col(AliasVersion.alias_id) == Alias.id) & (col(AliasVersion.version) == Alias.version))
        .order_by(Alias.name)
    ).all()
    return tuple(_alias_row(alias, version) for alias, version in found)


def alias_history(session: Session, name: str) -> tuple[AliasRow, ...]:
    """Every meaning an alias ever had, newest first; empty when there is no such alias."""
    found = session.exec(
        select(Alias, AliasVersion)
        .join(AliasVersion, col(AliasVersion.alias_id) == Alias.id)
        .where(Alias.name == name)
        .order_by(col(AliasVersion.version).desc())
    ).all()
    return tuple(_alias_row(alias, version) for alias, version in found)


def _alias_row(alias: Alias, version: AliasVersion) -> AliasRow:
    return AliasRow(
        name=alias.name,
        version=version.version,
        is_enabled=alias.is_enabled and version.version == alias.version,
        steps=steps_of(version.steps),
        cache_ttl_s=version.cache_ttl_s,
        answers_by_rules=version.answers_by_rules,
        note=version.note,
        made_by=version.made_by,
        made_at=version.made_at,
    )


def steps_of(stored: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """The stored JSON of an alias version as (backend, model) pairs."""
    return tuple((step["backend"], step["model"]) for step in stored)


def prices(session: Session, *, backend: str | None = None) -> tuple[PriceView, ...]:
    """Our own prices, newest start first."""
    names = {row.id: row.name for row in session.exec(select(Backend)).all() if row.id is not None}
    found = [view for view in _prices(session, names) if backend is None or view.backend == backend]
    return tuple(sorted(found, key=lambda price: (price.starts_at, price.id), reverse=True))


def _prices(session: Session, names: Mapping[int, str]) -> tuple[PriceView, ...]:
    rows = session.exec(select(Price).order_by(col(Price.id))).all()
    return tuple(
        PriceView(
            id=row.id or 0,
            backend=names[row.backend_id],
            model=row.model,
            starts_at=row.starts_at,
            input_usd=row.input_usd,
            output_usd=row.output_usd,
            cached_input_usd=row.cached_input_usd,
            note=row.note,
            set_by=row.set_by,
            set_at=row.set_at,
        )
        for row in rows
    )
