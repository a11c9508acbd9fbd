"""Run the detectors that the policies of a call ask for over its texts. One that breaks is told of, never hidden."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.guard import injection, language, leakage, length, links, names, personal, profanity, secrets, shape, wording
from core.guard.findings import Failure, Family, Finding, Hit, Passage, Side
from core.guard.policies import Policy

BOTH = frozenset(Side)
INPUT, OUTPUT = frozenset({Side.INPUT}), frozenset({Side.OUTPUT})
TRUSTED = frozenset({"system", "developer", "assistant"})  # who speaks for the application, not to it
LONGEST = 400_000  # characters of one text that are looked at; beyond, the detector says that it did not look

VERSIONS: Mapping[Family, str] = {
    Family.PERSONAL: personal.NAME,
    Family.SECRET: secrets.NAME,
    Family.INJECTION: injection.NAME,
    Family.TOPIC: wording.TOPIC_NAME,
    Family.WORD: wording.WORD_NAME,
    Family.PROFANITY: profanity.NAME,
    Family.LEAKAGE: leakage.NAME,
    Family.SHAPE: shape.NAME,
    Family.LANGUAGE: language.NAME,
    Family.LENGTH: length.NAME,
    Family.LINK: links.NAME,
}


@dataclass(frozen=True)
class Detector:
    """One detector as set for a policy (0: any). `reach` is how many characters after the beginning of a thing it may
    take to see it; 0 means that it must see the whole text."""

    family: Family
    name: str
    find: Callable[[str], list[Hit]]
    sides: frozenset[Side] = BOTH
    spared: frozenset[str] = frozenset()
    reach: int = 0
    policy: int = 0


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was found, and which detectors broke."""

    findings: tuple[Finding, ...] = ()
    failures: tuple[Failure, ...] = ()


def warm(families: Iterable[Family]) -> None:
    """Read what these families read from files the first time (word lists, the model of languages): half a second
    that must not be spent on an event loop. Call it in a thread whenever the policies in force have changed."""
    for family in families:
        if family is Family.PROFANITY:
            profanity.listed()
        elif family is Family.LANGUAGE:
            language.known()


def detectors(
    policies: Sequence[Policy], request: Sequence[Passage] = (), body: Mapping[str, Any] | None = None
) -> tuple[Detector, ...]:
    """What must run for these policies; `request` and `body` are what was asked, for leakage and shape."""
    made: dict[Any, Detector] = {}
    for policy in policies:
        for family in sorted(policy.families()):
            for detector in _of(family, policy, request, body or {}):
                made.setdefault((detector.name, detector.policy), detector)
    return tuple(made.values())


def scan(running: Iterable[Detector], passages: Iterable[Passage]) -> Scanned:
    """Run detectors over texts."""
    findings: list[Finding] = []
    failures: list[Failure] = []
    ready = tuple(running)
    for passage in passages:
        for detector in ready:
            if passage.side not in detector.sides or passage.role in detector.spared:
                continue
            try:
                if len(passage.text) > LONGEST and detector.family is not Family.LENGTH:
                    raise ValueError(f"the text is longer than {LONGEST:,} characters")
                hits = detector.find(passage.text)
            except Exception as error:
                said = f"{type(error).__name__}: {error}"[:300]
                failures.append(Failure(detector.family, passage.side, passage.place, detector.name, said))
                continue
            findings += [located(hit, passage, detector) for hit in hits]
    return Scanned(tuple(findings), tuple(failures))


def located(hit: Hit, passage: Passage, detector: Detector, *, shift: int = 0) -> Finding:
    """A hit as a finding; `shift` is where the text that was looked at begins in the whole."""
    return Finding(
        detector.family,
        hit.kind,
        passage.side,
        passage.place,
        hit.start + shift,
        hit.stop + shift,
        hit.confidence,
        detector.name,
        detector.policy,
    )


def _of(family: Family, policy: Policy, request: Sequence[Passage], body: Mapping[str, Any]) -> list[Detector]:
    """The detectors of one family as one policy sets them."""
    chosen, own = policy.settings, policy.id
    if family is Family.PERSONAL:
        made = [Detector(family, personal.NAME, personal.find, reach=personal.REACH)]
        if chosen.personal_kinds:
            only = functools.partial(_only, personal.find, frozenset(chosen.personal_kinds))
            made = [Detector(family, personal.NAME, only, reach=personal.REACH, policy=own)]
        return [*made, Detector(family, names.NAME, names.find, policy=own)] if chosen.names else made
    if family is Family.SECRET:
        return [Detector(family, secrets.NAME, secrets.find, reach=secrets.REACH)]
    if family is Family.INJECTION:
        return [Detector(family, injection.NAME, injection.find, spared=TRUSTED, sides=INPUT, reach=injection.REACH)]
    if family is Family.WORD:
        words = tuple((one.term, one.category) for one in chosen.words)
        find = functools.partial(wording.find_words, words=words, allowed=chosen.allowed_words)
        # spelt out, a term is about twice as long
        reach = max(wording.REACH, 20 + 2 * max((len(one.term) for one in chosen.words), default=0))
        return [Detector(family, wording.WORD_NAME, find, reach=reach, policy=own)]
    if family is Family.TOPIC:
        find = functools.partial(wording.find_topics, topics=chosen.topics_found(), allowed=chosen.allowed_words)
        return [Detector(family, wording.TOPIC_NAME, find, policy=own)]
    if family is Family.PROFANITY:
        find = functools.partial(profanity.find, languages=chosen.profanity_languages, least=chosen.profanity_least)
        return [Detector(family, profanity.NAME, find, reach=profanity.REACH, policy=own)]
    if family is Family.LEAKAGE:
        return [_leakage(policy, request)]
    if family is Family.SHAPE:
        schema = chosen.answer_schema or shape.schema_of(body)
        if schema is None:
            return []
        checks = functools.partial(shape.find, schema=schema)
        return [Detector(family, shape.NAME, checks, sides=OUTPUT, policy=own)]
    if family is Family.LANGUAGE:
        find = functools.partial(language.find, allowed=chosen.languages)
        return [Detector(family, language.NAME, find, spared=frozenset({"system", "developer", "tool"}), policy=own)]
    if family is Family.LENGTH:
        find = functools.partial(length.find, most=chosen.most_characters, fewest=chosen.fewest_characters)
        return [Detector(family, length.NAME, find, policy=own)]
    if family is Family.LINK:
        find = functools.partial(links.find, hosts=chosen.hosts)
        return [Detector(family, links.NAME, find, reach=links.REACH, policy=own)]
    return []  # a judge is asked over the network, by whoever may do so


def _leakage(policy: Policy, request: Sequence[Passage]) -> Detector:
    orders = [one.text for one in request if one.role in ("system", "developer")]
    asked = next((one.text for one in reversed(request) if one.role == "user"), "")
    given = leakage.source(orders, asked, policy.settings.canaries)
    find = functools.partial(leakage.find, given=given)
    reach = max(leakage.REACH, *(len(one) for one in policy.settings.canaries), 0)
    return Detector(Family.LEAKAGE, leakage.NAME, find, sides=OUTPUT, reach=reach, policy=policy.id)


def _only(find: Callable[[str], list[Hit]], kinds: frozenset[str], text: str) -> list[Hit]:
    return [hit for hit in find(text) if hit.kind in kinds]
