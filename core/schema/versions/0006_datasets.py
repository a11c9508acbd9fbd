"""Datasets get versions, splits, cards, tags and notes; an item has a key that stays when it is edited."""

import sqlalchemy as sa
from alembic import op

from core.datasets import sameness
from core.db import types

revision = "0006"
down_revision = "0005"

DRAFT = "until_version IS NULL"
PER_READ = 500


def upgrade() -> None:
    op.add_column("dataset", sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("dataset", sa.Column("card", types.Json(), nullable=False, server_default="{}"))
    op.add_column("dataset", sa.Column("plan", types.Json(), nullable=False, server_default="[]"))
    op.add_column("dataset", sa.Column("changed_by", sa.String(), nullable=False, server_default=""))
    op.add_column("dataset", sa.Column("changed_at", types.UtcDateTime(), nullable=True))
    op.create_table(
        "dataset_version",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("preferences", sa.Integer(), nullable=False),
        sa.Column("tunings", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.PrimaryKeyConstraint("dataset_id", "number"),
    )
    with op.batch_alter_table("dataset_item") as table:
        table.drop_constraint("uq_dataset_item_source", type_="unique")
        table.drop_index("ix_dataset_item_dataset")
        table.add_column(sa.Column("key", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("from_version", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("until_version", sa.Integer(), nullable=True))
        table.add_column(sa.Column("split", sa.String(), nullable=False, server_default=""))
        table.add_column(sa.Column("is_split_by_hand", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("tags", sa.String(), nullable=False, server_default=""))
        table.add_column(sa.Column("notes", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("words", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("input_hash", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("content_hash", sa.BigInteger(), nullable=False, server_default="0"))
    _fill()
    for name, columns, is_unique in (
        ("uq_dataset_item_source", ["dataset_id", "kind", "source"], True),
        ("uq_dataset_item_key", ["dataset_id", "key"], True),
        ("ix_dataset_item_kind", ["dataset_id", "kind", "key"], False),
        ("ix_dataset_item_input", ["dataset_id", "kind", "input_hash"], False),
    ):
        only = sa.text(DRAFT)
        op.create_index(name, "dataset_item", columns, unique=is_unique, sqlite_where=only, postgresql_where=only)
    op.create_index("ix_dataset_item_dataset", "dataset_item", ["dataset_id", "key"])
    op.create_index("ix_dataset_item_from", "dataset_item", ["dataset_id", "from_version", "key"])
    op.create_index("ix_dataset_item_until", "dataset_item", ["dataset_id", "until_version", "key"])


def _fill() -> None:
    """Examples from before are the draft of the first version; a page at a time."""
    item = sa.Table(
        "dataset_item",
        sa.MetaData(),
        sa.Column("id", sa.BigInteger(), primary_key=True),
        sa.Column("kind", sa.String()),
        sa.Column("input", types.Json()),
        sa.Column("expected", types.Json()),
        sa.Column("key", sa.BigInteger()),
        sa.Column("words", sa.Text()),
        sa.Column("input_hash", sa.BigInteger()),
        sa.Column("content_hash", sa.BigInteger()),
    )
    store, last = op.get_bind(), -1
    while True:
        query = sa.select(item.c.id, item.c.kind, item.c.input, item.c.expected)
        found = store.execute(query.where(item.c.id > last).order_by(item.c.id).limit(PER_READ)).all()
        for row in found:
            store.execute(
                item.update()
                .where(item.c.id == row.id)
                .values(
                    key=row.id,
                    words=sameness.words(row.input, row.expected),
                    input_hash=sameness.input_hash(row.kind, row.input),
                    content_hash=sameness.content_hash(row.input, row.expected, "", "", ""),
                )
            )
        if len(found) < PER_READ:
            return
        last = found[-1].id
