"""Schedules by the academic calendar, and pauses that end by themselves

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from panel.models.base import UtcDateTime


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("data_syncs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("calendar_rules", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("paused_until", UtcDateTime(), nullable=True))
    op.create_table(
        "calendar_spans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_spans")),
    )
    op.create_index("ix_calendar_spans_kind_first", "calendar_spans", ["kind", "first"], unique=False)
    op.create_table(
        "calendar_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("working_days", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_settings")),
    )
