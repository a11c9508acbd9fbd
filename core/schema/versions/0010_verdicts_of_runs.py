"""Runs remember whether they met their thresholds."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("experiment", sa.Column("passed", sa.Boolean(), nullable=True))
