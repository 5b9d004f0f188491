"""Promises that the database itself keeps: a run that has ended keeps its status.

The statements run after `sync_runs` is created by `Base.metadata.create_all` (tests); the migration calls
`create_guards` itself. Batch-mode migrations rebuild a table on SQLite and lose its triggers: call it again
after one.
"""

from sqlalchemy import DDL, Connection, event

from panel.models.runs import TERMINAL, SyncRun

_TERMINAL = ", ".join(f"'{status}'" for status in TERMINAL)

_SQLITE = (
    "DROP TRIGGER IF EXISTS sync_runs_terminal_stays",
    f"""
    CREATE TRIGGER sync_runs_terminal_stays
    BEFORE UPDATE OF status ON sync_runs
    WHEN OLD.status IN ({_TERMINAL}) AND NEW.status <> OLD.status
    BEGIN
        SELECT RAISE(ABORT, 'a run that has ended keeps its status');
    END
    """,
)

_POSTGRESQL = (
    f"""
    CREATE OR REPLACE FUNCTION sync_runs_terminal_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.status IN ({_TERMINAL}) AND NEW.status <> OLD.status THEN
            RAISE EXCEPTION 'a run that has ended keeps its status' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END
    $$
    """,
    "DROP TRIGGER IF EXISTS sync_runs_terminal_stays ON sync_runs",
    """
    CREATE TRIGGER sync_runs_terminal_stays BEFORE UPDATE OF status ON sync_runs
    FOR EACH ROW EXECUTE FUNCTION sync_runs_terminal_stays()
    """,
)


def create_guards(connection: Connection) -> None:
    """Create the triggers on this database; harmless when they are there already."""
    for statement in _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE:
        connection.execute(DDL(statement))


@event.listens_for(SyncRun.__table__, "after_create")
def _after_create(_table: object, connection: Connection, **_options: object) -> None:
    create_guards(connection)
