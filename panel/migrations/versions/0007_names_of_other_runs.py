"""Indexes on the columns that name another run, so that a run can be removed without reading all the others

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op


revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_sync_runs_about_run_id",
        "sync_runs",
        ["about_run_id"],
        unique=False,
        sqlite_where=sa.text("about_run_id IS NOT NULL"),
        postgresql_where=sa.text("about_run_id IS NOT NULL"),
    )
    op.create_index(
        "ix_skipped_ticks_run_id",
        "skipped_ticks",
        ["run_id"],
        unique=False,
        sqlite_where=sa.text("run_id IS NOT NULL"),
        postgresql_where=sa.text("run_id IS NOT NULL"),
    )
