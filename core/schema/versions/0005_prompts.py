"""Prompts with versions and labels; a call, and what is reviewed of it, knows the version that was asked.

A verdict names its rubric beside the wording: until now the number of a wording was one of the queue's rubric.
"""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0005"
down_revision = "0004"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _index_where(name: str, table: str, columns: list[str], only: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(only), postgresql_where=sa.text(only))


def upgrade() -> None:
    op.create_table(
        "prompt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("tags", types.Json(), nullable=False),
        sa.Column("newest", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("archived_at", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "name", name="uq_prompt_name"),
    )
    op.create_table(
        "prompt_version",
        sa.Column("prompt_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("content", types.Json(), nullable=False),
        sa.Column("pinned", types.Json(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("prompt_id", "number"),
    )
    op.create_table(
        "prompt_label",
        sa.Column("prompt_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("moved_by", sa.String(), nullable=False),
        sa.Column("moved_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("prompt_id", "label"),
    )
    op.create_table(
        "prompt_move",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=True),
        sa.Column("after", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("moved_by", sa.String(), nullable=False),
        sa.Column("moved_at", types.UtcDateTime(), nullable=False),
        sa.Column("request_id", BIG_KEY, nullable=True),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_prompt_move_prompt", "prompt_move", ["prompt_id", "id"], unique=False)
    op.create_table(
        "prompt_request",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("prompt_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=True),
        sa.Column("after", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("evidence", types.Json(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", types.UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", types.UtcDateTime(), nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_prompt_request_prompt", "prompt_request", ["prompt_id", "id"], unique=False)
    _index_where("uq_prompt_request_open", "prompt_request", ["prompt_id", "label"], "state = 'open'", unique=True)
    op.create_table(
        "prompt_protection",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("set_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("project_id", "label"),
    )
    for table in ("call", "review_item"):
        op.add_column(table, sa.Column("prompt_id", sa.Integer(), nullable=True))
        op.add_column(table, sa.Column("prompt_version", sa.Integer(), nullable=True))
    for table in ("review_item", "review_decision", "review_slot"):
        op.add_column(table, sa.Column("rubric_id", sa.Integer(), nullable=True))
    op.add_column("review_slot", sa.Column("rubric_version", sa.Integer(), nullable=True))
    _index_where("ix_call_prompt", "call", ["project_id", "prompt_id", "prompt_version", "id"], "prompt_id IS NOT NULL")
    _index_where("ix_review_item_prompt", "review_item", ["prompt_id", "prompt_version"], "prompt_id IS NOT NULL")
