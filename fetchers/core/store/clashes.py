"""Contradictions that only show over several rows: two names under one number, one person under two numbers.

Looked for at a run's end, in its closing transaction, and only among the rows that changed since the last time: the
diary says which. A run that changed nothing asks one question of an index.

    diary since the last check ─► persons ─► more than one spelling? ─► fold and compare ─► notes that come and go
"""

from collections.abc import Iterable, Iterator
from typing import Any

from fetchers.core.clean import squash
from fetchers.core.clean.rows import shown
from fetchers.core.fetcher import Clash, Stream
from fetchers.core.store import sql
from fetchers.core.store.diary import LEFT, LOADED
from fetchers.core.store.notes import OF_SEVERAL_ROWS, Note, Notes, as_text
from fetchers.core.store.sql import Row

# Where more than one row in so many is touched, one pass over the table is quicker than asking for each person.
WHOLE_TABLE_FROM = 20
PERSONS_AT_ONCE = 1000


class Clashes:
    """Keeps the notes about rows of one stream that contradict one another."""

    def __init__(self, db: sql.Destination, stream: Stream, run: str) -> None:
        self._db = db
        self._stream = stream
        self._columns = stream.columns
        self._table = sql.name(stream.table)
        self._own = [column for column in stream.primary_key if column not in stream.partition_columns]
        self._notes = Notes(db, stream.name, run)

    def check(self) -> None:
        """In the caller's transaction: look at what changed since the last check.

        1. Nothing new in the diary: done.
        2. Whose rows changed? Everybody's, if this was never asked, or too many.
        3. Of those, who has more than one spelling; of these, whose spellings mean different things.
        4. Write the notes that are new, take away those that are mended.
        """
        if not self._stream.clashes:
            return
        since, newest = self._checked_to(), self._newest_line()
        if newest is None or newest == since:
            return
        for clash in self._stream.clashes:
            persons = self._touched(clash, since[0]) if since is not None else None
            self._renew(clash, persons)
        self._db.execute(
            "INSERT INTO _hamgam_streams (stream, seen_fields, checked_to) VALUES (?, '[]', ?)"
            " ON CONFLICT (stream) DO UPDATE SET checked_to = excluded.checked_to",
            (self._stream.name, f"{newest[0]} {newest[1]}"),
        )

    # -- whose rows -----------------------------------------------------------------------------------------

    def _checked_to(self) -> tuple[int, str] | None:
        """The diary's line up to which all was looked at; None: look at everything.

        A line is known by its number and its moment: SQLite gives the numbers of removed lines again.
        """
        row: Any = self._db.execute(
            "SELECT checked_to FROM _hamgam_streams WHERE stream = ?", (self._stream.name,)
        ).fetchone()
        if row is None or row[0] is None:
            return None
        number, _, at = str(row[0]).partition(" ")
        there = self._db.execute("SELECT at FROM _hamgam_changes WHERE id = ?", (int(number),)).fetchone()
        return (int(number), at) if there is not None and there[0] == at else None

    def _newest_line(self) -> tuple[int, str] | None:
        row: Any = self._db.execute("SELECT id, at FROM _hamgam_changes ORDER BY id DESC LIMIT 1").fetchone()
        return None if row is None else (int(row[0]), str(row[1]))

    def _touched(self, clash: Clash, since: int) -> set[Any] | None:
        """The values of `same` whose rows changed after this line of the diary; None: all of them.

        The diary names a row by its own key, so where `same` is another column, one pass over the table is made.
        """
        few = self._rows() // WHOLE_TABLE_FROM
        lines = "FROM _hamgam_changes WHERE id > ? AND stream = ?"
        asked = (since, self._stream.name)
        changed = sql.number(
            self._db, f"SELECT count(*) {lines} AND kind NOT IN (?, ?)", (*asked, LEFT, LOADED)
        )
        parts = [
            str(part)
            for (part,) in self._db.execute(f"SELECT DISTINCT part {lines} AND kind = ?", (*asked, LOADED))
        ]
        if not changed and not parts:
            return set()
        if self._own != [clash.same] or changed + self._rows(parts) > few:
            return None
        as_stored = int if self._is_number(clash.same) else str
        found = {
            as_stored(key)
            for (key,) in self._db.execute(
                f"SELECT DISTINCT key {lines} AND kind NOT IN (?, ?)", (*asked, LEFT, LOADED)
            )
        }
        for part in parts:
            where, values = self._of_part(part)
            statement = f"SELECT {sql.name(clash.same)} FROM {self._table} WHERE {where}"
            found.update(row[0] for row in self._db.execute(statement, values))
        return found

    def _rows(self, parts: Iterable[str] | None = None) -> int:
        """Rows of the table, or of some of its parts."""
        counted = "SELECT coalesce(sum(rows), 0) FROM _hamgam_partitions WHERE stream = ?"
        if parts is None:
            return sql.number(self._db, counted, (self._stream.name,))
        return sum(
            sql.number(self._db, f"{counted} AND part = ?", (self._stream.name, part)) for part in parts
        )

    # -- which of them contradict one another ---------------------------------------------------------------

    def _renew(self, clash: Clash, persons: set[Any] | None) -> None:
        """Bring the notes of one kind in step. persons: whose; None: everybody's."""
        before: dict[tuple[Any, ...], int] = {}
        person_of_note = self._own == [clash.same]
        for number, part, key, field, raw in self._db.execute(
            "SELECT id, part, key, field, raw FROM _hamgam_rejected WHERE stream = ? AND reason = ? AND hash = ?",
            (self._stream.name, clash.reason, OF_SEVERAL_ROWS),
        ):
            if persons is None or not person_of_note or self._as_stored(clash.same, key) in persons:
                before[part, key, field, raw] = int(number)
        now = {
            (part, as_text(note.key), note.field, note.raw): (part, note)
            for part, note in self._contradictions(clash, persons)
        }
        self._notes.remove(number for said, number in before.items() if said not in now)
        self._notes.write(told for said, told in now.items() if said not in before)

    def _contradictions(self, clash: Clash, persons: set[Any] | None) -> Iterator[tuple[str, Note]]:
        doubtful = [value for some in self._several_spellings(clash, persons) for value in some]
        newest = self._stream.latest.newest if self._stream.latest is not None else None
        order = f" ORDER BY {sql.name(newest)} DESC" if newest is not None else ""
        rows_of = (
            f"SELECT {sql.names(self._columns)} FROM {self._table} WHERE {sql.name(clash.same)} = ?{order}"
        )
        for value in doubtful:
            told: dict[tuple[str, ...], Row] = {}
            for row in self._db.execute(rows_of, (value,)):
                told.setdefault(_spelling(self._stream, clash, row), row)
            if not _agree(told):
                yield from (self._note(clash, row) for row in told.values())

    def _several_spellings(self, clash: Clash, persons: set[Any] | None) -> Iterator[list[Any]]:
        """The values of `same` whose rows differ in a letter at least; NULL differs from nothing."""
        same = sql.name(clash.same)
        differs = " OR ".join(f"min({sql.name(name)}) != max({sql.name(name)})" for name in clash.differ)
        grouped = f"GROUP BY {same} HAVING {differs}"
        if persons is None:
            statement = f"SELECT {same} FROM {self._table} WHERE {same} IS NOT NULL {grouped}"
            yield [row[0] for row in self._db.execute(statement)]
            return
        everybody = sorted(persons)
        for at in range(0, len(everybody), PERSONS_AT_ONCE):
            among, values = sql.among(self._db, everybody[at : at + PERSONS_AT_ONCE])
            statement = f"SELECT {same} FROM {self._table} WHERE {same} {among} {grouped}"
            yield [row[0] for row in self._db.execute(statement, (values,))]

    def _note(self, clash: Clash, row: Row) -> tuple[str, Note]:
        field, raw = _told(self._stream, clash, row)
        values = [row[self._columns.index(column)] for column in self._own]
        part = ",".join(
            f"{name}={row[self._columns.index(column)]}"
            for column, name in self._stream.partition_columns.items()
        )
        key = values[0] if len(values) == 1 else values
        return part, Note(OF_SEVERAL_ROWS, key, field, clash.reason, kept=True, raw=raw)

    def _of_part(self, part: str) -> tuple[str, list[str]]:
        pairs = dict(pair.split("=", 1) for pair in part.split(",") if "=" in pair)
        asked = self._stream.partition_columns
        where = " AND ".join(f"{sql.name(column)} = ?" for column in asked) or "TRUE"
        return where, [pairs[name] for name in asked.values()]

    def _is_number(self, column: str) -> bool:
        field = self._stream.fields.get(column)
        return field is not None and field.sql_type == "INTEGER"

    def _as_stored(self, column: str, key: str) -> Any:
        return int(key) if self._is_number(column) else key


def between(stream: Stream, row: Row, other: Row) -> tuple[str, str, str] | None:
    """How two rows of one key contradict each other: field, reason, and what the first one says. None: not at all."""
    own = [column for column in stream.primary_key if column not in stream.partition_columns]
    for clash in stream.clashes:
        if own == [clash.same] and not _agree(_spelling(stream, clash, one) for one in (row, other)):
            field, raw = _told(stream, clash, row)
            return field, clash.reason, raw
    return None


def _told(stream: Stream, clash: Clash, row: Row) -> tuple[str, str]:
    """What is said of one of the rows, and under which field: its name, or the number that is another's too.

    Where one of the fields is personal, it is that one, so that the note is masked.
    """
    columns, fields = stream.columns, stream.fields
    told = (clash.same,) if clash.same in fields and clash.same not in stream.primary_key else clash.differ
    field = next((name for name in told if name in fields and fields[name].personal), told[-1])
    values = [row[columns.index(name)] for name in told]
    return field, shown(" ".join(str(value) for value in values if value is not None))


def _spelling(stream: Stream, clash: Clash, row: Row) -> tuple[str, ...]:
    """What must not differ, without what does not count as a difference."""
    values = (row[stream.columns.index(name)] for name in clash.differ)
    return tuple(squash(str(value)) if value is not None else "" for value in values)


def _agree(spellings: Iterable[tuple[str, ...]]) -> bool:
    """Whether these say the same, column by column; an empty one says nothing."""
    return all(len(set(filter(None, column))) <= 1 for column in zip(*spellings, strict=True))
