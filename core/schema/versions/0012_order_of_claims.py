"""The index of what may be claimed has the very order in which it is: the first of it is found without sorting."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_OPEN = "decided_at IS NULL AND closed_at IS NULL"


def upgrade() -> None:
    op.drop_index("ix_review_slot_open", table_name="review_slot")
    op.create_index(
        "ix_review_slot_open",
        "review_slot",
        ["queue_id", "lane", "weight", "created_at", "item_id"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
