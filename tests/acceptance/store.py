"""Looking into a destination from outside, whatever kind it is, and editing it by hand."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

ON_BOTH = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
# In the normal run with a file alone; on a server by `make faults`.
ON_BOTH_IN_TIME = pytest.mark.parametrize(
    "database",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])],
    indirect=True,
)
KEYS = {
    "faculty": ("id",),
    "student_terms": ("codePardis", "term", "studentnum"),
    "Students": ("studentnum",),
}


class Tables:
    """A destination, read and edited from outside. place: an SQLite file, or a server's address."""

    place: Path | str

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return look(self.place, statement, *values)[1]

    def table(self, table: str, key: tuple[str, ...] = ()) -> dict[tuple[Any, ...], dict[str, Any]]:
        """The rows of a table by their key; key: of a table that is none of the usual ones."""
        key = key or KEYS[table]
        columns, rows = look(self.place, f'SELECT * FROM "{table}"')
        # What the gateway sends besides (drift) is no part of the truth.
        extra = {
            str(name) for (name,) in self.rows("SELECT name FROM _hamgam_columns WHERE origin = 'discovered'")
        }
        found = (
            {name: value for name, value in zip(columns, row, strict=True) if name not in extra}
            for row in rows
        )
        return {tuple(row[column] for column in key): row for row in found}

    def write(self, statement: str, *values: Any) -> int:
        """An edit by hand; how many rows it touched."""
        if isinstance(self.place, Path):
            with closing(sqlite3.connect(self.place, timeout=30)) as db, db:
                return db.execute(statement, values).rowcount
        with psycopg.connect(plain(self.place)) as server:
            return server.execute(marked(statement), values).rowcount


class Store(Tables):
    """A destination alone."""

    def __init__(self, place: Path | str) -> None:
        self.place = place


def look(place: Path | str, statement: str, *values: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Ask a file, or a server at an address; columns and rows. Blobs are bytes from both."""
    if isinstance(place, Path):
        try:
            return _look(place, "ro", statement, *values)
        except sqlite3.OperationalError as error:
            # Killed while it made the file: only who may write can take back what is half written. Never at first:
            # who may write also takes a WAL in when it leaves, and the next run is to find what the killed one left.
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            return _look(place, "rw", statement, *values)
    with psycopg.connect(plain(place)) as server:
        found = server.execute(marked(statement), values)
        return [column.name for column in found.description or ()], found.fetchall()


def _look(place: Path, mode: str, statement: str, *values: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(f"file:{place}?mode={mode}", uri=True, timeout=30)) as db:
        cursor = db.execute(statement, values)
        return [column[0] for column in cursor.description], cursor.fetchall()


def plain(address: str) -> str:
    """A server's address without the name of SQLAlchemy's driver."""
    return address.replace("+psycopg", "")


def marked(statement: str) -> str:
    """A statement with the driver's marks for values."""
    return statement.replace("%", "%%").replace("?", "%s")
