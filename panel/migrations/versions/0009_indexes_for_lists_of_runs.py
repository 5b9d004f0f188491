"""Indexes for lists of runs by status, of one source and of all: with 300,000 runs, their pages would take seconds

Revision ID: 0009
Revises: 0008
"""

from alembic import op


revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_sync_runs_status_id", "sync_runs", ["status", "id"], unique=False)
    op.create_index("ix_sync_runs_sync_id_status_id", "sync_runs", ["sync_id", "status", "id"], unique=False)
