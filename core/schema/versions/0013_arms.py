"""Live tests of several arms: each has a line through time of its own, and may be closed while the others go on."""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("trial", sa.Column("closed", types.Json(), nullable=False, server_default="{}"))
    op.rename_table("trial_look", "trial_look_before")
    op.create_table(
        "trial_look",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.Integer(), nullable=False),
        sa.Column("hour", types.UtcDateTime(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "arm", "hour", name="pk_trial_look"),
    )
    op.execute(
        "INSERT INTO trial_look (trial_id, arm, hour, n, value, low, high, sentence) "
        "SELECT trial_id, 1, hour, n, value, low, high, sentence FROM trial_look_before"
    )
    op.drop_table("trial_look_before")
