"""Opening a destination, and the names that go into its statements.

Table and column names come from fetcher files, which somebody else may have written: every one is checked against
`NAME` and quoted here, and nowhere else is a name put into a statement.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import apsw

from fetchers.core.errors import ConfigError, StorageError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
BUSY_TIMEOUT_MS = 30_000


def name(identifier: str) -> str:
    """The identifier, quoted. Raises ConfigError for anything but letters, digits and underscores."""
    if not NAME.fullmatch(identifier):
        raise ConfigError(f"{identifier[:80]!r} cannot be the name of a table or column", setting="fields")
    return f'"{identifier}"'


def names(identifiers: Iterable[str]) -> str:
    """Quoted, separated by commas."""
    return ", ".join(name(identifier) for identifier in identifiers)


def marks(identifiers: Iterable[str]) -> str:
    """As many `?` as there are identifiers."""
    return ", ".join("?" for _ in identifiers)


def path_of(url: str) -> Path:
    """The file behind `sqlite:///…`. Raises ConfigError for any other kind of address."""
    if not url.startswith("sqlite:///"):
        raise ConfigError(
            f"{url.split(':', 1)[0]!r} is not a destination of this version; SQLite is.", setting="database"
        )
    return Path(unquote(url.removeprefix("sqlite:///")))


def connect(url: str) -> apsw.Connection:
    """Open the destination for writing, made if missing: WAL, and transactions that survive a killed process.

    `synchronous=NORMAL` may lose the last commits at a power cut, never tear one (sqlite.org/pragma.html): the
    ledger is in the same file, so a lost part is simply asked for again.
    """
    path = path_of(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "cache_size = -32768",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except (apsw.Error, OSError) as error:
        raise storage_error(error) from error
    return connection


def connect_to_read(url: str) -> apsw.Connection | None:
    """The destination, changed by nothing; None if it is not there. Raises StorageError."""
    path = path_of(url)
    if not path.exists():
        return None
    try:
        # Not read-only: a WAL file that a killed process left may have to be taken in first.
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.execute("PRAGMA query_only = ON")
    except apsw.Error as error:
        raise storage_error(error) from error
    return connection


def number(db: apsw.Connection, statement: str, values: Sequence[Any] = ()) -> int:
    """The one whole number that a query answers; 0 where it answers nothing."""
    row: Any = db.execute(statement, tuple(values)).fetchone()
    return 0 if row is None else int(row[0])


def storage_error(error: Exception) -> StorageError:
    """Say what SQLite or the disk said, in a sentence with the kind of trouble in it."""
    kinds: tuple[tuple[type[Exception], str, str], ...] = (
        (apsw.FullError, "disk_full", "the disk is full"),
        (apsw.ReadOnlyError, "read_only", "the database is read-only"),
        (apsw.BusyError, "busy", "the database was locked by another process for too long"),
        (apsw.CorruptError, "corrupt", "the database file is damaged"),
        (apsw.NotADBError, "corrupt", "the file is not an SQLite database"),
        (apsw.IOError, "io", "reading or writing the database file failed"),
        (apsw.CantOpenError, "cannot_open", "the database file cannot be opened"),
        (OSError, "io", "the folder of the database cannot be used"),
    )
    for kind, word, sentence in kinds:
        if isinstance(error, kind):
            return StorageError(f"Storing failed: {sentence}.", reason=word)
    return StorageError(f"Storing failed: {type(error).__name__}.", reason="other")
