"""${message}."""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
