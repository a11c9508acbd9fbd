"""Live tests: their settings and events, the units and calls of each arm, and the interval hour by hour."""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0009"
down_revision = "0008"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "trial",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("arms", types.Json(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("conditions", types.Json(), nullable=False),
        sa.Column("layer", sa.String(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=False),
        sa.Column("slice_tag", sa.String(), nullable=False),
        sa.Column("measures", types.Json(), nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("coverage", sa.Integer(), nullable=False),
        sa.Column("ramp_hours", sa.Integer(), nullable=False),
        sa.Column("stepped_at", types.UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=True),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.Column("ending", sa.String(), nullable=False),
        sa.Column("looked_at", types.UtcDateTime(), nullable=True),
        sa.Column("report", types.Json(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "name", name="uq_trial_name"),
    )
    op.create_index("ix_trial_state", "trial", ["state"])
    op.create_table(
        "trial_event",
        sa.Column("id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("detail", types.Json(), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trial.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_trial_event_trial", "trial_event", ["trial_id", "id"])
    op.create_table(
        "trial_call",
        sa.Column("call_id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("is_fallback", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index("ix_trial_call_trial", "trial_call", ["trial_id", "call_id"])
    op.create_table(
        "trial_unit",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("arm", sa.Integer(), nullable=False),
        sa.Column("first_at", types.UtcDateTime(), nullable=False),
        sa.Column("slice", sa.String(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("flagged", sa.Integer(), nullable=False),
        sa.Column("fallbacks", sa.Integer(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", types.Usd(), nullable=False),
        sa.Column("before_calls", sa.Integer(), nullable=True),
        sa.Column("before_errors", sa.Integer(), server_default="0", nullable=False),
        sa.Column("before_tokens_out", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("before_cost_usd", types.Usd(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "unit", "arm"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trial_look",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("hour", types.UtcDateTime(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "hour"),
    )
    op.create_table(
        "trial_holdout",
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("buckets", sa.Integer(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("set_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("project_id"),
    )
