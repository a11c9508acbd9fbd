"""Keys are for an application, or for a repository of prompts."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("api_key", sa.Column("scope", sa.String(), nullable=False, server_default="application"))
