"""Runs over datasets: variants, cells, scores."""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0007"
down_revision = "0006"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "experiment",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("dataset_version", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(), nullable=True),
        sa.Column("arms", types.Json(), nullable=False),
        sa.Column("scorers", types.Json(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column("cap_usd", types.Usd(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("cells", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.Column("spent_usd", types.Usd(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=True),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_experiment_project", "experiment", ["project_id", "id"], unique=False)
    op.create_index(
        "ix_experiment_running", "experiment", ["lease_until"], unique=False,
        sqlite_where=sa.text("state = 'running'"), postgresql_where=sa.text("state = 'running'"),
    )  # fmt: skip
    op.create_table(
        "experiment_cell",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("item_key", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=True),
        sa.Column("cost_usd", types.Usd(), nullable=True),
        sa.Column("total_ms", sa.Float(), nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("ended_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "item_key", "arm", "repeat"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_experiment_cell_failed", "experiment_cell", ["run_id", "item_key"], unique=False,
        sqlite_where=sa.text("state = 'failed'"), postgresql_where=sa.text("state = 'failed'"),
    )  # fmt: skip
    op.create_table(
        "experiment_score",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("scorer", sa.String(), nullable=False),
        sa.Column("item_key", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("details", types.Json(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "scorer", "item_key", "arm", "repeat"),
        sqlite_with_rowid=False,
    )
