"""Holds the place of the revision before the next."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pass
