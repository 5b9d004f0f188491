"""What undoing one run would do to one part, worked out from its diary and from what is there now.

A row that was changed since the run, by a later run or by hand, is never touched: it is left, with the reason. "Since"
is judged by values, not by time: once a later run has been undone, its rows hold again what the earlier run wrote.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fetchers.core.errors import CannotUndo
from fetchers.core.fetcher import Stream
from fetchers.core.load.compare import part_name
from fetchers.core.spool import Pile, Spools
from fetchers.core.store import sql
from fetchers.core.store.diary import ADDED, CHANGED, GONE, LEFT, LOADED, Diary
from fetchers.core.store.index import Key
from fetchers.core.store.sql import Row

# Why a row is left.
TOUCHED, MISSING, THERE = "changed", "missing", "there"


@dataclass(frozen=True)
class Left:
    """A row that the undo leaves, and what it would have put back: some fields, a whole row, or nothing (a removal)."""

    key: str
    why: str
    wanted: dict[str, Any] | None = None
    folded: str | None = None


@dataclass
class Reversal:
    """What undoing does to one part. `half`: keys of rows that get some fields back and keep others."""

    part: str
    partition: dict[str, str]
    remove: Pile[Row]
    put_back: Pile[tuple[Row, Row]]  # as it is, as it was
    insert: Pile[Row]
    left: Pile[Left]
    half: set[str] = field(default_factory=set)

    @property
    def untouched(self) -> int:
        """Rows of which nothing is put back. One that gets some fields back counts as changed."""
        return len(self.left) - len(self.half)

    @property
    def nothing(self) -> bool:
        """Whether it would write nothing."""
        return not (self.remove or self.put_back or self.insert)


@dataclass(frozen=True)
class _Line:
    id: int
    key: str | None
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    folded: str | None
    mark: bytes | None


class Reverser:
    """Works out reversals for one stream. Reads only."""

    def __init__(self, db: sql.Destination, stream: Stream, run: str, spools: Spools | None = None) -> None:
        """spools: where rows go that are too many for memory."""
        self._db = db
        self._spools = spools or Spools()
        self._stream = stream
        self._run = run
        self.diary = Diary(db, stream, run)
        columns = stream.columns
        self._columns = columns
        self._own = [column for column in stream.primary_key if column not in stream.partition_columns]
        where = " AND ".join(f"{sql.name(column)} = ?" for column in stream.partition_columns) or "TRUE"
        self._select_part = f"SELECT {sql.names(columns)} FROM {sql.name(stream.table)} WHERE {where}"
        own = " AND ".join(f"{sql.name(column)} = ?" for column in self._own)
        self._select_row = f"{self._select_part} AND {own}"

    def parts(self) -> list[str]:
        """The parts of this stream in which the run changed something."""
        return [
            str(part)
            for (part,) in self._db.execute(
                "SELECT DISTINCT part FROM _hamgam_changes WHERE run = ? AND stream = ? AND kind != ?"
                " ORDER BY part",
                (self._run, self._stream.name, LEFT),
            )
        ]

    def reverse(self, part: str) -> Reversal:
        """What undoing does to this part, line by line of the run's diary. In the caller's transaction."""
        remove, put_back, insert, left = (
            self._spools.pile(kind) for kind in (Row, tuple[Row, Row], Row, Left)
        )
        found = Reversal(part, self._partition(part), remove, put_back, insert, left)
        asked = self._asked(found.partition)
        for line in self._lines(part, "run = ?", self._run):
            if line.kind == LOADED:
                self._reverse_load(found, line, asked)
            elif line.kind != LEFT:
                self._reverse_line(found, line, asked)
        return found

    def key_of(self, row: Row) -> Key:
        """A row's primary key within its part."""
        values = [row[self._columns.index(column)] for column in self._own]
        return values[0] if len(values) == 1 else values

    def rows(self, part: str) -> int:
        """How many rows the part has now."""
        statement = f"SELECT count(*) FROM ({self._select_part}) AS of_this_part"
        return sql.number(self._db, statement, self._asked(self._partition(part)))

    def _reverse_line(self, found: Reversal, line: _Line, asked: tuple[str, ...]) -> None:
        assert line.key is not None
        row = self._db.execute(self._select_row, (*asked, *self._own_values(line.key))).fetchone()
        if line.kind == ADDED:
            if row is None:
                found.left.append(Left(line.key, MISSING, None, line.folded))
            elif self._is_as_added(row, line, found.part):
                found.remove.append(row)
            else:
                found.left.append(Left(line.key, TOUCHED, None, line.folded))
        elif line.kind == GONE:
            whole = line.before or {}
            if row is not None:
                found.left.append(Left(line.key, THERE, whole, line.folded))
            else:
                found.insert.append(tuple(whole.get(column) for column in self._columns))
        elif line.kind == CHANGED:
            self._reverse_change(found, line, row)

    def _reverse_change(self, found: Reversal, line: _Line, row: Row | None) -> None:
        assert line.key is not None
        before, after = line.before or {}, line.after or {}
        if row is None:
            found.left.append(Left(line.key, MISSING, before, line.folded))
            return
        now = dict(zip(self._columns, row, strict=True))
        holds = {name for name in before if name in now and now[name] == after.get(name)}
        if holds:
            was = {**now, **{name: before[name] for name in holds}}
            found.put_back.append((row, tuple(was[column] for column in self._columns)))
        others = {name: value for name, value in before.items() if name not in holds}
        if others:
            found.left.append(Left(line.key, TOUCHED, others, line.folded))
            if holds:
                found.half.add(line.key)

    def _is_as_added(self, row: Row, line: _Line, part: str) -> bool:
        if line.mark is not None:
            return self.diary.mark(row) == line.mark
        # Written by the first version, which kept no mark: what later runs did to the row must cancel out.
        later = [one for one in self._later(part, line) if one.key == line.key]
        return self._before_these(row, later) == row

    def _reverse_load(self, found: Reversal, line: _Line, asked: tuple[str, ...]) -> None:
        """A first load kept no line for each row: what is there now, less what came or was changed later."""
        later: dict[str, list[_Line]] = {}
        for one in self._later(found.part, line):
            if one.kind == LOADED:  # it was emptied and loaded anew since: nothing there is of this run
                return
            if one.kind != LEFT and one.key is not None:
                later.setdefault(one.key, []).append(one)
        for row in sql.scroll(self._db, self._select_part, asked):
            key = self.diary.key(row)
            since = later.pop(key, None)
            if since is None:
                found.remove.append(row)
                continue
            then = self._before_these(row, since)
            if then == row:
                found.remove.append(row)
            elif then is not None:  # None: it came later, and is not of this run
                found.left.append(Left(key, TOUCHED, None, since[-1].folded))
        for key, since in later.items():
            if self._before_these(None, since) is not None:
                found.left.append(Left(key, MISSING, None, since[-1].folded))

    def _before_these(self, row: Row | None, lines: list[_Line]) -> Row | None:
        """The row as it was before these lines of its diary; None: it was not there.

        Where the diary does not lead to what is there now (an edit by hand), a row that equals nothing.
        """
        for line in reversed(lines):
            if line.kind == ADDED:
                if row is None:
                    return _NO_ROW
                row = None
            elif line.kind == GONE:
                if row is not None:
                    return _NO_ROW
                row = tuple((line.before or {}).get(column) for column in self._columns)
            elif line.kind == CHANGED:
                now = None if row is None else dict(zip(self._columns, row, strict=True))
                after = line.after or {}
                if now is None or any(now.get(name) != value for name, value in after.items()):
                    return _NO_ROW
                now |= line.before or {}
                row = tuple(now[column] for column in self._columns)
        return row

    def _later(self, part: str, line: _Line) -> Iterator[_Line]:
        return self._lines(part, "id > ?", line.id)

    def _lines(self, part: str, where: str, value: Any) -> Iterator[_Line]:
        for id_, key, kind, before, after, folded, mark in sql.scroll(
            self._db,
            "SELECT id, key, kind, before, after, folded, mark FROM _hamgam_changes"
            f" WHERE stream = ? AND part = ? AND {where} ORDER BY id",
            (self._stream.name, part, value),
        ):
            yield _Line(
                id_,
                key,
                kind,
                None if before is None else json.loads(before),
                None if after is None else json.loads(after),
                folded,
                mark,
            )

    def _partition(self, part: str) -> dict[str, str]:
        """campus=1110,term=4051 → {"campus": "1110", "term": "4051"}."""
        partition = dict(pair.split("=", 1) for pair in part.split(",") if "=" in pair)
        if part_name(partition) != part or set(partition) != set(self._stream.partition_columns.values()):
            raise CannotUndo(f"The part {part} is none of this source any more.", reason="source")
        return partition

    def _asked(self, partition: dict[str, str]) -> tuple[str, ...]:
        return tuple(partition[name] for name in self._stream.partition_columns.values())

    def _own_values(self, key: str) -> list[Any]:
        texts = [key] if len(self._own) == 1 else json.loads(key)
        fields = self._stream.fields
        return [
            int(text) if column in fields and fields[column].sql_type == "INTEGER" else text
            for column, text in zip(self._own, texts, strict=True)
        ]


_NO_ROW: Row = ("this row", "equals", "no other", object())
