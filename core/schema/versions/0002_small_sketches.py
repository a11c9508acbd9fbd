"""Latency sketches of four-byte words instead of six-byte entries; on SQLite a usage row lies in one page now."""

import struct
from typing import Any

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0002"
down_revision = "0001"

KEY = ("project_id", "dimension", "hour", "value")
SKETCHES = ("total_ms", "first_token_ms")
COUNTS = ("calls", "errors", "cached", "estimated", "unpriced")
TOKENS = ("tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning")
LOWEST, MOST = -345, (1 << 20) - 1


def upgrade() -> None:
    for name in ("usage_hour", "usage_day"):
        if op.get_bind().dialect.name == "sqlite":
            op.rename_table(name, f"{name}_before")
            before = sa.Table(f"{name}_before", sa.MetaData(), *_columns())
            _fill(op.create_table(name, *_columns(), sa.PrimaryKeyConstraint(*KEY)), before)
            op.drop_table(before.name)
        else:
            _rewrite(sa.Table(name, sa.MetaData(), *_columns()))


def words(stored: bytes) -> bytes:
    """Entries of bucket (int16) and count (uint32) as words of bucket (12 bits) and count (20 bits)."""
    made = []
    for bucket, count in struct.iter_unpack("<hI", stored):
        head = bucket - LOWEST << 20
        made += [head | MOST] * (count // MOST)
        if count % MOST:
            made.append(head | count % MOST)
    return struct.pack(f"<{len(made)}I", *made)


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("dimension", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("hour", types.UtcDateTime(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in TOKENS),
        sa.Column("cost_usd", types.Usd(), nullable=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in SKETCHES),
    ]


def _fill(table: sa.Table, before: sa.Table) -> None:
    bind = op.get_bind()
    for row in bind.execute(sa.select(before)).mappings():
        bind.execute(sa.insert(table), {**row, **{name: words(row[name]) for name in SKETCHES}})


def _rewrite(table: sa.Table) -> None:
    bind = op.get_bind()
    columns = [table.c[name] for name in (*KEY, *SKETCHES)]
    for row in bind.execute(sa.select(*columns)).mappings().all():
        where = [table.c[name] == row[name] for name in KEY]
        bind.execute(sa.update(table).where(*where).values({name: words(row[name]) for name in SKETCHES}))
