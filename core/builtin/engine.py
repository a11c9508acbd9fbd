"""The embedded backend's way in: a chat completion request, answered here, in OpenAI's own shapes.

Computing happens in worker threads, two at a time, in steps of about a millisecond where a model samples; between
steps others get their turn, and an answer nobody waits for any more stops at the next token.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Never, TypeVar, TypeVarTuple, Unpack

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from core.builtin import generate, llama, request, written
from core.builtin.cards import CARDS, Card
from core.builtin.replies import Delta, Head, Tally
from core.builtin.request import Request
from core.errors import Invalid

__all__ = ["CARDS", "Card", "complete", "embed", "moderate", "stream"]

AT_ONCE = 2
_workers: RunVar[CapacityLimiter] = RunVar("greenroom_builtin_workers")
A = TypeVarTuple("A")
T = TypeVar("T")


async def complete(body: Mapping[str, Any]) -> dict[str, Any]:
    """A whole `chat.completion`. Raises Invalid, naming the parameter, for what cannot be done."""
    asked = request.read(body)
    head, tally = await _begin(asked), Tally()
    async with aclosing(_deltas(asked, tally)) as deltas:
        found = [delta async for delta in deltas]
    return head.whole(found, asked.n, tally, logprobs=asked.wants_logprobs)


async def stream(body: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """The chunks of a `chat.completion.chunk` stream, as they are computed. Raises Invalid before the first one."""
    asked = request.read(body)
    head, tally = await _begin(asked), Tally()
    usage = asked.includes_usage
    opened = False
    async with aclosing(_deltas(asked, tally)) as deltas:
        async for delta in deltas:
            if not opened:
                opened = True
                for number in range(asked.n):
                    yield head.opening(number, usage=usage)
            yield head.chunk(delta, logprobs=asked.wants_logprobs, usage=usage)
    if usage:
        yield head.closing(tally)


async def embed(body: Mapping[str, Any]) -> Never:
    """builtin has no embeddings, and says so."""
    raise Invalid(
        f"builtin has no embeddings, so {body.get('model')!r} cannot make any.",
        param="model",
        hint="Connect a backend with an embedding model.",
    )


async def moderate(body: Mapping[str, Any]) -> Never:
    """builtin has no moderation model, and says so."""
    raise Invalid(
        f"builtin has no moderation model, so {body.get('model')!r} cannot judge texts.",
        param="model",
        hint="Connect a backend that has one.",
    )


async def _begin(asked: Request) -> Head:
    model = await _worked(llama.load)
    return Head(asked.model, model.fingerprint if asked.model == "tiny" else f"{asked.model}-1")


def _deltas(asked: Request, tally: Tally) -> AsyncGenerator[Delta, None]:
    return _sampled(asked, tally) if asked.model == "tiny" else _written(asked, tally)


async def _written(asked: Request, tally: Tally) -> AsyncGenerator[Delta, None]:
    """The same finished text for each of `n`: these models do not sample."""
    done = await _worked(written.write, asked, llama.load().tokenizer)
    tally.prompt, tally.answered = done.prompt_tokens, done.tokens * asked.n
    for number in range(asked.n):
        for piece in done.pieces:
            yield Delta(number, piece)
        yield Delta(number, reason=done.reason)


async def _sampled(asked: Request, tally: Tally) -> AsyncGenerator[Delta, None]:
    """Token by token, `n` answers in turn."""
    model = llama.load()
    ids = await _worked(generate.prompt_ids, model, asked)
    tally.prompt = len(ids)
    prompt = generate.Prompt(model, ids, asked.limit)
    steps = prompt.steps()
    while await _worked(_advanced, steps):
        pass
    running = {number: generate.Answer(prompt, asked, number) for number in range(asked.n)}
    while running:
        for number, answer in list(running.items()):
            said = await _worked(answer.step)
            if said.text or said.tokens:
                yield Delta(number, said.text, said.tokens)
            if answer.reason:
                tally.answered += answer.tokens
                del running[number]
                yield Delta(number, reason=answer.reason)


def _advanced(steps: Iterator[None]) -> bool:
    return next(steps, steps) is None


async def _worked(function: Callable[[Unpack[A]], T], *args: *A) -> T:
    """Run in a worker thread; at most two of ours at a time, however many ask."""
    try:
        workers = _workers.get()
    except LookupError:
        workers = CapacityLimiter(AT_ONCE)
        _workers.set(workers)
    return await to_thread.run_sync(function, *args, limiter=workers)
