"""What a person may store in the catalog: timeouts, keys, prices, the steps of an alias. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.catalog import address
from core.catalog.rules import BUILTIN, ModelView
from core.errors import Conflict, Invalid, NotAllowed

MAX_STEPS = 8
MAX_CACHE_S = 30 * 86_400
MAX_USD_PER_MILLION = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a backend may take, in seconds: to connect, to its first token, between tokens, in total."""

    connect_s: float = 5.0
    first_token_s: float = 60.0
    between_tokens_s: float = 30.0
    total_s: float = 600.0


_LONGEST = Limits(connect_s=60, first_token_s=3600, between_tokens_s=3600, total_s=7200)
_WORDS = {
    "connect_s": "time to connect",
    "first_token_s": "time to the first token",
    "between_tokens_s": "time between tokens",
    "total_s": "total time",
}


def limits(chosen: Limits) -> Limits:
    """The timeouts, each within reason. Raises: Invalid naming the one that is not."""
    for field, words in _WORDS.items():
        value, longest = getattr(chosen, field), getattr(_LONGEST, field)
        if not 0.1 <= value <= longest:
            raise Invalid(f"The {words} must be between 0.1 and {longest:g} seconds.", param=field)
    if chosen.total_s < chosen.first_token_s:
        raise Invalid(
            "The total time is shorter than the time to the first token.", param="total_s", hint="Raise the total."
        )
    return chosen


def key(text: str) -> str:
    """A backend's key as pasted, without the spaces around it. Never repeats it in an error."""
    text = text.strip()
    if not text or len(text) > 4096 or not text.isascii() or any(not "!" <= sign <= "~" for sign in text):
        raise Invalid(
            "This is not a key: a key is one line of visible letters, digits and signs.",
            code="invalid_key",
            param="key",
            hint="Copy it again from the provider's page.",
        )
    return text


def steps(chosen: Sequence[tuple[str, str]], backends: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The models an alias tries, in order: known backends, none twice, at most eight."""
    if not chosen:
        raise Invalid("An alias needs at least one model.", param="steps", hint="Pick the model it stands for.")
    if len(chosen) > MAX_STEPS:
        raise Invalid(f"An alias tries at most {MAX_STEPS} models.", param="steps")
    for backend, model in chosen:
        if backend not in backends:
            raise Invalid(f"There is no backend named {backend!r}.", param="steps", hint="Add it first.")
        address.check_model(model)
    if len(set(chosen)) != len(chosen):
        raise Invalid("The same model stands in the list twice.", param="steps", hint="Keep the first.")
    return tuple((backend, model) for backend, model in chosen)


def cache_ttl(seconds: int) -> int:
    """How long equal requests share an answer; 0 is never."""
    if not 0 <= seconds <= MAX_CACHE_S:
        raise Invalid("Answers are kept between 0 seconds (never) and 30 days.", param="cache_ttl_s")
    return seconds


def usd(amount: Decimal, what: str) -> Decimal:
    """A price in dollars per million tokens."""
    if not amount.is_finite() or not 0 <= amount <= MAX_USD_PER_MILLION:
        raise Invalid(
            f"The price of {what} must be between 0 and {MAX_USD_PER_MILLION:,} dollars per million tokens.",
            param="price",
        )
    if amount != round(amount, 9):
        raise Invalid(f"The price of {what} has more than nine decimals.", param="price")
    return amount


def alias_name(name: str, backends: Collection[str], models: Iterable[ModelView], *, takes_over: bool) -> str:
    """A name an alias may take: not a backend's, and a model's only when that is wanted.

    Raises: Conflict with code "alias_shadows_model" unless `takes_over`.
    """
    address.check_name(name, "an alias")
    if name in backends:
        raise Conflict(
            f"{name!r} is the name of a backend.", code="alias_is_backend", param="name", hint="Choose another name."
        )
    hidden = sorted({f"{model.backend}/{model.name}" for model in models if model.name == name})
    if hidden and not takes_over:
        raise Conflict(
            f"Applications that ask for {name!r} get {hidden[0]} today; the alias would take that name over.",
            code="alias_shadows_model",
            param="name",
            hint=f"Say that this is wanted, or choose another name. {hidden[0]!r} stays reachable in full.",
        )
    return name


def backend_name(name: str, aliases: Collection[str], models: Iterable[ModelView], *, takes_over: bool) -> str:
    """A name a new backend may take: `name/…` must not quietly change what it means.

    Raises: Conflict with code "backend_shadows_model" unless `takes_over`.
    """
    address.check_name(name, "a backend")
    if name == BUILTIN:
        raise Conflict("The embedded backend is called 'builtin'.", param="name", hint="Choose another name.")
    if name in aliases:
        raise Conflict(f"{name!r} is the name of an alias.", param="name", hint="Choose another name.")
    hidden = next((model for model in models if model.name.startswith(f"{name}/")), None)
    if hidden is not None and not takes_over:
        raise Conflict(
            f"Applications that ask for {hidden.name!r} get it from {hidden.backend} today; "
            f"this backend would take all names that begin with {name + '/'!r} over.",
            code="backend_shadows_model",
            param="name",
            hint="Say that this is wanted, or choose another name.",
        )
    return name


def variable(name: str, base_url: str, users: Mapping[str, str], *, may_choose: bool) -> str:
    """An environment variable a backend may take its key from: one address per variable.

    `users` maps the variables in use to the address they are sent to; only who `may_choose` sends another one, or one
    elsewhere. Otherwise whoever may add a backend could have a secret they cannot read sent to a server of their own.
    """
    address.check_variable(name)
    sent_to = users.get(name)
    if not may_choose and (sent_to is None or address.origin(sent_to) != address.origin(base_url)):
        raise NotAllowed(
            f"You may not have {name} sent to {address.origin(base_url)}.",
            hint="Ask an admin of Greenroom to name the variable, or paste the key.",
        )
    if sent_to is not None and address.origin(sent_to) != address.origin(base_url):
        raise Invalid(
            f"{name} is the key for {address.origin(sent_to)} and is sent nowhere else.",
            code="variable_in_use",
            param="key_env",
            hint="Put this backend's key into a variable of its own.",
        )
    return name
