"""What guarding costs: processor milliseconds per KB of each family, on prose and on text full of findings, and of a
stream under a window; the family that looks for least (length) is the ratio's one."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.guard import detecting
from core.guard.findings import Family, Passage, Side
from core.guard.window import Window
from tests.guard.corpora import FIND, texts
from tests.guard.policies import context, on, policy, rule

PROSE = "The reviewer approves, edits or rejects every answer before it is shown to a customer, as agreed. "
SIZE = 16_384
CHUNK = 4  # characters: about a token


def _dense(family: Family) -> str:
    """Text in which every third sentence holds what the family looks for."""
    found = [text.replace("¦", "") for _, text in texts("fresh")[family]["find"]]
    return "\n".join(f"{PROSE}{PROSE}{one}" for one in found * (1 + SIZE // (200 * len(found))))[:SIZE]


def _ms_per_kb(work: Callable[[], object], size: int) -> float:
    """The best of five, in processor time: what the machine does besides does not count."""
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best * 1_000 / (size / 1_024)


def run() -> None:
    """Print milliseconds per KB."""
    prose = (PROSE * (SIZE // len(PROSE) + 1))[:SIZE]
    for family, find in FIND.items():
        find(PROSE)
        dense = _dense(family)
        one, other = _ms_per_kb(lambda f=find: f(prose), SIZE), _ms_per_kb(lambda f=find, d=dense: f(d), len(dense))
        print(f"   {family:10} prose {one:7.3f} ms/KB   full of findings {other:7.3f} ms/KB")
    asked = ("personal", "secret", "profanity", "link")
    chosen = policy(*(rule("redact", on(name), name=name) for name in asked))
    running = detecting.detectors([chosen])
    passage = Passage(Side.OUTPUT, "choices.0.message.content", prose)
    whole = _ms_per_kb(lambda: detecting.scan(running, [passage]), SIZE)

    def stream() -> None:
        window = Window(running, [chosen], context())
        for at in range(0, SIZE, CHUNK):
            window.feed(prose[at : at + CHUNK], ms=0.0)
        window.end(ms=0.0)

    windowed = _ms_per_kb(stream, SIZE)
    print(f"   four families at once: whole {whole:.3f} ms/KB, streamed by {CHUNK} characters {windowed:.3f} ms/KB")
    print(f"   the window costs {windowed / whole:.1f} × the whole, {windowed * CHUNK / 1.024:.1f} µs a chunk")
