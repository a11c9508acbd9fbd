"""A dataset goes back to a version and says so; an example says which file it is from, and what is attached to it.

What a system is told is in no words of an example any more: it hid what the others say.
"""

import sqlalchemy as sa
from alembic import op

from core.datasets import sameness
from core.db import types

revision = "0014"
down_revision = "0013"

PER_READ = 500


def upgrade() -> None:
    op.add_column("dataset", sa.Column("as_in", sa.Integer(), nullable=True))
    op.add_column("dataset_version", sa.Column("as_in", sa.Integer(), nullable=True))
    op.add_column("dataset_item", sa.Column("origin", sa.String(), nullable=False, server_default=""))
    op.add_column("dataset_item", sa.Column("files", types.Json(), nullable=False, server_default="{}"))
    _reword()


def _reword() -> None:
    item = sa.Table(
        "dataset_item",
        sa.MetaData(),
        sa.Column("id", sa.BigInteger(), primary_key=True),
        sa.Column("input", types.Json()),
        sa.Column("expected", types.Json()),
        sa.Column("words", sa.Text()),
    )
    said = sa.cast(item.c.input, sa.Text())
    has_system = said.contains('"system"') | said.contains('"developer"')
    store, last = op.get_bind(), -1
    while True:
        query = sa.select(item.c.id, item.c.input, item.c.expected).where(has_system, item.c.id > last)
        found = store.execute(query.order_by(item.c.id).limit(PER_READ)).all()
        if found:
            told = [{"of": row.id, "said": sameness.words(row.input, row.expected)} for row in found]
            changed = item.update().where(item.c.id == sa.bindparam("of")).values(words=sa.bindparam("said"))
            store.execute(changed, told)
        if len(found) < PER_READ:
            return
        last = found[-1].id
