"""A window over a stream: its newest characters wait until the detectors have seen enough to let them go.

A character is passed on when as many characters follow it as any detector takes to see a thing that begins there; a
thing that is still growing is kept whole. Each look covers the window and a little before it, so that what a chunk
costs does not grow with the answer. How long characters waited is counted, so that the added delay can be shown.

What was passed on cannot be taken back: a rule that must see the whole answer first is told by `rules.waits_for_end`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.guard import detecting, redaction, rules
from core.guard.detecting import Detector
from core.guard.findings import Failure, Finding, Passage, Side
from core.guard.policies import Act, Policy
from core.guard.rules import Context, Decision

STEP = 64  # new characters that make a new look worth its cost
CONTEXT = 240  # characters already passed on that are looked at again, for what stands before a thing
MOST_GROWING = 8_000  # a thing longer than this is taken as it is


@dataclass(frozen=True, slots=True)
class Passed:
    """What may be passed on now; a decision that ends the stream, after this text, when a strict rule fired."""

    text: str
    findings: tuple[Finding, ...] = ()
    ended: Decision | None = None


@dataclass(slots=True)
class Delay:
    """How long characters waited in the window: `mean_ms` over all of them, and the longest."""

    characters: int = 0
    total_ms: float = 0.0
    most_ms: float = 0.0
    most_held: int = 0

    @property
    def mean_ms(self) -> float:
        return self.total_ms / self.characters if self.characters else 0.0


class Window:
    """The window over one text of an answer. `before` are findings in the question; offsets are of the model's text."""

    def __init__(
        self,
        running: Sequence[Detector],
        policies: Sequence[Policy],
        context: Context,
        *,
        place: str = "choices.0.message.content",
        before: Sequence[Finding] = (),
        mark: Callable[[Finding], str] = lambda finding: redaction.marked(finding.kind),
    ) -> None:
        ours = [one for one in running if Side.OUTPUT in one.sides]
        self._nearby = [one for one in ours if one.reach]
        self._whole = [one for one in ours if not one.reach]
        self._policies, self._context, self._place, self._mark = policies, context, place, mark
        self._reach = max((one.reach for one in self._nearby), default=0)
        self._found: list[Finding] = list(before)
        self._known: dict[tuple[object, ...], Finding] = {}  # the surest of each kind: what a decision needs to know
        self._remember(before)
        self._failures: dict[tuple[str, str], Failure] = {}
        self._all: list[str] = []
        self._text = ""  # from `_base` on: a little that was passed on, then what waits
        self._base = self._out = self._seen = 0
        self._arrived: deque[tuple[int, float]] = deque()
        self.delay = Delay()
        self.ended: Decision | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found so far, in the question too."""
        return tuple(self._found)

    @property
    def failures(self) -> tuple[Failure, ...]:
        return tuple(self._failures.values())

    def feed(self, text: str, *, ms: float) -> Passed:
        """Take in a chunk that came at `ms` (monotonic); what may be passed on."""
        if self.ended is not None:
            return Passed("", ended=self.ended)
        self._text += text
        if self._whole:
            self._all.append(text)
        end = self._base + len(self._text)
        self._arrived.append((end, ms))
        self.delay.most_held = max(self.delay.most_held, end - self._out)
        if not self._reach:
            return self._release(end, [], ms)
        if end - self._seen < STEP:
            return Passed("")
        return self._look(ms, is_end=False)

    def end(self, *, ms: float) -> Passed:
        """The rest of the text, and what detectors of whole texts say of it."""
        if self.ended is not None:
            return Passed("", ended=self.ended)
        passed = self._look(ms, is_end=True)
        if self.ended is not None or not self._whole:
            return passed
        whole = Passage(Side.OUTPUT, self._place, "".join(self._all), "assistant")
        scanned = detecting.scan(self._whole, [whole])
        self._found += scanned.findings
        self._failures |= {(one.detector, one.place): one for one in scanned.failures}
        decision = self._decide(scanned.findings)
        self._remember(scanned.findings)
        self.ended = decision if _ends(decision) else None
        return Passed(passed.text, (*passed.findings, *scanned.findings), self.ended)

    def decision(self) -> Decision:
        """The decision on everything seen so far."""
        return rules.decide(self._policies, self._found, self._context, self.failures)

    def _remember(self, found: Sequence[Finding]) -> None:
        for one in found:
            key = (one.family, one.kind, one.side, one.policy, one.place if one.side is Side.INPUT else "")
            if key not in self._known or self._known[key].confidence < one.confidence:
                self._known[key] = one

    def _decide(self, found: Sequence[Finding] = ()) -> Decision:
        """The decision with these new findings; of earlier ones the surest of each kind stand for all."""
        fresh = {id(one) for one in found}
        earlier = [one for one in self._known.values() if id(one) not in fresh]
        return rules.decide(self._policies, [*earlier, *found], self._context, self.failures)

    def _look(self, ms: float, *, is_end: bool) -> Passed:
        end = self._base + len(self._text)
        self._seen = end
        cut = end if is_end else max(self._out, end - self._reach)
        passage = Passage(Side.OUTPUT, self._place, self._text, "assistant")
        found: list[Finding] = []
        for detector in self._nearby:
            scanned = detecting.scan([detector], [passage])
            self._failures |= {(one.detector, one.place): one for one in scanned.failures}
            found += [_shifted(one, self._base) for one in scanned.findings]
        # what begins before the window was judged when it passed; what begins where the text was cut off may not be one
        fresh = [one for one in found if one.start >= self._out and (one.start > self._base or not self._base)]
        while growing := [one for one in fresh if one.start < cut < one.stop and one.stop - one.start < MOST_GROWING]:
            cut = min(one.start for one in growing)
        ready = [one for one in fresh if one.start < cut]
        return self._release(cut, ready, ms)

    def _release(self, cut: int, ready: Sequence[Finding], ms: float) -> Passed:
        """Pass on up to `cut`, with placeholders, or up to the first finding that ends the stream."""
        self._found += ready
        if ready or self._failures:
            decision = self._decide(ready)
            self._remember(ready)
            if _ends(decision):
                self.ended = decision
                strict = {id(one.finding) for one in decision.findings if one.act.strictness >= Act.REPLACE.strictness}
                cut = min((one.start for one in ready if id(one) in strict), default=self._out)
            redact = {id(one) for one in decision.redact}
        else:
            redact = set()
        parts, at = [], self._out
        chosen = [one for one in ready if id(one) in redact and one.start < cut]
        for one in sorted(chosen, key=lambda one: (one.start, -one.stop)):
            if one.start < at:
                continue
            parts += [self._slice(at, one.start), self._mark(one)]
            at = one.stop
        if at < cut:
            parts.append(self._slice(at, cut))
        self._pass(max(at, cut) if not self.ended else cut, ms)
        return Passed("".join(parts), tuple(ready), self.ended)

    def _slice(self, start: int, stop: int) -> str:
        return self._text[start - self._base : stop - self._base]

    def _pass(self, out: int, ms: float) -> None:
        """Count how long these characters waited, and forget what lies far behind."""
        at, self._out = self._out, max(self._out, out)
        while self._arrived and at < self._out:
            until, came_ms = self._arrived[0]
            size, waited = min(until, self._out) - at, max(ms - came_ms, 0.0)
            self.delay.characters += size
            self.delay.total_ms += size * waited
            self.delay.most_ms = max(self.delay.most_ms, waited)
            at += size
            if until > self._out:
                break
            self._arrived.popleft()
        if not self._reach:
            self._text, self._base = self._text[self._out - self._base :], self._out
        elif self._out - self._base > 2 * CONTEXT:
            keep = self._out - CONTEXT
            self._text, self._base = self._text[keep - self._base :], keep


def _shifted(found: Finding, by: int) -> Finding:
    if not by:
        return found
    return Finding(
        found.family, found.kind, found.side, found.place, found.start + by, found.stop + by, found.confidence,
        found.detector, found.policy,
    )  # fmt: skip


def _ends(decision: Decision) -> bool:
    return decision.act.strictness >= Act.REPLACE.strictness
