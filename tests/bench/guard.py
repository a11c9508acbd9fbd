"""What guarding costs and finds: KB per processor millisecond of each family on prose of 1, 10 and 100 KB and on text
full of findings; how much dearer ten times of the worst text is; recall and false alarms on texts of our own; a stream
under a window."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.guard import detecting
from core.guard.findings import Family, Passage, Side
from core.guard.window import Window
from tests.guard.corpora import FIND, measure, texts
from tests.guard.policies import context, on, policy, rule

PROSE = "The reviewer approves, edits or rejects every answer before it is shown to a customer, as agreed. "
SIZE = 16_384
HOSTILE = {
    "digits": "4",
    "spaced digits": "4 1 ",
    "at signs": "a@",
    "dots": "a.",
    "base64": "QUJDREVGRw",
    "key openings": "-----BEGIN PRIVATE KEY-----\n",
    "brackets": "[a](",
    "quotes": "\"'",
    "slashes": "http://a/",
    "words": "ignore previous ",
    "blanks": " \n",
    "marks": "é̀",
    "zero width": "p\u200b",
}
"""What a stranger may send to keep a detector busy."""
CHUNK = 4  # characters: about a token


def _dense(family: Family) -> str:
    """Text in which every third sentence holds what the family looks for."""
    found = [text.replace("¦", "") for _, text in texts("fresh")[family]["find"]]
    return "\n".join(f"{PROSE}{PROSE}{one}" for one in found * (1 + SIZE // (200 * len(found))))[:SIZE]


def _ms(work: Callable[[], object], times: int = 5) -> float:
    """The best of several, in processor time: what the machine does besides does not count."""
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best * 1_000


def _ms_per_kb(work: Callable[[], object], size: int) -> float:
    return _ms(work) / (size / 1_024)


def _pace(find: Callable[[str], object], text: str) -> str:
    """KB per millisecond."""
    return f"{len(text) / 1_024 / max(_ms(lambda: find(text)), 1e-3):7.1f}"


def worst(find: Callable[[str], object]) -> tuple[float, str]:
    """How much dearer the ten times longer text is, of the hostile text that is worst: 10 is proportional."""
    ratios = []
    for name, piece in HOSTILE.items():
        few, many = ((piece * (size // len(piece) + 1))[:size] for size in (4_000, 40_000))
        one = _ms(lambda t=few: find(t), 3)  # type: ignore[misc]
        if one > 0.05:  # below, the clock is all that is measured
            ratios.append((_ms(lambda t=many: find(t), 3) / one, name))  # type: ignore[misc]
    return max(ratios, default=(0.0, "-"))


def run() -> None:
    """Print the table."""
    prose = (PROSE * (SIZE // len(PROSE) + 1))[:SIZE]
    print("   KB/ms       1 KB   10 KB  100 KB   dense   10x the worst text         found  false alarms")
    for family, find in FIND.items():
        find(PROSE)
        paces = [_pace(find, (PROSE * (size // len(PROSE) + 1))[:size]) for size in (1_024, 10_240, 102_400)]
        measured = measure("fresh", family)
        ratio, text = worst(find)
        print(
            f"   {family:10}{''.join(f'{one:>8}' for one in paces)}{_pace(find, _dense(family)):>8}"
            f"   {ratio:5.1f} x ({text:15})  {measured.recall:6.0%}  {measured.false_alarms:6.0%}",
            flush=True,
        )
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
