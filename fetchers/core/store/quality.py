"""Reading the notes about records: counted by kind and part, and listed.

For the control plane's processes, so through core/store/reading.py. All that is counted or sorted by stands in one
index (`_hamgam_rejected_kind`), so that two hundred thousand notes are counted in the time of a page.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fetchers.core.clean import fold
from fetchers.core.store import reading, sql

COUNTED_UP_TO = 10_000
MOST_WORDS = 8
TABLE = "_hamgam_rejected"

_ORDER = "ORDER BY stream, reason, coalesce(key, ''), part, id"


@dataclass(frozen=True)
class Wanted:
    """Which notes. field: "" for notes about no field. words: of the key, as a person typed them. run: a UUID."""

    streams: tuple[str, ...]
    reason: str | None = None
    field: str | None = None
    campus: str | None = None
    kept: bool | None = None
    run: str | None = None
    words: str = ""
    key: str | None = None


@dataclass(frozen=True)
class Count:
    """How many notes of one kind stand in one part. kept False: records that were left out."""

    stream: str
    reason: str
    field: str | None
    kept: bool
    part: str
    notes: int


@dataclass(frozen=True)
class Noted:
    """One note. raw: the odd value as it came; of a record that was left out, the record whole (or its beginning)."""

    id: int
    run: str
    stream: str
    part: str
    key: str | None
    field: str | None
    reason: str
    kept: bool
    raw: str | None
    at: datetime  # when it was first said


@dataclass(frozen=True)
class Page:
    """Some notes, in a fixed order. total: how many there are; more: there are more than were counted."""

    notes: list[Noted]
    total: int
    more: bool
    page: int
    pages: int


def campus_of(part: str) -> str | None:
    """The campus of a part's name, where it has one: "campus=1110,term=4051" → "1110"."""
    return dict(pair.split("=", 1) for pair in part.split(",") if "=" in pair).get("campus")


def counts(url: str, streams: Sequence[str]) -> list[Count]:
    """How many notes there are of each kind in each part. Raises StorageError."""
    with _looking(url) as db:
        if db is None:
            return []
        found = db.execute(
            f"SELECT stream, reason, field, kept, part, count(*) FROM {TABLE} WHERE stream IN ({sql.marks(streams)})"
            " GROUP BY stream, reason, field, kept, part",
            tuple(streams),
        )
        return [
            Count(stream, reason, field, bool(kept), part, n)
            for stream, reason, field, kept, part, n in found
        ]


def said_first_by(url: str, run: str) -> dict[tuple[str, str, str | None], int]:
    """(stream, reason, field) → how many notes this run was the first to write. Raises StorageError."""
    with _looking(url) as db:
        if db is None:
            return {}
        found = db.execute(
            f"SELECT stream, reason, field, count(*) FROM {TABLE} WHERE run = ? GROUP BY stream, reason, field",
            (run,),
        )
        return {(stream, reason, field): int(n) for stream, reason, field, n in found}


def rows_by_part(url: str, streams: Sequence[str]) -> dict[tuple[str, str], int]:
    """(stream, part) → rows that are stored. Raises StorageError."""
    with _looking(url) as db:
        if db is None:
            return {}
        found = db.execute(
            f"SELECT stream, part, rows FROM _hamgam_partitions WHERE stream IN ({sql.marks(streams)})",
            tuple(streams),
        )
        return {(stream, part): int(rows) for stream, part, rows in found}


def page(url: str, wanted: Wanted, *, number: int = 1, size: int = 50) -> Page:
    """One page of notes; counted up to a limit, since nobody turns a thousand pages. Raises StorageError."""
    with _looking(url) as db:
        if db is None or not wanted.streams:
            return Page([], 0, False, 1, 1)
        where, values = _where(wanted)
        total = sql.number(
            db,
            f"SELECT count(*) FROM (SELECT id FROM {TABLE} WHERE {where} LIMIT {COUNTED_UP_TO + 1}) AS found",
            values,
        )
        pages = max(1, -(-min(total, COUNTED_UP_TO) // size))
        number = max(1, min(number, pages))
        # The numbers first: they and their order come out of the index, without the lines.
        chosen = f"SELECT id FROM {TABLE} WHERE {where} {_ORDER} LIMIT ? OFFSET ?"
        found = db.execute(
            f"SELECT {_COLUMNS} FROM {TABLE} WHERE id IN ({chosen}) {_ORDER}",
            (*values, size, (number - 1) * size),
        )
        return Page([_noted(row) for row in found], total, total > COUNTED_UP_TO, number, pages)


def notes(url: str, wanted: Wanted, limit: int) -> Iterator[Noted]:
    """The first notes, for a file; one that goes meanwhile is left out. Raises StorageError.

    Their numbers first, then some at a time, each look by itself: who takes the file may be slow, and a look that lasts
    keeps SQLite from taking its write-ahead log in.
    """
    with _looking(url) as db:
        if db is None or not wanted.streams:
            return
        where, values = _where(wanted)
        chosen = f"SELECT id FROM {TABLE} WHERE {where} {_ORDER} LIMIT ?"
        numbers = [int(row[0]) for row in db.execute(chosen, (*values, limit))]
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        with _looking(url) as db:
            if db is None:
                return
            these, those = sql.among(db, some)
            found = db.execute(f"SELECT {_COLUMNS} FROM {TABLE} WHERE id {these}", (those,)).fetchall()
        there = {int(row[0]): row for row in found}
        yield from (_noted(there[one]) for one in some if one in there)


AT_ONCE = 500
_COLUMNS = "id, run, stream, part, key, field, reason, kept, raw, at"


@contextmanager
def _looking(url: str) -> Iterator[sql.Destination | None]:
    """The destination while one looks; None where there is none, or it has no notes yet."""
    db = reading.look_into(url)
    if db is None:
        yield None
        return
    try:
        with closing(db):
            yield db if sql.columns_of(db, TABLE) else None
    except sqlite3.Error as error:
        raise reading.unreadable(error) from error


def _where(wanted: Wanted) -> tuple[str, list[Any]]:
    terms, values = [f"stream IN ({sql.marks(wanted.streams)})"], list[Any](wanted.streams)

    def only(term: str, value: Any) -> None:
        terms.append(term)
        values.append(value)

    if wanted.reason is not None:
        only("reason = ?", wanted.reason)
    if wanted.field is not None:
        only("coalesce(field, '') = ?", wanted.field)
    if wanted.kept is not None:
        only("kept = ?", int(wanted.kept))
    if wanted.run is not None:
        only("run = ?", wanted.run)
    if wanted.key is not None:
        only("key = ?", wanted.key)
    if wanted.campus is not None:
        start = f"campus={wanted.campus},"
        only(f"substr(part || ',', 1, {len(start)}) = ?", start)
    for word in fold(wanted.words).split()[:MOST_WORDS]:
        only("key LIKE ? ESCAPE '!'", f"%{_literally(word)}%")
    return " AND ".join(terms), values


def _literally(word: str) -> str:
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _noted(row: tuple[Any, ...]) -> Noted:
    number, run, stream, part, key, field, reason, kept, raw, at = row
    return Noted(
        number, run, stream, part, key, field, reason, bool(kept), raw, datetime.fromisoformat(at)
    )  # fmt: skip
