"""How long the change diary keeps what a source did

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("data_syncs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("diary_days", sa.Integer(), nullable=False, server_default="1095"))
