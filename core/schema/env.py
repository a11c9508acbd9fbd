"""Run by alembic: everything is configured by `migrate.upgrade` before it gets here."""

from alembic import context

with context.begin_transaction():
    context.run_migrations()
