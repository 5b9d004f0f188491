"""What people decide about a hold, and which run another one is about

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from panel.models.base import UtcDateTime
from panel.models.guards import create_guards


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sync_runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("about_run_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("decision", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("decided_by", sa.String(length=150), nullable=True))
        batch_op.add_column(sa.Column("decided_at", UtcDateTime(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_sync_runs_about_run_id"), "sync_runs", ["about_run_id"], ["id"], ondelete="SET NULL"
        )
    with op.batch_alter_table("data_syncs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paused_reason", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("hold_days", sa.Integer(), nullable=False, server_default="7"))
    # Batch mode rebuilt the table on SQLite, and with it went the trigger.
    create_guards(op.get_bind())
