"""How old the data are and may be, how long runs usually take

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from panel.models.base import UtcDateTime


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("grace_minutes", sa.Integer(), server_default="60", nullable=False),
        sa.Column("fresh_hours", sa.Integer(), server_default="0", nullable=False),
        sa.Column("renewal_due_at", UtcDateTime(), nullable=True),
        sa.Column("data_as_of", UtcDateTime(), nullable=True),
        sa.Column("usual_seconds", sa.Float(), nullable=True),
    ):
        op.add_column("data_syncs", column)
    op.add_column("sync_runs", sa.Column("data_as_of", UtcDateTime(), nullable=True))
    op.add_column("sync_runs", sa.Column("unusual", sa.String(8), nullable=True))
    # What is there was asked for when the last success began; what should
    # renew it, the engine says at its next turn.
    op.execute(
        """
        UPDATE data_syncs SET data_as_of = coalesce(
            (
                SELECT max(started_at) FROM sync_runs
                WHERE sync_runs.sync_id = data_syncs.id AND sync_runs.status = 'success'
                AND sync_runs.finished_at = data_syncs.last_success_at
            ),
            last_success_at
        )
        """
    )
