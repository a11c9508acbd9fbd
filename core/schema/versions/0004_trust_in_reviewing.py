"""Known verdicts, coverage, many decided at once, personal habits of reviewers; feedback is read by project."""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0004"
down_revision = "0003"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("review_queue", sa.Column("coverage_percent", sa.Integer(), nullable=False, server_default="100"))
    op.add_column("review_item", sa.Column("gold_at", types.UtcDateTime(), nullable=True))
    op.create_index(
        "ix_review_item_gold",
        "review_item",
        ["queue_id", "id"],
        sqlite_where=sa.text("gold_at IS NOT NULL"),
        postgresql_where=sa.text("gold_at IS NOT NULL"),
    )
    op.add_column("review_decision", sa.Column("bulk_id", sa.BigInteger(), nullable=True))
    op.create_table(
        "review_habit",
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("blurs", sa.Boolean(), nullable=False),
        sa.Column("auto_next", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("reviewer"),
    )
    op.create_table(
        "review_exposure",
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["review_item.id"]),
        sa.PrimaryKeyConstraint("reviewer", "item_id"),
    )
    op.create_index("ix_review_exposure_at", "review_exposure", ["reviewer", "at"], unique=False)
    op.create_table(
        "review_bulk",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("population", sa.Integer(), nullable=False),
        sa.Column("sample", types.Json(), nullable=False),
        sa.Column("decided", sa.Integer(), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["review_queue.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_review_bulk_by", "review_bulk", ["by", "id"], unique=False)
    op.create_index("ix_feedback_project", "feedback", ["project_id", "id"], unique=False)
