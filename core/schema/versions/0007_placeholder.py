"""A place for what comes before."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing."""
