"""Change marks: a number per topic that grows whenever its rows change, so that caches know when to read again."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Field, Session, SQLModel


class ChangeMark(SQLModel, table=True):
    __tablename__ = "change_mark"

    topic: str = Field(primary_key=True)
    number: int = 0


def bump(session: Session, topic: str) -> None:
    """Tell every process that rows of `topic` changed (in the caller's transaction)."""
    session.execute(
        text(
            "INSERT INTO change_mark (topic, number) VALUES (:topic, 1) "
            "ON CONFLICT (topic) DO UPDATE SET number = change_mark.number + 1"
        ),
        {"topic": topic},
    )


def turn(session: Session, topic: str) -> None:
    """Wait until nobody else is changing rows of `topic`; what they did is seen from here on, and they wait for us.

    For actions whose check a second person could overtake: that a role is not there yet, that a name is free.
    """
    session.execute(
        text(
            "INSERT INTO change_mark (topic, number) VALUES (:topic, 0) "
            "ON CONFLICT (topic) DO UPDATE SET number = change_mark.number"
        ),
        {"topic": topic},
    )


def read(session: Session) -> dict[str, int]:
    """The mark of every topic."""
    rows = session.execute(text("SELECT topic, number FROM change_mark")).all()
    return dict(rows)
