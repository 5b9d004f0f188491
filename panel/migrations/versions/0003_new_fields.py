"""What becomes of fields that a gateway begins to send, and what was last heard of them

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("data_syncs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("new_fields", sa.String(length=8), nullable=False, server_default="add"))
        batch_op.add_column(sa.Column("schema_news", sa.JSON(), nullable=True))
