"""Blind comparisons: contestants, questions, answers, the pairs put before people, and the sums of votes."""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0008"
down_revision = "0007"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = "choice IS NULL AND skipped_at IS NULL"


def _index_where(name: str, table: str, columns: list[str], only: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(only), postgresql_where=sa.text(only))


def _of_comparison() -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    return (
        sa.Column("comparison_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["comparison_id"], ["comparison.id"]),
    )


def upgrade() -> None:
    op.create_table(
        "comparison",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("reasons", types.Json(), nullable=False),
        sa.Column("voters", types.Json(), nullable=False),
        sa.Column("stays_hidden", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("closed_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "name", name="uq_comparison_name"),
    )
    op.create_table(
        "compare_contestant",
        sa.Column("id", sa.Integer(), nullable=False),
        *_of_comparison(),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("parameters", types.Json(), nullable=False),
        sa.Column("own_names", types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("comparison_id", "name", name="uq_compare_contestant_name"),
    )
    op.create_table(
        "compare_question",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        *_of_comparison(),
        sa.Column("messages", types.Json(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("comparison_id", "digest", name="uq_compare_question"),
    )
    op.create_table(
        "compare_answer",
        sa.Column("question_id", sa.BigInteger(), nullable=False),
        sa.Column("contestant_id", sa.Integer(), nullable=False),
        *_of_comparison(),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("named", types.Json(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=True),
        sa.Column("made_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["question_id"], ["compare_question.id"]),
        sa.ForeignKeyConstraint(["contestant_id"], ["compare_contestant.id"]),
        sa.PrimaryKeyConstraint("question_id", "contestant_id"),
    )
    op.create_index("ix_compare_answer_contestant", "compare_answer", ["contestant_id", "state"], unique=False)
    op.create_index("ix_compare_answer_comparison", "compare_answer", ["comparison_id", "state"], unique=False)
    _index_where("ix_compare_answer_waiting", "compare_answer", ["question_id"], "state = 'waiting'")
    op.create_table(
        "compare_pair",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        *_of_comparison(),
        sa.Column("question_id", sa.BigInteger(), nullable=False),
        sa.Column("left_id", sa.Integer(), nullable=False),
        sa.Column("right_id", sa.Integer(), nullable=False),
        sa.Column("low_id", sa.Integer(), nullable=False),
        sa.Column("high_id", sa.Integer(), nullable=False),
        sa.Column("voter", sa.String(), nullable=False),
        sa.Column("draw", sa.Float(), nullable=False),
        sa.Column("is_named", sa.Boolean(), nullable=False),
        sa.Column("served_at", types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=False),
        sa.Column("choice", sa.String(), nullable=True),
        sa.Column("reasons", types.Json(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("decided_at", types.UtcDateTime(), nullable=True),
        sa.Column("skipped_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["question_id"], ["compare_question.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("voter", "question_id", "low_id", "high_id", name="uq_compare_pair"),
    )
    _index_where("uq_compare_pair_open", "compare_pair", ["comparison_id", "voter"], OPEN, unique=True)
    op.create_index("ix_compare_pair_comparison", "compare_pair", ["comparison_id", "id"], unique=False)
    op.create_index("ix_compare_pair_cell", "compare_pair", ["comparison_id", "low_id", "high_id", "id"], unique=False)
    op.create_table(
        "compare_count",
        *_of_comparison(),
        sa.Column("low_id", sa.Integer(), nullable=False),
        sa.Column("high_id", sa.Integer(), nullable=False),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("is_named", sa.Boolean(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("comparison_id", "low_id", "high_id", "choice", "is_named"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "compare_voter",
        *_of_comparison(),
        sa.Column("voter", sa.String(), nullable=False),
        sa.Column("low_id", sa.Integer(), nullable=False),
        sa.Column("high_id", sa.Integer(), nullable=False),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("is_named", sa.Boolean(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("comparison_id", "voter", "low_id", "high_id", "choice", "is_named"),
        sqlite_with_rowid=False,
    )
