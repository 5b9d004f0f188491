"""A dry run: the same way through the job as a real one, and what it would publish goes into a file alone.

The destination as it sees it: everything may be read, nothing can be written. What it lacks, and be it all, is made
empty beside it: in memory with SQLite, as temporary tables with PostgreSQL. Where it has a table, that table's name
means it; columns that it does not have yet are NULL.

Its books: `rehearsals/<source>-<run>.db` has the ledger and the change diary that the destination would have had, laid
out as there, so that the same pages read them; `rehearsals/staging/` has the parts that would be held. The staging of
real runs, where something may wait for a person, is not touched.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import apsw

from fetchers.core.errors import FetchError
from fetchers.core.fetcher import Stream
from fetchers.core.load.compare import Delta
from fetchers.core.load.publish import write_diary
from fetchers.core.load.staging import Staging
from fetchers.core.store import columns, discovered, ledger, lookup, sql
from fetchers.core.store.diary import Diary
from fetchers.core.store.ledger import Counts

KEPT = 3  # rehearsals of a source whose files stay, the newest one included

# Rows that would appear: the diary keeps of them only the key, since their table has the rest.
NEWCOMERS = """
CREATE TABLE newcomers (
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    key TEXT NOT NULL,
    row TEXT NOT NULL,          -- JSON: the stream's searched columns, none of which is personal
    PRIMARY KEY (stream, part, key)
) WITHOUT ROWID;
"""


class Rehearsal:
    """The books of one dry run."""

    def __init__(self, folder: Path, source: str, run: str) -> None:
        """folder: of all rehearsals; it is made where it is missing."""
        self.path = path_of(folder, source, run)
        self.staging = Staging(folder / "staging", source, run)
        self._run = run
        self._older = f"{source}-*.db"
        self._db: apsw.Connection | None = None

    def begin(self) -> None:
        """Open new books, and remove those of an earlier attempt and of old rehearsals. Raises StorageError."""
        folder = self.path.parent
        older = sorted(
            (path for path in folder.glob(self._older) if path != self.path),
            key=lambda path: path.stat().st_mtime,
        )
        try:
            for path in (self.path, *older[: max(0, len(older) - KEPT + 1)]):
                for file in (*folder.glob(f"{path.name}*"), *folder.glob(f"staging/{path.name}*")):
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise sql.storage_error(error, self.path) from error
        self._db = sql.open_file(f"sqlite:///{self.path}")
        columns.prepare(self._db, [])
        self._db.execute(NEWCOMERS)

    def publisher(self, destination: sql.Destination, stream: Stream, epoch: int) -> "RehearsedPublisher":
        """What stands in for the publisher of a stream."""
        assert self._db is not None  # begin() comes first
        return RehearsedPublisher(self._db, destination, stream, self._run, epoch)

    def close_books(
        self, epoch: int, counts: Counts, partitions: dict[str, int], held: FetchError | None
    ) -> None:
        """The last entry: how the real run would end. Its outcome is "success" or "held"."""
        assert self._db is not None
        ledger.enter(
            self._db,
            run=self._run,
            epoch=epoch,
            kind="closing",
            outcome="success" if held is None else "held",
            counts=counts,
            details={"partitions": partitions, "error": held.to_dict() if held is not None else None},
        )

    def close(self) -> None:
        """Leave one plain file behind, and let go of it."""
        self.staging.close()
        if self._db is not None:
            self._db.execute("PRAGMA journal_mode = DELETE").fetchall()
            self._db.close()
            self._db = None


class RehearsedPublisher:
    """Writes down what publishing the parts of one stream would do."""

    def __init__(
        self, book: apsw.Connection, destination: sql.Destination, stream: Stream, run: str, epoch: int
    ) -> None:
        self._book = book
        self._destination = destination
        self._stream = stream
        self._run = run
        self._epoch = epoch
        self._diary = Diary(book, stream, run)
        self._places = [(column, stream.columns.index(column)) for column in stream.search]

    def publish(self, delta: Delta, *, wait: bool = True) -> bool:
        """The part's ledger entry and its lines of the diary; False: it is done. Raises StorageError."""
        try:
            with sql.writing(self._book):
                ledger.enter(
                    self._book,
                    run=self._run,
                    epoch=self._epoch,
                    kind="part",
                    outcome="unchanged" if delta.same else "published",
                    stream=self._stream.name,
                    part=delta.part,
                    counts=delta.counts,
                )
                if not delta.same and not write_diary(self._diary, delta, self._leaving(delta)):
                    self._name_newcomers(delta)
        except apsw.Error as error:
            raise sql.storage_error(error, self._book) from error
        return False

    def roll_over(self) -> None:
        """The table of newest rows is made from the others; there is nothing to tell of it."""

    def _leaving(self, delta: Delta) -> Iterator[sql.Row]:
        stream = self._stream
        for key in delta.gone:
            row = lookup.row(self._destination, stream, delta.partition, key, stream.columns)
            if row is not None:
                yield row

    def _name_newcomers(self, delta: Delta) -> None:
        self._book.executemany(
            "INSERT OR REPLACE INTO newcomers (stream, part, key, row) VALUES (?, ?, ?, ?)",
            (
                (
                    self._stream.name,
                    delta.part,
                    self._diary.key(row),
                    json.dumps({column: row[place] for column, place in self._places}, ensure_ascii=False),
                )
                for row in delta.added
            ),
        )


def path_of(folder: Path, source: str, run: str) -> Path:
    """Where the books of a rehearsal are, if they still are."""
    return folder / f"{source}-{run}.db"


def open_destination(url: str, streams: list[Stream]) -> sql.Destination:
    """The destination behind `url`, for reading. Raises StorageError, or ConfigError."""
    try:
        return _server(url, streams) if sql.is_postgresql(url) else _file(url, streams)
    except (apsw.Error, OSError) as error:
        raise sql.storage_error(error, url) from error


def empty_destination(streams: list[Stream]) -> apsw.Connection:
    """One in memory, of which nothing stays."""
    db = apsw.Connection(":memory:")
    columns.prepare(db, streams)
    return db


def add_columns(db: sql.Destination, stream: Stream, names: list[str]) -> None:
    """Let a stream's tables have these columns too, all NULL, for as long as this connection lives."""
    if sql.on_postgresql(db):
        schema = str(db.execute("SELECT current_schemas(false)").fetchone()[0][-1])
        db.execute("SET default_transaction_read_only = off")
        _lengthen(db, stream, names, ("pg_temp", "pg_temp", schema))
        db.execute("SET default_transaction_read_only = on")
    else:
        attached = sql.number(db, "SELECT count(*) FROM pragma_database_list WHERE name = 'destination'")
        db.execute("PRAGMA query_only = OFF")
        _lengthen(db, stream, names, ("main", "temp", "destination" if attached else "temp"))
        db.execute("PRAGMA query_only = ON")


def _lengthen(db: sql.Destination, stream: Stream, names: list[str], places: tuple[str, str, str]) -> None:
    """places: where tables of ours are, where views are, and where the destination is."""
    beside, views, schema = places
    for table in discovered.tables(stream):
        there = {column.casefold() for column in _columns(db, table, schema)}
        if not there:  # made here, since the destination has none
            for column in names:
                db.execute(f"ALTER TABLE {beside}.{sql.name(table)} ADD COLUMN {sql.name(column)} TEXT")
            continue
        had = [column for column in _columns(db, table, views) if column.casefold() not in there]
        db.execute(f"DROP VIEW IF EXISTS {views}.{sql.name(table)}")
        _view(db, table, schema, [*had, *names])


def _file(url: str, streams: list[Stream]) -> sql.Destination:
    path = sql.path_of(url)
    db = empty_destination(streams)
    db.set_busy_timeout(sql.BUSY_TIMEOUT_MS)
    if path.exists():
        made = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        db.execute("ATTACH ? AS destination", (str(path),))
        for (table,) in made:
            _stand_in(db, str(table), "main", "destination")
    db.execute("PRAGMA query_only = ON")
    return db


def _server(url: str, streams: list[Stream]) -> sql.Destination:
    db = sql.connect(url)
    try:
        schema = str(db.execute("SELECT current_schema()").fetchone()[0])
        db.execute("SET search_path = pg_temp")  # whatever is made now is of this session alone
        columns.prepare(db, streams)
        made = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
        ).fetchall()
        for (table,) in made:
            _stand_in(db, str(table), "pg_temp", schema)
        db.execute(f"SET search_path = pg_temp, {sql.name(schema)}")
        db.execute("SET default_transaction_read_only = on")
    except BaseException:
        db.close()
        raise
    return db


def _stand_in(db: sql.Destination, table: str, beside: str, schema: str) -> None:
    """If the destination has this table, let its name mean that."""
    there = {column.casefold() for column in _columns(db, table, schema)}
    if not there:
        return
    wanted = _columns(db, table, beside)
    db.execute(f"DROP TABLE {beside}.{sql.name(table)}")
    if missing := [column for column in wanted if column.casefold() not in there]:
        _view(db, table, schema, missing)


def _view(db: sql.Destination, table: str, schema: str, missing: list[str]) -> None:
    more = ", ".join(f"NULL AS {sql.name(column)}" for column in missing)
    whole = f"{sql.name(schema)}.{sql.name(table)}"
    db.execute(f"CREATE TEMP VIEW {sql.name(table)} AS SELECT *, {more} FROM {whole}")


def _columns(db: sql.Destination, table: str, schema: str) -> list[str]:
    if isinstance(db, apsw.Connection):
        found = db.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema))
    else:
        found = db.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = ? AND table_schema ="
            " CASE ? WHEN 'pg_temp' THEN (SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()) ELSE ? END",
            (table, schema, schema),
        )
    return [str(row[0]) for row in found]
