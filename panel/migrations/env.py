"""Alembic's doorway. The connection, and its one transaction, come from `panel.migrations`."""

from alembic import context

from panel.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True
)
with context.begin_transaction():
    context.run_migrations()
