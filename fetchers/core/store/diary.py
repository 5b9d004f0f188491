"""The change diary: one line per row that appeared, left or changed, from which a run can be undone.

Of an added row it keeps the key and a mark (a short hash of the row, to tell later whether it was touched since), of
a changed one the fields that differ, of a gone one the whole row. `folded` is what the diary's search looks into, so
that people are found who are no longer there.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from fetchers.core.clean import fold
from fetchers.core.fetcher import Stream
from fetchers.core.store import ledger, sql
from fetchers.core.store.sql import Row

ADDED, CHANGED, GONE, LOADED = "added", "changed", "gone", "loaded"
LEFT = "left"  # a row that an undo did not touch, since it was changed after the run that is undone

LONGEST_FOLDED = 600  # an index holds it, and PostgreSQL's take no more than 2,700 bytes a line

_COLUMNS = ("run", "stream", "part", "key", "kind", "before", "after", "folded", "mark", "at")

_json = msgspec.json.Encoder()

# Key, kind, before, after, folded, mark.
_Line = tuple[str | None, str, str | None, str | None, str | None, bytes | None]


class Diary:
    """Writes the lines of one stream for one run, in the caller's transaction."""

    def __init__(self, db: sql.Destination, stream: Stream, run: str) -> None:
        self._db = db
        self._stream = stream
        self._run = run
        columns = stream.columns
        self._columns = columns
        own = [column for column in stream.primary_key if column not in stream.partition_columns]
        self._key_places = [columns.index(column) for column in own]
        searched = dict.fromkeys([*own, *stream.search])
        self._searched = [columns.index(column) for column in searched]
        self._sorted = sorted((column, place) for place, column in enumerate(columns))

    def key(self, row: Row) -> str:
        """A row's primary key within its part, as the diary writes it."""
        places = self._key_places
        if len(places) == 1:
            return str(row[places[0]])
        return _json.encode([row[place] for place in places]).decode()

    def mark(self, row: Row) -> bytes:
        """A short hash of what a row holds; the same when a column is added to the table that it leaves empty."""
        held = [(column, row[place]) for column, place in self._sorted if row[place] is not None]
        return hashlib.blake2b(_json.encode(held), digest_size=8).digest()

    def loaded(self, part: str, rows: int) -> None:
        """A part's first load: one line, whatever its size."""
        if rows:
            self._write(part, [(None, LOADED, None, _json.encode({"rows": rows}).decode(), None, None)])

    def changes(
        self, part: str, added: Iterable[Row], changed: Iterable[tuple[Row, Row]], gone: Iterable[Row]
    ) -> None:
        """A line for each row; of a changed one before and after are given."""
        self._write(part, self._lines(added, changed, gone))

    def _lines(
        self, added: Iterable[Row], changed: Iterable[tuple[Row, Row]], gone: Iterable[Row]
    ) -> Iterator[_Line]:
        """One after another: they may be more than fit into memory."""
        for row in added:
            yield self.key(row), ADDED, None, None, self._folded(row), self.mark(row)
        for before, row in changed:
            differ = [place for place, old in enumerate(before) if old != row[place]]
            was, now = self._fields(before, differ), self._fields(row, differ)
            yield self.key(row), CHANGED, was, now, self._folded(row, before), None
        everything = range(len(self._columns))
        for row in gone:
            yield self.key(row), GONE, self._fields(row, everything), None, self._folded(row), None

    def left(self, part: str, lines: Iterable[tuple[str, str, Mapping[str, Any] | None, str | None]]) -> None:
        """Rows that an undo leaves: key, why (changed, missing, there), what it would have put back, folded text."""
        self._write(
            part,
            [
                (
                    key,
                    LEFT,
                    None if wanted is None else _json.encode(wanted).decode(),
                    _json.encode({"why": why}).decode(),
                    folded,
                    None,
                )
                for key, why, wanted, folded in lines
            ],
        )

    def _folded(self, row: Row, before: Row | None = None) -> str:
        """The searched fields; of a changed row also as they were, so that an old name is found too."""
        values = [row[place] for place in self._searched]
        if before is not None:
            values += [before[place] for place in self._searched if before[place] != row[place]]
        return fold(" ".join(str(value) for value in values if value is not None))[:LONGEST_FOLDED]

    def _fields(self, row: Row, places: Iterable[int]) -> str:
        return _json.encode({self._columns[place]: row[place] for place in places}).decode()

    def _write(self, part: str, lines: Iterable[_Line]) -> None:
        now = ledger.timestamp()
        rows = ((self._run, self._stream.name, part, *line, now) for line in lines)
        sql.insert_new(self._db, "_hamgam_changes", _COLUMNS, rows)
