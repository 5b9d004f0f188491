"""Opening a destination, and the names that go into its statements.

Table and column names come from fetcher files, which somebody else may have written: every one is checked against
`NAME` and quoted here, and nowhere else is a name put into a statement.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard
from urllib.parse import unquote

import apsw

from fetchers.core.errors import ConfigError, FetchError, OutOfMemory, StorageError
from fetchers.core.store import disk

if TYPE_CHECKING:
    from fetchers.core.store.postgres import PostgresDestination

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
BUSY_TIMEOUT_MS = 30_000
LOG_KEPT = 64 << 20  # bytes of the write-ahead log that may stay on the disk once it has been taken in
QUESTIONS_AT_ONCE = 200  # whose answers PostgreSQL sends together
ROWS_AT_ONCE = 5000  # in memory, on their way into PostgreSQL
MANY_ROWS = 50  # from here on, PostgreSQL takes a COPY and one statement sooner than a statement for each row

# Our tables that have a row for each of many rows of a source's.
BESIDE = ("_hamgam_rejected", "_hamgam_search", "_hamgam_changes")

Row = tuple[Any, ...]  # of a table, in the order of its stream's columns


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
            f"{url.split(':', 1)[0]!r} is not a destination; SQLite and PostgreSQL are.", setting="database"
        )
    return Path(unquote(url.removeprefix("sqlite:///")))


class Answer(Protocol):
    """What a statement answers: rows, one after another."""

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Destination(Protocol):
    """An open destination. An apsw connection is one as it is; PostgreSQL's is in core/store/postgres.py.

    Statements are written in the SQL that both understand, with `?` for values. Outside `with` or BEGIN, each
    commits by itself.
    """

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Any: ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Any: ...

    def changes(self) -> int: ...

    def set_busy_timeout(self, milliseconds: int, /) -> None: ...

    def close(self) -> None: ...

    @property
    def in_transaction(self) -> bool: ...

    def __enter__(self) -> Any: ...

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> Any: ...


def is_postgresql(url: str) -> bool:
    """Whether this address is a PostgreSQL server's."""
    return url.startswith(("postgresql://", "postgresql+"))


def connect(url: str) -> Destination:
    """Open a destination; one that is a file is made if it is missing. Raises StorageError, or ConfigError."""
    if is_postgresql(url):
        from fetchers.core.store.postgres import (
            PostgresDestination,  # its driver is loaded where it is needed
        )

        return PostgresDestination(url)
    return open_file(url)


def on_postgresql(db: Destination) -> "TypeGuard[PostgresDestination]":
    """Whether this open destination is a PostgreSQL server's: only those can copy."""
    return hasattr(db, "copy")


def columns_of(db: Destination, table: str) -> set[str]:
    """The names of a table's columns; empty if there is no such table."""
    if not on_postgresql(db):
        found = db.execute("SELECT name FROM pragma_table_info(?)", (table,))
    else:
        # Not information_schema.columns, a view so wide that planning it takes milliseconds; pages ask this often.
        found = db.execute(
            "SELECT attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
            " AND attrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(?))",
            (table,),
        )
    return {str(row[0]) for row in found}


def among(db: Destination, values: Sequence[Any]) -> tuple[str, Any]:
    """The end of a condition "column … one of these", and the one value that stands for its `?`."""
    if not on_postgresql(db):
        return "IN (SELECT value FROM json_each(?))", json.dumps(values)
    return "= ANY(?)", list(values)


def scroll(db: Destination, statement: str, values: Sequence[Any] = ()) -> Iterator[Row]:
    """The rows of an answer that may be larger than memory, one after another, in the caller's transaction."""
    if not on_postgresql(db):  # SQLite does so by itself
        return iter(db.execute(statement, values))
    return db.scroll(statement, values)


def answers(db: Destination, statement: str, questions: Sequence[Sequence[Any]]) -> Iterator[list[Row]]:
    """The rows that the statement answers to each of these values, in their order."""
    if on_postgresql(db):
        for start in range(0, len(questions), QUESTIONS_AT_ONCE):
            yield from db.answers(statement, questions[start : start + QUESTIONS_AT_ONCE])
    else:
        for values in questions:
            yield db.execute(statement, values).fetchall()


def look_up(db: Destination, statement: str, questions: Sequence[Sequence[Any]]) -> Iterator[Row | None]:
    """The one row that the statement answers to each of these values, or None, in their order."""
    return (rows[0] if rows else None for rows in answers(db, statement, questions))


def insert_new(db: Destination, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows whose keys cannot be there yet, the quickest way there is."""
    if on_postgresql(db):
        db.copy(f"COPY {name(table)} ({names(columns)}) FROM STDIN", rows)
    else:
        db.executemany(f"INSERT INTO {name(table)} ({names(columns)}) VALUES ({marks(columns)})", rows)


def insert_new_last(
    db: Destination, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """The same as the last statement of a transaction. PostgreSQL goes on with it by itself, see `finish`."""
    if on_postgresql(db) and len(rows):
        db.copy_last(f"COPY {name(table)} ({names(columns)}) FROM STDIN", rows)
    else:
        insert_new(db, table, columns, rows)


def goes_on(db: Destination) -> bool:
    """Whether a transaction waits for `finish`; meanwhile read `aside`."""
    return on_postgresql(db) and db.goes_on


def finish(db: Destination) -> None:
    """Wait until what goes on is committed. Raises StorageError: then it is undone."""
    if on_postgresql(db):
        db.finish()


def aside(db: Destination) -> Destination:
    """Where to read what is committed, without waiting for what goes on."""
    return db.aside() if on_postgresql(db) else db


def put(
    db: Destination,
    table: str,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Insert rows, or give the rows of those keys these values. Among several of one key, the last one counts."""
    one_by_one = upsert(table, columns, key)
    if not on_postgresql(db):
        db.executemany(one_by_one, rows)
        return
    pick = itemgetter(*(columns.index(column) for column in key))
    rest = iter(rows)
    while some := list(islice(rest, ROWS_AT_ONCE)):
        last = {pick(row): row for row in some}.values()  # one INSERT gives no row two values
        incoming = db.incoming(name(table), names(columns)) if len(last) >= MANY_ROWS else None
        if incoming is None:
            db.executemany(one_by_one, last)
        else:
            db.copy(f"COPY {incoming} ({names(columns)}) FROM STDIN", last)
            db.execute(upsert(table, columns, key, f"SELECT {names(columns)} FROM {incoming}"))


@lru_cache(maxsize=64)
def upsert(table: str, columns: tuple[str, ...], key: tuple[str, ...], rows: str | None = None) -> str:
    """The statement that inserts a row, or gives the row of that key these values.

    rows: a query that answers the rows, instead of `?` for each value of one.
    """
    rest = [column for column in columns if column not in key]
    updates = ", ".join(f"{name(column)} = excluded.{name(column)}" for column in rest)
    return (
        f"INSERT INTO {name(table)} ({names(columns)}) {rows or f'VALUES ({marks(columns)})'}"
        f" ON CONFLICT ({names(key)}) DO " + (f"UPDATE SET {updates}" if rest else "NOTHING")
    )


def commit_in_passing(db: Destination) -> None:
    """From here on, a commit of this connection need not wait for the disk, which takes longer than the rest.

    As with SQLite's `synchronous=NORMAL` (see `open_file`), the last commits may be lost where the server crashes,
    never torn: PostgreSQL loses them in order, from the last one backwards. What is lost is asked for again, for its
    ledger entry is lost with it.
    """
    if on_postgresql(db):
        db.execute("SET synchronous_commit = off")


def commit_for_good(db: Destination) -> None:
    """In the caller's transaction: its commit waits until it is on the disk, and with it all that came before."""
    if on_postgresql(db):
        db.execute("SET LOCAL synchronous_commit = on")


def open_file(url: str) -> apsw.Connection:
    """An SQLite file: WAL, and transactions that survive a killed process.

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
            f"journal_size_limit = {LOG_KEPT}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except (apsw.Error, OSError) as error:
        raise storage_error(error, path) from error
    return connection


def connect_to_read(url: str) -> Destination | None:
    """The destination, changed by nothing; None if it is not there. Raises StorageError."""
    if is_postgresql(url):
        from fetchers.core.store.postgres import PostgresDestination

        return PostgresDestination(url, only_read=True)
    path = path_of(url)
    if not path.exists():
        return None
    try:
        # Not read-only: a WAL file that a killed process left may have to be taken in first.
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.execute("PRAGMA query_only = ON")
    except apsw.Error as error:
        raise storage_error(error, path) from error
    return connection


@contextmanager
def writing(db: Destination) -> Iterator[None]:
    """A transaction that holds the write lock from its start, waiting for it as long as the connection may.

    One that read first and wrote later would fail at once when somebody else wrote in between, whatever it may wait
    (SQLITE_BUSY_SNAPSHOT, https://www.sqlite.org/isolation.html).
    """
    db.execute("BEGIN IMMEDIATE")
    with committed(db):
        yield


@contextmanager
def committed(db: Destination, *, later: bool = False) -> Iterator[None]:
    """The transaction that is open: committed at the end, rolled back by an exception.

    later: what `insert_new_last` began may go on in the server (see `goes_on`), and is committed by `finish`.
    """
    try:
        yield
        if later and on_postgresql(db):
            db.commit_later()
        else:
            db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk ends it by itself, and that error must not be lost over this one
            db.execute("ROLLBACK")
        raise


def log_size(db: Destination) -> int:
    """Bytes of the write-ahead log beside a file; 0 on a server.

    It grows for as long as somebody reads: what they have not seen yet cannot be taken into the file.
    """
    if not isinstance(db, apsw.Connection) or not db.filename:
        return 0
    try:
        return Path(f"{db.filename}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def take_stock(db: Destination, tables: Iterable[str]) -> None:
    """Let PostgreSQL look at how much there is in these tables and in ours beside them: its plans go by that.

    SQLite's go by the indexes. Autovacuum does it too, but only after a minute, and not where somebody switched it
    off. Raises StorageError.
    """
    if on_postgresql(db):
        db.execute(f"ANALYZE {names([*tables, *BESIDE])}")


def number(db: Destination, statement: str, values: Sequence[Any] = ()) -> int:
    """The one whole number that a query answers; 0 where it answers nothing."""
    row: Any = db.execute(statement, tuple(values)).fetchone()
    return 0 if row is None else int(row[0])


_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (apsw.FullError, "disk_full"),
    (apsw.ReadOnlyError, "read_only"),
    (apsw.BusyError, "busy"),
    (apsw.CorruptError, "corrupt"),
    (apsw.NotADBError, "corrupt"),
    (apsw.IOError, "io"),
    (apsw.CantOpenError, "cannot_open"),
    (OSError, "io"),
)
_SENTENCES = {
    "disk_full": "the disk is full",
    "read_only": "the database, its folder or its disk is read-only",
    "busy": "the database was locked by another process for too long",
    "corrupt": "the database file is damaged",
    "io": "the disk does not read or write as it should",
    "cannot_open": "the database file cannot be opened",
}


def storage_error(error: Exception, where: Any = None) -> FetchError:
    """Say what SQLite or the disk said, in a sentence with the kind of trouble in it.

    where: the open database, its address, or a path; then the error names the file, and how much room there is.
    """
    if isinstance(error, apsw.NoMemError):
        return OutOfMemory()
    file = _file_of(where)
    reason = next((word for kind, word in _KINDS if isinstance(error, kind)), "other")
    if reason in ("io", "cannot_open"):
        number = error.errno if isinstance(error, OSError) else getattr(where, "system_errno", None)
        reason = disk.by_errno(number) or (disk.trouble(file.parent) if file else None) or reason
    sentence = _SENTENCES.get(reason, type(error).__name__)
    params: dict[str, Any] = {"reason": reason}
    if file is not None:
        params["file"] = str(file)
        if reason == "disk_full":
            params |= {"folder": str(file.parent), "free": disk.free_megabytes(file.parent)}
            sentence += f": {params['free']:g} MB are free in {params['folder']}"
    return StorageError(f"Storing failed: {sentence}.", **params)


def _file_of(where: Any) -> Path | None:
    if isinstance(where, apsw.Connection):
        return Path(where.filename) if where.filename else None
    if isinstance(where, str):
        return None if is_postgresql(where) else path_of(where)
    return where if isinstance(where, Path) else None
