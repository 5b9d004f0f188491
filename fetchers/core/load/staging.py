"""Where parts wait that would remove rows, until the whole source is in and its losses can be judged.

A file of its own per run, so that what waits survives the process and weighs on nobody's memory. What is held stays
in it until a person has decided, or a newer run begins.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec

from fetchers.core.clean import Discovered
from fetchers.core.errors import Moved
from fetchers.core.fetcher import Stream
from fetchers.core.load.compare import Delta
from fetchers.core.load.large import PAIR
from fetchers.core.spool import BLOCK, Spools, batches
from fetchers.core.store import sql
from fetchers.core.store.index import Index, Key, Pages
from fetchers.core.store.ledger import Counts
from fetchers.core.store.notes import Note
from fetchers.core.store.sql import Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS staged (
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    partition TEXT NOT NULL,    -- JSON
    shape TEXT NOT NULL,        -- of the stream when this was staged: rows are kept by place
    base BLOB,                  -- digest of what it was compared with; null for a new part
    digest BLOB NOT NULL,       -- digest that the part will have
    rows_before INTEGER NOT NULL,
    rows_after INTEGER NOT NULL,
    gone BLOB NOT NULL,         -- the keys that would vanish
    delta BLOB NOT NULL,
    held INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, part)
);
CREATE TABLE IF NOT EXISTS staged_rows (
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    what TEXT NOT NULL,         -- added, changed or notes, of a part that is too large for one value
    place INTEGER NOT NULL,
    block BLOB NOT NULL,        -- some rows
    PRIMARY KEY (stream, part, what, place)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vanishing (
    id INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    key TEXT NOT NULL,          -- JSON: the primary key within the part
    moved INTEGER NOT NULL,     -- the person appears in another part of the same run
    folded TEXT NOT NULL        -- what a search looks into
);
"""


class Gone(NamedTuple):
    """A row that would vanish."""

    key: Key
    moved: bool
    folded: str


@dataclass(frozen=True)
class HeldPart:
    """A held part, without its rows."""

    stream: str
    part: str
    partition: dict[str, str] = field(hash=False)
    base: bytes | None
    digest: bytes
    rows_before: int
    rows_after: int


class Staging:
    """The waiting parts of one run."""

    def __init__(self, folder: Path, source: str, run: str) -> None:
        self._folder = folder
        self._source = source
        self.path = folder / f"{source}-{run}.db"
        self._db: apsw.Connection | None = None
        self._spools = Spools(folder)

    def begin(self) -> None:
        """A run begins: it supersedes what earlier runs of this source, or attempts of this one, left waiting."""
        self.close()
        for path in self._folder.glob(f"{self._source}-*.db*"):
            path.unlink(missing_ok=True)

    def put(self, delta: Delta) -> None:
        """Keep a part until it is published or refused. Raises StorageError."""
        db, about = self._open(), (delta.stream.name, delta.part)
        try:
            with db:
                db.execute("DELETE FROM staged_rows WHERE stream = ? AND part = ?", about)
                for what, rows in _lists(delta).items():
                    if isinstance(rows, list):
                        continue
                    db.executemany(
                        "INSERT INTO staged_rows (stream, part, what, place, block) VALUES (?, ?, ?, ?, ?)",
                        (
                            (*about, what, place, msgspec.msgpack.encode(block))
                            for place, block in enumerate(batches(rows, BLOCK))
                        ),
                    )
                db.execute(
                    "INSERT OR REPLACE INTO staged (stream, part, partition, shape, base, digest, rows_before,"
                    " rows_after, gone, delta) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *about, json.dumps(delta.partition), _shape(delta.stream), delta.base, delta.digest,
                        delta.rows_before, delta.rows_after, msgspec.msgpack.encode(delta.gone),
                        msgspec.msgpack.encode(_pack(delta)),
                    ),
                )  # fmt: skip
        except apsw.Error as error:
            raise sql.storage_error(error, self._db or self.path) from error

    def drop(self, stream: Stream, part: str) -> None:
        """Forget a part: it is asked for again."""
        with self._open() as db:
            for table in ("staged", "staged_rows"):
                db.execute(f"DELETE FROM {table} WHERE stream = ? AND part = ?", (stream.name, part))

    def take(self, stream: Stream) -> Iterator[Delta]:
        """The waiting parts of a stream, in the order in which they came."""
        if self._db is None:
            return
        for part, shape, blob in self._db.execute(
            "SELECT part, shape, delta FROM staged WHERE stream = ? ORDER BY rowid", (stream.name,)
        ):
            yield self._delta(stream, str(part), str(shape), blob)

    def gone(self, stream: Stream, part: str) -> list[Key]:
        """The keys that a waiting part would remove."""
        row = (
            self._open()
            .execute("SELECT gone FROM staged WHERE stream = ? AND part = ?", (stream.name, part))
            .fetchone()
        )
        return [] if row is None else msgspec.msgpack.decode(row[0], type=list[Key])

    # -- what is held -------------------------------------------------------------------------------------

    def hold(self, delta: Delta, gone: Iterable[Gone]) -> None:
        """A part waits for a person; gone: whom it would remove, for the list that they are shown."""
        stream, part = delta.stream.name, delta.part
        db = self._open()
        try:
            with sql.writing(db):
                db.execute("UPDATE staged SET held = 1 WHERE stream = ? AND part = ?", (stream, part))
                db.executemany(
                    "INSERT INTO vanishing (stream, part, key, moved, folded) VALUES (?, ?, ?, ?, ?)",
                    ((stream, part, json.dumps(row.key), int(row.moved), row.folded) for row in gone),
                )
        except apsw.Error as error:
            raise sql.storage_error(error, self._db or self.path) from error

    def keep_held(self) -> None:
        """The run is over: only what is held stays, in one plain file that outlives this process."""
        db = self._open()
        try:
            db.execute("DELETE FROM staged WHERE held = 0")
            db.execute(
                "DELETE FROM staged_rows WHERE (stream, part) NOT IN (SELECT stream, part FROM staged)"
            )
            db.execute("PRAGMA journal_mode = DELETE").fetchall()
        except apsw.Error as error:
            raise sql.storage_error(error, self._db or self.path) from error
        self.close()

    def held(self) -> list[HeldPart]:
        """The held parts, in the order in which they came; none where the file is no more. Raises StorageError."""
        if not self.path.is_file():
            return []
        try:
            if self._db is None:
                self._db = look_into(self.path)
            found = self._db.execute(
                "SELECT stream, part, partition, base, digest, rows_before, rows_after"
                " FROM staged WHERE held ORDER BY rowid"
            )
            return [HeldPart(row[0], row[1], json.loads(row[2]), *row[3:]) for row in found]
        except apsw.Error as error:
            raise sql.storage_error(error, self._db or self.path) from error

    def held_delta(self, stream: Stream, part: str) -> Delta:
        """What publishing a held part would do. Raises Moved where the stream's shape is another now."""
        row: Any = self._open().execute(
            "SELECT shape, delta FROM staged WHERE stream = ? AND part = ? AND held", (stream.name, part)
        )
        shape, blob = row.fetchone()
        return self._delta(stream, part, str(shape), blob)

    def _delta(self, stream: Stream, part: str, shape: str, blob: bytes) -> Delta:
        delta = _unpack(stream, part, shape, blob)
        more = _columns_since(stream, shape)
        if rows := self._apart(stream, part, "added", Row):
            delta.added = self._spools.pile(Row, (row + more for row in rows))
        if pairs := self._apart(stream, part, "changed", PAIR):
            delta.changed = self._spools.pile(PAIR, ((was + more, now + more) for was, now in pairs))
        if notes := self._apart(stream, part, "notes", Note):
            delta.notes = self._spools.pile(Note, notes)
        return delta

    def _apart(self, stream: Stream, part: str, what: str, kind: Any) -> Iterator[Any] | None:
        """Rows of a part that were too many for one value; None where they were not."""
        blocks = self._open().execute(
            "SELECT block FROM staged_rows WHERE stream = ? AND part = ? AND what = ? ORDER BY place",
            (stream.name, part, what),
        )
        first = blocks.fetchone()
        if first is None:
            return None
        decode = msgspec.msgpack.Decoder(list[kind]).decode
        return (row for (block,) in chain([first], blocks) for row in decode(block))

    def discard(self) -> None:
        """Nothing of this run waits any more."""
        self.close()
        for path in self._folder.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)

    def _open(self) -> apsw.Connection:
        if self._db is None:
            self._db = sql.open_file(f"sqlite:///{self.path}")
            self._db.execute(SCHEMA)
        return self._db

    def close(self) -> None:
        """Let go of the file, and leave it where it is."""
        if self._db is not None:
            self._db.close()
            self._db = None


def look_into(path: Path) -> apsw.Connection:
    """A connection that only reads, and makes no file that is not there."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(5000)
    return db


class _Packed(msgspec.Struct, array_like=True):
    partition: dict[str, str]
    part: str
    counts: tuple[int, ...]
    digest: bytes
    base: bytes | None
    index: Index
    added: list[tuple[str | int | None, ...]]
    changed: list[tuple[tuple[str | int | None, ...], tuple[str | int | None, ...]]]
    gone: list[str | int | list[str | int]]
    notes: list[Note]
    old_hashes: list[bytes]
    rows_before: int
    all_parsed: bool
    pages: Pages | None


def _lists(delta: Delta) -> dict[str, Sequence[Any]]:
    return {"added": delta.added, "changed": delta.changed, "notes": delta.notes}


def _shape(stream: Stream) -> str:
    return json.dumps([stream.table, stream.columns, stream.primary_key])


def _pack(delta: Delta) -> _Packed:
    assert delta.index is not None  # a part that removes rows is never "the same"
    added, changed, notes = (rows if isinstance(rows, list) else [] for rows in _lists(delta).values())
    return _Packed(
        delta.partition, delta.part, delta.counts.row(), delta.digest, delta.base, delta.index, added, changed,
        delta.gone, notes, delta.old_hashes, delta.rows_before, delta.all_parsed, delta.pages,
    )  # fmt: skip


def _unpack(stream: Stream, part: str, shape: str, blob: bytes) -> Delta:
    try:
        packed = msgspec.msgpack.decode(blob, type=_Packed)
    except msgspec.DecodeError:  # another version of Hamgam staged it
        packed = None
    table, columns, key = json.loads(shape)
    later = stream.columns[len(columns) :]
    fits = (
        [table, columns, key] == [stream.table, list(stream.columns[: len(columns)]), list(stream.primary_key)]
        and all(isinstance(stream.fields.get(column), Discovered) for column in later)
    )  # fmt: skip
    if packed is None or not fits:
        raise Moved(
            f"The columns of {stream.table} have changed since {part or 'it'} was fetched.", part=part
        )
    more = _columns_since(stream, shape)
    return Delta(
        stream, packed.partition, packed.part, Counts(*packed.counts), packed.digest, packed.base, False,
        packed.index, [row + more for row in packed.added],
        [(before + more, after + more) for before, after in packed.changed], packed.gone, packed.notes,
        packed.old_hashes, packed.all_parsed, packed.rows_before, packed.pages,
    )  # fmt: skip


def _columns_since(stream: Stream, shape: str) -> Row:
    """Columns that were discovered since stand at the end: nothing of this part is in them."""
    return (None,) * (len(stream.columns) - len(json.loads(shape)[1]))
