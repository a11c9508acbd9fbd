"""What reviewers are asked, and how a queue works: worded by leads, every wording kept, changes told to the trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.errors import Conflict, Invalid, NotFound
from core.people.rules import Permission, Principal, require
from core.review import standing
from core.review.rules import State
from core.review.tables import ReviewItem, ReviewQueue, Rubric, RubricVersion

MOST_QUESTIONS, MOST_REASONS = 20, 40
LONGEST_POLICY = 20_000
_NUMBERS = {
    "reviewers": (1, 9, "people who look at each answer"),
    "most_reviewers": (1, 9, "people at most"),
    "service_level_s": (60, 30 * 86_400, "seconds until an answer should be decided"),
    "lease_s": (30, 3_600, "seconds an answer stays in one person's hands"),
    "undo_s": (0, 300, "seconds in which a verdict can be taken back"),
    "gold_percent": (0, 50, "percent of claims that test a reviewer"),
    "coverage_percent": (0, 100, "percent of answers that more than one person looks at"),
}


class Question(BaseModel):
    """One typed question. A scale has `steps` with what its two ends mean; a choice has its `options`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80)
    kind: Literal["scale", "yes or no", "choice", "text"] = "scale"
    hint: str = Field(default="", max_length=500)
    steps: int = Field(default=5, ge=2, le=10)
    low: str = Field(default="", max_length=120)
    high: str = Field(default="", max_length=120)
    options: tuple[str, ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _has_options(self) -> Question:
        if self.kind == "choice" and len(set(self.options)) < 2:
            raise ValueError("a choice needs at least two different options")
        return self


class Reason(BaseModel):
    """A code people choose to say why, and the words that explain it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(min_length=1, max_length=64)
    meaning: str = Field(default="", max_length=300)


@dataclass(frozen=True, slots=True)
class RubricRow:
    """A rubric as it is worded now."""

    id: int
    name: str
    version: int
    questions: tuple[Question, ...]
    reasons: tuple[Reason, ...]
    policy_text: str


def word(
    session: Session,
    *,
    project_id: int,
    name: str,
    questions: Sequence[Mapping[str, Any]],
    reasons: Sequence[Mapping[str, Any]],
    policy_text: str,
    by: Principal,
    at: datetime,
) -> int:
    """Word a rubric, or word it anew: the version that items are sent under from now on; its number.

    Raises: Invalid, naming what cannot be used; NotAllowed.
    """
    require(by, Permission.REVIEW_CHANGE, project_id)
    name, policy_text = rows.text(name).strip(), rows.text(policy_text)
    questions, reasons = rows.plain(list(questions)), rows.plain(list(reasons))
    if not name or len(name) > 64:
        raise Invalid("A rubric's name is 1 to 64 characters.", hint="For example: Answers to customers.")
    asked, given = _questions(questions), _reasons(reasons)
    if len(policy_text) > LONGEST_POLICY:
        raise Invalid(f"The text of the policy is longer than {LONGEST_POLICY:,} characters.", hint="Shorten it.")
    same = select(Rubric).where(Rubric.project_id == project_id, Rubric.name == name).with_for_update()
    row = session.exec(same).one_or_none()
    is_new = row is None and _made(session, made := Rubric(project_id=project_id, name=name))
    if is_new:
        row = made
    else:
        row = row or session.exec(same).one()  # somebody has worded it between the two
        row.version += 1
        session.add(row)
    assert row.id is not None
    session.add(
        RubricVersion(
            rubric_id=row.id,
            version=row.version,
            questions=[one.model_dump(mode="json") for one in asked],
            reasons=[one.model_dump(mode="json") for one in given],
            policy_text=policy_text.strip(),
            made_by=by.actor,
            made_at=at,
        )
    )
    session.flush()
    told = {"version": row.version, "questions": [one.name for one in asked], "reasons": [one.code for one in given]}
    audit.append(
        session, by=by, at=at, action="rubric.worded", target=f"rubric:{row.id}", project_id=project_id, after=told
    )
    return row.id


def _made(session: Session, row: Rubric | ReviewQueue) -> bool:
    """Whether it was made: nobody has made one of this name at the same moment."""
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        return False
    return True


def rubrics(session: Session, *, project_ids: Sequence[int]) -> tuple[RubricRow, ...]:
    """The rubrics of these projects by name, as they are worded now."""
    query = (
        select(Rubric, RubricVersion)
        .join(RubricVersion, col(RubricVersion.rubric_id) == col(Rubric.id))
        .where(col(Rubric.project_id).in_(project_ids), col(RubricVersion.version) == col(Rubric.version))
        .order_by(Rubric.name)
    )
    return tuple(
        RubricRow(
            row.id or 0,
            row.name,
            row.version,
            tuple(Question.model_validate(one) for one in version.questions),
            tuple(Reason.model_validate(one) for one in version.reasons),
            version.policy_text,
        )
        for row, version in session.exec(query)
    )


def open_queue(
    session: Session,
    *,
    project_id: int,
    name: str,
    by: Principal,
    at: datetime,
    reviewers: int = 1,
    most_reviewers: int = 3,
    service_level_s: int = 3_600,
    lease_s: int = 300,
    undo_s: int = 10,
    is_blind: bool = True,
    gold_percent: int = 0,
    coverage_percent: int = 100,
) -> ReviewQueue:
    """Raises: Invalid, Conflict, NotAllowed."""
    require(by, Permission.REVIEW_CHANGE, project_id)
    name = rows.text(name).strip()
    if not name or len(name) > 64:
        raise Invalid("A queue's name is 1 to 64 characters.", hint="For example: Answers about refunds.")
    if not 1 <= reviewers <= most_reviewers <= 9:
        raise Invalid(
            "An item needs 1 to 9 reviewers, and the most it may get is no fewer.",
            hint="For example 2 reviewers, and up to 3 while they disagree.",
        )
    queue = ReviewQueue(
        project_id=project_id,
        name=name,
        reviewers=reviewers,
        most_reviewers=most_reviewers,
        service_level_s=service_level_s,
        lease_s=lease_s,
        undo_s=undo_s,
        is_blind=is_blind,
        gold_percent=gold_percent,
        coverage_percent=coverage_percent,
        created_at=at,
    )
    if not _made(session, queue):
        raise Conflict(f"There is a queue named {name!r} already.", hint="Choose another name.")
    audit.append(
        session,
        by=by,
        at=at,
        action="queue.opened",
        target=f"queue:{queue.id}",
        project_id=project_id,
        after=queue.model_dump(exclude={"created_at"}),
    )
    return queue


def change_queue(
    session: Session,
    *,
    queue_id: int,
    expected_version: int,
    changes: Mapping[str, Any],
    by: Principal,
    at: datetime,
) -> ReviewQueue:
    """Change how a queue works: its numbers, its rubric, whether it is open, whether reviewers judge independently.

    Items that wait keep the number of people they were sent for, and are asked what another rubric asks; who has one
    in hand goes on with the questions they see.

    Raises: NotFound, NotAllowed, Invalid, Conflict when somebody changed the queue meanwhile.
    """
    queue = session.exec(select(ReviewQueue).where(ReviewQueue.id == queue_id).with_for_update()).one_or_none()
    if queue is None or not by.may(Permission.CALLS_READ, queue.project_id):
        raise NotFound("There is no such queue.", hint="Choose one of the queues of this project.")
    require(by, Permission.REVIEW_CHANGE, queue.project_id)
    if queue.version != expected_version:
        raise Conflict("Someone else changed this queue meanwhile.", hint="Look at it as it is now, then change it.")
    before = queue.model_dump(include=set(changes))
    for name, value in changes.items():
        _check(name, value)
        setattr(queue, name, value)
    if queue.reviewers > queue.most_reviewers:
        raise Invalid(
            "An answer cannot need more reviewers than it may get.", hint="Raise the most, or ask for fewer people."
        )
    if queue.rubric_id is not None:
        owner = session.exec(select(Rubric.project_id).where(Rubric.id == queue.rubric_id)).one_or_none()
        if owner != queue.project_id:
            raise NotFound("There is no such rubric.", hint="Choose one of the rubrics of this project.")
    queue.version += 1
    session.add(queue)
    session.flush()
    if before.get("rubric_id", queue.rubric_id) != queue.rubric_id:
        _ask_anew(session, queue)
    audit.append(
        session,
        by=by,
        at=at,
        action="queue.changed",
        target=f"queue:{queue.id}",
        project_id=queue.project_id,
        before=before,
        after=dict(changes),
    )
    return queue


def _ask_anew(session: Session, queue: ReviewQueue) -> None:
    """What can still be judged is judged by the queue's new rubric: a wording's number means nothing in another."""
    asked = standing.wording(session, queue.rubric_id)
    session.execute(
        update(ReviewItem)
        .where(
            col(ReviewItem.queue_id) == queue.id,
            or_(col(ReviewItem.state).in_((State.WAITING, State.SETTLED)), col(ReviewItem.gold_at).is_not(None)),
        )
        .values(rubric_id=asked.rubric_id, rubric_version=asked.version)
    )


def _check(name: str, value: Any) -> None:
    if name in _NUMBERS:
        least, most, words = _NUMBERS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Invalid(f"The {words} are a whole number from {least:,} to {most:,}.", param=name)
    elif name not in ("rubric_id", "is_open", "is_blind"):
        raise Invalid(f"A queue has no {name!r}.", param=name)


def _questions(given: Sequence[Mapping[str, Any]]) -> tuple[Question, ...]:
    made = _read(Question, given, "Question", MOST_QUESTIONS)
    if len({one.name for one in made}) < len(made):
        raise Invalid("Two questions have the same name.", hint="Give each its own.")
    return made


def _reasons(given: Sequence[Mapping[str, Any]]) -> tuple[Reason, ...]:
    made = _read(Reason, given, "Reason", MOST_REASONS)
    if len({one.code for one in made}) < len(made):
        raise Invalid("Two reasons have the same code.", hint="Give each its own.")
    return made


def _read(model: Any, given: Sequence[Mapping[str, Any]], what: str, most: int) -> tuple[Any, ...]:
    if len(given) > most:
        raise Invalid(f"There are more than {most} {what.lower()}s.", hint="Leave some out.")
    made = []
    for number, one in enumerate(given, 1):
        try:
            made.append(model.model_validate(one))
        except ValidationError as error:
            first = error.errors()[0]
            said = first["msg"].removeprefix("Value error, ")
            place = ".".join(str(step) for step in first["loc"])
            where = f" ({place})" if place else ""
            raise Invalid(f"{what} {number} cannot be used{where}: {said[:1].lower()}{said[1:200]}.") from None
    return tuple(made)


def word_lines(
    session: Session,
    *,
    project_id: int,
    name: str,
    questions: str,
    reasons: str,
    policy_text: str,
    by: Principal,
    at: datetime,
) -> int:
    """Word a rubric from what a person typed, a question or a reason a line. Raises: as `word`."""
    told: dict[str, Any] = {"questions": questions_of(questions), "reasons": reasons_of(reasons)}
    return word(session, project_id=project_id, name=name, policy_text=policy_text, by=by, at=at, **told)


# A rubric as lines of text: what people type, one question or reason a line.


def questions_of(text: str) -> list[dict[str, Any]]:
    """Questions from lines `Tone | scale 5 | rude | kind`, `Correct? | yes or no`, `Error | choice | facts, tone`,
    `Notes | text`; a line with a name alone is a scale of five. Raises: Invalid, naming the line."""
    return [_question_of(line, number) for number, line in enumerate(_lines(text), 1)]


def reasons_of(text: str) -> list[dict[str, Any]]:
    """Reasons from lines `code: what it means`."""
    pairs = [line.partition(":") for line in _lines(text)]
    return [{"code": code.strip(), "meaning": meaning.strip()} for code, _, meaning in pairs]


def as_lines(rubric: RubricRow) -> tuple[str, str]:
    """Questions and reasons as they are typed."""
    questions = []
    for one in rubric.questions:
        words = {
            "scale": f"scale {one.steps} | {one.low} | {one.high}",
            "yes or no": "yes or no",
            "choice": f"choice | {', '.join(one.options)}",
            "text": "text",
        }
        questions.append(f"{one.name} | {words[one.kind]}")
    reasons = [f"{one.code}: {one.meaning}" if one.meaning else one.code for one in rubric.reasons]
    return "\n".join(questions), "\n".join(reasons)


def _question_of(line: str, number: int) -> dict[str, Any]:
    name, *rest = (part.strip() for part in line.split("|"))
    kind = (rest[0] if rest else "scale 5").lower()
    if kind in ("yes or no", "text"):
        return {"name": name, "kind": kind}
    if kind == "choice" and len(rest) > 1:
        return {"name": name, "kind": kind, "options": [one.strip() for one in rest[1].split(",") if one.strip()]}
    word, _, steps = kind.partition(" ")
    if word == "scale" and (not steps or steps.isdecimal()):
        ends = [*rest[1:3], "", ""]
        return {"name": name, "kind": "scale", "steps": int(steps or 5), "low": ends[0], "high": ends[1]}
    raise Invalid(
        f"Line {number} of the questions cannot be read: {line[:80]!r}.",
        hint="Write a name, then | and one of: scale 5, yes or no, choice | a, b, text.",
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
