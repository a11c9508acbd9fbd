"""Which backend and model a name means: an alias first, else `backend/model`, else a model one backend has.

The views are what everybody but the actions sees of the catalog: frozen, read once, swapped as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property

from core.catalog.address import is_model
from core.errors import BackendUnavailable, Invalid, NotFound

BUILTIN = "builtin"
RULES_MODEL = "rules"
SHORTEST_SECRET = 8  # "none", "EMPTY" and the like are words of answers, too


@dataclass(frozen=True, slots=True)
class BackendView:
    """A backend as `serve` needs it. `key` is the readable key; `key_trouble` says why there is none though
    there should be one (a sentence for people)."""

    id: int
    name: str
    kind: str
    base_url: str
    key: str | None = field(default=None, repr=False)
    is_enabled: bool = True
    price_provider: str = ""
    connect_s: float = 5.0
    first_token_s: float = 60.0
    between_tokens_s: float = 30.0
    total_s: float = 600.0
    version: int = 1
    key_trouble: str = ""

    def without_key(self, sent: bytes) -> bytes:
        """What this backend sent, without its own key: some repeat it in errors, and many people read records."""
        if self.key is None or len(self.key) < SHORTEST_SECRET:
            return sent
        key = self.key.encode("latin-1", "replace")
        return sent.replace(key, b"(key)") if key in sent else sent


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model that a backend listed or a person named; `backend` is the backend's name."""

    id: int
    backend: str
    name: str
    kind: str = "chat"
    is_enabled: bool = True
    takes_image: bool = False
    takes_audio: bool = False
    context_window: int | None = None
    card: str = ""


@dataclass(frozen=True, slots=True)
class AliasView:
    """What an alias means now: (backend, model) in the order they are tried."""

    name: str
    version: int
    steps: tuple[tuple[str, str], ...]
    cache_ttl_s: int = 0
    answers_by_rules: bool = False


@dataclass(frozen=True, slots=True)
class PriceView:
    """A price of our own, in dollars per million tokens, in effect from `starts_at` until the next one."""

    id: int
    backend: str
    model: str
    starts_at: datetime
    input_usd: Decimal
    output_usd: Decimal
    cached_input_usd: Decimal | None = None
    note: str = ""
    set_by: str = ""
    set_at: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """The whole catalog at one moment."""

    backends: Mapping[str, BackendView]
    models: tuple[ModelView, ...] = ()
    aliases: Mapping[str, AliasView] = field(default_factory=dict)
    prices: tuple[PriceView, ...] = ()

    @cached_property
    def models_by_name(self) -> Mapping[str, tuple[ModelView, ...]]:
        """Every model under its bare name, switched off ones included."""
        found: dict[str, list[ModelView]] = {}
        for model in self.models:
            found.setdefault(model.name, []).append(model)
        return {name: tuple(models) for name, models in found.items()}

    @cached_property
    def models_by_path(self) -> Mapping[tuple[str, str], ModelView]:
        """Every model under (backend, name)."""
        return {(model.backend, model.name): model for model in self.models}

    @cached_property
    def own_prices(self) -> Mapping[tuple[str, str], tuple[PriceView, ...]]:
        """Our own prices under (backend, model), newest start first, the later entered first among equals."""
        found: dict[tuple[str, str], list[PriceView]] = {}
        for price in sorted(self.prices, key=lambda p: (p.starts_at, p.id), reverse=True):
            found.setdefault((price.backend, price.model), []).append(price)
        return {path: tuple(prices) for path, prices in found.items()}

    def is_usable(self, backend: str, model: str) -> bool:
        """Whether the backend is switched on and the model was not switched off (it need not be listed)."""
        view = self.backends.get(backend)
        listed = self.models_by_path.get((backend, model))
        return view is not None and view.is_enabled and (listed is None or listed.is_enabled)


@dataclass(frozen=True, slots=True)
class Step:
    """One model to try, at one backend."""

    backend: BackendView
    model: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name means: the steps in order, and what the alias allows besides.

    `steps` is empty only when every backend of an alias is switched off and the alias answers by rules.
    """

    steps: tuple[Step, ...]
    alias: str = ""
    alias_version: int | None = None
    cache_ttl_s: int = 0
    answers_by_rules: bool = False


def resolve(snapshot: Snapshot, asked: str) -> Resolved:
    """What `asked` means now.

    Raises: NotFound when nothing has this name, Invalid when several backends have it, BackendUnavailable
    when it is known and every backend for it is switched off.
    """
    if alias := snapshot.aliases.get(asked):
        return _of_alias(snapshot, alias)
    backend_name, slash, model = asked.partition("/")
    if slash and is_model(model) and snapshot.is_usable(backend_name, model):
        return Resolved((Step(snapshot.backends[backend_name], model),))
    having = [m for m in snapshot.models_by_name.get(asked, ()) if snapshot.is_usable(m.backend, m.name)]
    if len(having) == 1:
        return Resolved((Step(snapshot.backends[having[0].backend], asked),))
    if having:
        paths = [f"{model.backend}/{model.name}" for model in having]
        raise Invalid(
            f"Several backends have a model named {asked!r}.",
            code="ambiguous_model",
            param="model",
            hint=f"Ask for one of {', '.join(paths)}, or make an alias.",
        )
    raise _unknown(snapshot, asked)


def _of_alias(snapshot: Snapshot, alias: AliasView) -> Resolved:
    steps = tuple(
        Step(snapshot.backends[backend], model) for backend, model in alias.steps if snapshot.is_usable(backend, model)
    )
    if not steps and not alias.answers_by_rules:
        raise BackendUnavailable(
            f"Every backend of the alias {alias.name!r} is switched off.",
            hint="Switch one on under Backends and models, or give the alias another model.",
            param="model",
        )
    return Resolved(steps, alias.name, alias.version, alias.cache_ttl_s, alias.answers_by_rules)


def _unknown(snapshot: Snapshot, asked: str) -> NotFound:
    backend_name, _, model = asked.partition("/")
    known = snapshot.backends.get(backend_name) if model else None
    if known is not None and not known.is_enabled:
        message, hint = f"The backend {backend_name!r} is switched off.", "Switch it on, or ask for another model."
    elif known is not None and (backend_name, model) in snapshot.models_by_path:
        message, hint = f"The model {asked!r} is switched off.", "Switch it on, or ask for another model."
    else:
        message = f"There is no model or alias named {_shortened(asked)!r}." if asked else "No model was named."
        near = similar(snapshot, asked)
        hint = f"Did you mean {near[0]!r}?" if near else "GET /v1/models lists what there is."
    return NotFound(message, code="model_not_found", param="model", hint=hint)


def _shortened(asked: str) -> str:
    return asked if len(asked) <= 120 else asked[:120] + "…"


def similar(snapshot: Snapshot, asked: str, *, count: int = 3) -> list[str]:
    """Names much like `asked`, best first; aliases, then models. Bounded work, whatever is asked."""
    if not asked or len(asked) > 120:
        return []
    folded = asked.casefold()
    names = list(snapshot.aliases) + [f"{m.backend}/{m.name}" for m in snapshot.models if m.is_enabled]
    names += [m.name for m in snapshot.models if m.is_enabled]
    by_folded: dict[str, str] = {}
    for name in names:
        key = name.casefold()
        if key[0] == folded[0] or folded in key:
            by_folded.setdefault(key, name)
    near = get_close_matches(folded, list(by_folded)[:500], n=count, cutoff=0.6)
    return [by_folded[name] for name in near]
