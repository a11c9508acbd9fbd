"""A comparison puts the answers of an experiment before people, and its questions can fill prompts."""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("comparison", sa.Column("run_id", sa.BigInteger(), nullable=True))
    op.add_column("compare_question", sa.Column("variables", types.Json(), nullable=False, server_default="{}"))
    op.create_index("ix_compare_answer_call", "compare_answer", ["call_id"])
    op.create_index("ix_comparison_run", "comparison", ["run_id"])
    op.create_index("ix_experiment_dataset", "experiment", ["dataset_id", "id"])
