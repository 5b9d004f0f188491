"""Copy an SQLite destination into an empty PostgreSQL one: everything, compared afterwards, in one transaction.

So a move that is killed leaves the new database empty, and is simply begun again. What is copied is what the file
holds, whichever version or fetcher made it; the tables that this version knows get its own columns and indexes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from fetchers.core.errors import StorageError
from fetchers.core.fetcher import Stream
from fetchers.core.store import columns, sql
from fetchers.core.store.postgres import PostgresDestination
from fetchers.core.store.reading import FileReader

TELL_EVERY = 5_000  # rows
# The types that Hamgam gives to columns; a table with others is of another program.
TYPES = ("TEXT", "INTEGER", "BLOB", "REAL")
NUL, INSTEAD_OF_NUL = "\x00", "\ufffd"  # PostgreSQL's text holds no NUL

Tell = Callable[[str, int, int], None]  # a table's name, rows done, rows in all

_encode = msgspec.msgpack.Encoder().encode


class CannotMove(Exception):
    """The sentence says what is in the way; nothing was changed."""


class Content:
    """How many rows, and a digest of them that does not depend on their order."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, row: tuple[Any, ...]) -> None:
        """Count one row."""
        self.rows += 1
        self._sum += int.from_bytes(hashlib.blake2b(_encode(row), digest_size=16).digest(), "big")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and (self.rows, self.digest) == (other.rows, other.digest)

    @property
    def digest(self) -> str:
        """The sum of the rows' hashes, as hexadecimal digits."""
        return f"{self._sum % 2**128:032x}"


@dataclass(frozen=True)
class Copied:
    """A table that is equal on both sides."""

    table: str
    content: Content


@dataclass(frozen=True)
class _Column:
    name: str
    type: str
    key: int  # its place in the primary key; 0: none


class DestinationMove:
    """One move. `with` opens the new database and one transaction in it, which is taken back unless committed."""

    def __init__(self, source: FileReader, address: str, streams: list[Stream]) -> None:
        """source: holds one view, in which nobody writes. address: of the new database. streams: all that are known."""
        self._source = source
        self._address = address
        self._streams = streams
        self.left: list[str] = []  # tables of other programs
        self.replaced = 0  # texts in which a NUL was replaced

    def __enter__(self) -> "DestinationMove":
        """Open the new database. Raises CannotMove where it is not empty or cannot be used."""
        try:
            self._target = PostgresDestination(self._address)
        except StorageError as error:
            raise CannotMove(unreachable(str(error))) from error
        try:
            self._target.set_busy_timeout(0)
            self._target.execute("BEGIN IMMEDIATE")
            self._check_target()
        except apsw.BusyError as error:
            self._target.close()
            raise CannotMove("Another process writes the new database at this moment.") from error
        except BaseException:
            self._target.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._target.close()  # what is not committed by now never happened

    def copy(self, tell: Tell) -> list[Copied]:
        """Copy every table and compare it with its original. Raises CannotMove or StorageError."""
        tables = self._tables()
        columns.make(self._target, self._streams)
        return [self._copy(table, found, tell) for table, found in tables.items()]

    def commit(self) -> None:
        """From here on the new database holds everything. Raises StorageError."""
        self._target.execute("COMMIT")

    def _check_target(self) -> None:
        schema, encoding, tables = self._target.execute(
            "SELECT current_schema(), current_setting('server_encoding'), (SELECT count(*)"
            " FROM pg_tables WHERE schemaname = current_schema())"
        ).fetchone()
        check_target(schema, encoding, tables)

    def _tables(self) -> dict[str, list[_Column]]:
        """The tables of the file with their columns."""
        names = self._source.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) != 'sqlite_' ORDER BY name"
        ).fetchall()
        found = {}
        for (name,) in names:
            info = self._source.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,))
            of_table = [_Column(*row) for row in info]
            if all(sql.NAME.fullmatch(word) for word in (name, *(one.name for one in of_table))) and all(
                one.type in TYPES for one in of_table
            ):
                found[str(name)] = of_table
            else:
                self.left.append(str(name))
        return found

    def _copy(self, table: str, there: list[_Column], tell: Tell) -> Copied:
        self._make(table, there)
        names = [column.name for column in there]
        select = f"SELECT {sql.names(names)} FROM {sql.name(table)}"
        rows = sql.number(self._source, f"SELECT count(*) FROM {sql.name(table)}")
        before, after = Content(), Content()
        tell(table, 0, rows)
        self._target.execute(f"DELETE FROM {sql.name(table)}")  # the fence that `make` has put up
        read = _counted(
            self._clean(self._source.execute(select)), before, lambda done: tell(table, done, rows)
        )
        try:
            self._target.copy(f"COPY {sql.name(table)} ({sql.names(names)}) FROM STDIN", read)
        except StorageError as error:
            raise CannotMove(f"The table {table} cannot be copied. {error}") from error
        self._number_on(table)
        for row in self._target.scroll(select):
            after.add(row)
        if before != after or before.rows != rows:
            raise CannotMove(
                f"The table {table} is not the same in both places ({before.rows} rows read, {after.rows} written)."
            )
        tell(table, rows, rows)
        return Copied(table, before)

    def _make(self, table: str, there: list[_Column]) -> None:
        """A table of a fetcher that is gone is made as it is; one that is known gets the columns that it once had."""
        known = sql.columns_of(self._target, table)
        if not known:
            key = sorted((column for column in there if column.key), key=lambda column: column.key)
            declared = [f"{sql.name(column.name)} {column.type}" for column in there]
            if key:
                declared.append(f"PRIMARY KEY ({sql.names(column.name for column in key)})")
            self._target.execute(f"CREATE TABLE {sql.name(table)} ({', '.join(declared)})")
            return
        for column in there:
            if column.name not in known:
                self._target.execute(
                    f"ALTER TABLE {sql.name(table)} ADD COLUMN {sql.name(column.name)} {column.type}"
                )

    def _number_on(self, table: str) -> None:
        """Numbers that the database gives go on above those that were copied."""
        identities = self._target.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = ? AND is_identity = 'YES'",
            (table,),
        ).fetchall()
        for (column,) in identities:
            self._target.execute(
                f"SELECT setval(pg_get_serial_sequence(?, ?), (SELECT max({sql.name(column)})"
                f" FROM {sql.name(table)}))",
                (sql.name(table), column),
            )

    def _clean(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            if any(type(value) is str and NUL in value for value in row):
                self.replaced += 1
                yield tuple(
                    value.replace(NUL, INSTEAD_OF_NUL) if isinstance(value, str) else value for value in row
                )
            else:
                yield row


def _counted(
    rows: Iterable[tuple[Any, ...]], content: Content, tell: Callable[[int], None]
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        content.add(row)
        if not content.rows % TELL_EVERY:
            tell(content.rows)
        yield row


def unreachable(why: str) -> str:
    """Why the new database cannot be opened, as a sentence without its address."""
    return f"The new database cannot be used. {why} Check host, port, name and password in its address."


def check_target(schema: str | None, encoding: str, tables: int) -> None:
    """Whether a PostgreSQL database may take what is moved. Raises CannotMove."""
    if schema is None:
        raise CannotMove("The schema that the new database's address names (search_path) does not exist.")
    if encoding != "UTF8":
        raise CannotMove(
            f"The new database keeps text as {encoding}; it must be UTF8: CREATE DATABASE … ENCODING 'UTF8'."
        )
    if tables:
        raise CannotMove(
            f"The new database is not empty ({tables} tables); name an empty one. A move is written in one piece or "
            "not at all: if an earlier one is in there, it is complete."
        )
