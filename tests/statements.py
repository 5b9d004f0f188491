"""What a piece of work asks of its database, and whether an index answers it: numbers of statements, not seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, sessionmaker

Said = list[tuple[str, Any]]


@contextmanager
def listening() -> Iterator[Said]:
    """Every statement of this process while the block lasts, with its parameters."""
    said: Said = []

    def note(
        _connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        said.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def plans(said: Said, rows: sessionmaker[Session], about: str) -> list[str]:
    """How SQLite would execute the SELECTs that mention a table: a step a line, the statement's beginning before it."""
    found = []
    with rows() as session:
        for statement, parameters in said:
            if statement.startswith("SELECT") and about in statement:
                raw = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                found += [f"{step.detail}  <- {' '.join(statement.split())[-300:]}" for step in raw]
    return found
