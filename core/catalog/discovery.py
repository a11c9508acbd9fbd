"""Asks a server which models it has, tests it, and looks for servers on this machine's usual ports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from core import clock
from core.catalog import address
from core.catalog.discovered import Discovered, parse, said_in
from core.catalog.rules import BUILTIN, BackendView
from core.errors import GreenroomError, UpstreamRejected
from core.wire.client import Client, Timeouts

MAX_LIST_BYTES = 16_000_000
PROBE_S = 1.0
_OLLAMA = 11434
_BY_OWNER = {
    "library": ("ollama", "Ollama"),
    "llamacpp": ("llama-cpp", "llama.cpp"),
    "vllm": ("vllm", "vLLM"),
    "organization_owner": ("lm-studio", "LM Studio"),
}


@dataclass(frozen=True, slots=True)
class LocalServer:
    """An inference server found on this machine: a name to add it under, what it seems to be, what it has."""

    name: str
    title: str
    base_url: str
    models: tuple[Discovered, ...]


@dataclass(frozen=True, slots=True)
class Tested:
    """A backend that answered: its models, and how long the list and (if asked) one token took."""

    models: tuple[Discovered, ...]
    list_ms: float
    token_ms: float | None = None


def headers_for(backend: BackendView) -> list[tuple[str, str]]:
    """How a backend is asked for its list; Anthropic's wants the key in a header of its own."""
    headers = [("accept", "application/json"), *address.key_headers(backend.base_url, backend.key)]
    if backend.key and urlsplit(backend.base_url).hostname == "api.anthropic.com":
        headers += [("x-api-key", backend.key), ("anthropic-version", "2023-06-01")]
    return headers


def _timeouts(backend: BackendView, *, most_s: float) -> Timeouts:
    return Timeouts(
        connect_s=min(backend.connect_s, most_s),
        first_byte_s=min(backend.first_token_s, most_s),
        between_s=min(backend.between_tokens_s, most_s),
        total_s=min(backend.total_s, most_s),
    )


async def discover(client: Client, backend: BackendView) -> list[Discovered]:
    """The models a backend lists, by name.

    Raises: Upstream and its kinds, each with a sentence that says what to mend.
    """
    if backend.kind == BUILTIN:
        from core.builtin import engine

        return [Discovered(card.name, card.kind, context_window=card.context_window) for card in engine.CARDS]
    if backend.key_trouble:
        raise UpstreamRejected(backend.key_trouble, code="no_key", hint="Set it, or store the key here.")
    return await _listed(client, backend, headers_for(backend), _timeouts(backend, most_s=15))


async def _listed(
    client: Client, backend: BackendView, headers: list[tuple[str, str]], timeouts: Timeouts
) -> list[Discovered]:
    url = address.under(backend.base_url, "/models")
    reply = await client.send("GET", url, headers=headers, timeouts=timeouts)
    try:
        body = backend.without_key(await reply.read(MAX_LIST_BYTES))
    finally:
        await reply.aclose()
    told = {
        name: backend.without_key(value.encode("latin-1")).decode("latin-1") for name, value in reply.headers.items()
    }
    return parse(reply.status, told, body, url=url)


async def test(client: Client, backend: BackendView, *, model: str | None = None) -> Tested:
    """Whether a backend can be used: its list of models and, with `model`, one token from it.

    Raises: Upstream and its kinds, each with a sentence that says what to mend.
    """
    started = clock.ticks_ms()
    models = await discover(client, backend)
    list_ms = clock.ticks_ms() - started
    token_ms = await _one_token(client, backend, model) if model and backend.kind != BUILTIN else None
    return Tested(tuple(models), list_ms, token_ms)


async def _one_token(client: Client, backend: BackendView, model: str) -> float:
    """Milliseconds until a one-token answer; its cost is that of a few tokens."""
    body = {"model": model, "messages": [{"role": "user", "content": "Say OK."}], "max_tokens": 1}
    started = clock.ticks_ms()
    reply = await client.send(
        "POST",
        address.under(backend.base_url, "/chat/completions"),
        headers=[*headers_for(backend), ("content-type", "application/json")],
        content=orjson.dumps(body),
        timeouts=_timeouts(backend, most_s=60),
    )
    try:
        answer = backend.without_key(await reply.read(1_000_000))
    finally:
        await reply.aclose()
    if reply.status != 200:
        said = said_in(answer) or f"status {reply.status}"
        raise UpstreamRejected(
            f"The list of models works, but {model} does not answer: {said}",
            hint="Check the model's name and the key's rights.",
            upstream_status=reply.status,
        )
    return clock.ticks_ms() - started


async def probe_local(client: Client, ports: Iterable[int]) -> list[LocalServer]:
    """Inference servers on these ports of this machine, within a second; whatever else listens there is left out."""
    found = await asyncio.gather(*(_probe(client, port) for port in dict.fromkeys(ports)))
    return [server for server in found if server is not None]


async def _probe(client: Client, port: int) -> LocalServer | None:
    base_url = f"http://127.0.0.1:{port}/v1"
    timeouts = Timeouts(connect_s=0.3, first_byte_s=PROBE_S, between_s=PROBE_S, total_s=PROBE_S)
    try:
        models = await _listed(
            client, BackendView(0, f"local-{port}", "openai", base_url), [("accept", "application/json")], timeouts
        )
    except GreenroomError:
        return None
    if not models and port != _OLLAMA:  # an Ollama without models is worth offering, an empty list elsewhere is not
        return None
    owner = next((model.owner for model in models if model.owner in _BY_OWNER), "")
    if not owner and port == _OLLAMA:
        owner = "library"
    name, title = _BY_OWNER.get(owner, (f"local-{port}", f"A server on port {port}"))
    return LocalServer(name, title, base_url, tuple(models))
