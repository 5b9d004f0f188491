"""Looking into a destination from the control plane's processes, through Python's own SQLite.

The data plane writes through apsw, which brings an SQLite of its own; the panel reads through SQLAlchemy and Python's.
Two copies of SQLite in one process undo each other's file locks whenever either closes a file
(https://www.sqlite.org/howtocorrupt.html, 2.2.1): a reader then sees a database "malformed" that is whole, or worse.
So what the panel's pages and commands ask of a destination goes through here, and never through apsw.
"""

import sqlite3
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from fetchers.core.errors import StorageError
from fetchers.core.store import sql

BUSY_SECONDS = 5.0


class FileReader:
    """An SQLite destination that is only read; `with` holds one view of it, though others write meanwhile."""

    def __init__(self, path: Path) -> None:
        # Not mode=ro: a WAL file that a killed process left may have to be taken in first.
        self._db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_SECONDS
        )
        self._db.execute("PRAGMA query_only = ON")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._db.execute(statement, tuple(values))

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Nothing is written here: SQLite refuses it."""
        self._db.executemany(statement, rows)

    def changes(self) -> int:
        """Always none."""
        return 0

    def set_busy_timeout(self, milliseconds: int) -> None:
        """How long to wait for a writer that holds the whole file."""
        self._db.execute(f"PRAGMA busy_timeout = {int(milliseconds)}")

    def hold_writers(self) -> None:
        """Begin a view during which nobody else writes either; nothing is written by it. Raises sqlite3.Error."""
        self._db.execute("PRAGMA query_only = OFF")  # else SQLite gives the writer's lock to nobody
        try:
            self._db.execute("BEGIN IMMEDIATE")
        finally:
            self._db.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @property
    def in_transaction(self) -> bool:
        """Whether one view is held."""
        return self._db.in_transaction

    def __enter__(self) -> "FileReader":
        self._db.execute("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("ROLLBACK")


def look_into(url: str) -> sql.Destination | None:
    """The destination, to be read by a process of the control plane; None if it is not there."""
    if sql.is_postgresql(url):
        from fetchers.core.store.postgres import reader

        return reader(url)
    path = sql.path_of(url)
    return FileReader(path) if path.is_file() else None


def let_go() -> None:
    """Close the connections to servers that wait for the next one who looks."""
    if "fetchers.core.store.postgres" in sys.modules:
        from fetchers.core.store.postgres import end_waiting

        end_waiting()


def unreadable(error: sqlite3.Error) -> StorageError:
    """What Python's SQLite said, in a sentence; never a value of a row."""
    busy = "locked" in str(error)
    why = "the database was locked by another process for too long" if busy else "the database cannot be read"
    return StorageError(f"Reading failed: {why}.", reason="busy" if busy else "other")
