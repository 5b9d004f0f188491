"""Held parts from outside: who would vanish, beside what is there now; and checking them before they are published."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from fetchers.core.clean import fold
from fetchers.core.errors import Moved
from fetchers.core.fetcher import Stream
from fetchers.core.load.compare import Delta
from fetchers.core.load.staging import HeldPart, Staging, look_into
from fetchers.core.registry import load
from fetchers.core.store import ledger, lookup, reading, sql
from fetchers.core.store.index import Key

MOST_WORDS = 8


@dataclass(frozen=True)
class Vanishing:
    """A row that would leave. moved: its person appears in another part. row: its summary columns as stored now."""

    stream: str
    part: str
    key: list[str | int]
    moved: bool
    row: dict[str, Any] | None  # None: it is not there any more


@dataclass(frozen=True)
class Page:
    """A page of the list. total: how many match; moved: how many of them moved."""

    total: int
    moved: int
    rows: list[Vanishing]


def parts(staging: Path, source: str, run: str) -> list[HeldPart]:
    """The held parts of a run; none once it is decided, superseded or lapsed."""
    held = Staging(staging, source, run)
    try:
        return held.held()
    finally:
        held.close()


def vanishing(
    staging: Path,
    source: str,
    run: str,
    database: str,
    *,
    search: str | None = None,
    part: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> Page:
    """Whom a held run would remove: those who really leave first, then those who only moved.

    search: every word must occur, whatever letters and digits it was typed with. Raises StorageError.
    """
    path = Staging(staging, source, run).path
    fetcher = load(source).fetcher
    if not path.is_file() or fetcher is None:
        return Page(0, 0, [])
    streams = {stream.name: stream for stream in fetcher.streams()}
    words = fold(search or "").split()[:MOST_WORDS]
    where = " AND ".join(
        ["1", *("instr(folded, ?) > 0" for _ in words), *(["part = ?"] if part is not None else [])]
    )
    asked: list[str] = [*words, *([part] if part is not None else [])]
    try:
        with closing(look_into(path)) as db:
            total = sql.number(db, f"SELECT count(*) FROM vanishing WHERE {where}", asked)
            moved = sql.number(db, f"SELECT count(*) FROM vanishing WHERE moved AND {where}", asked)
            chosen = [
                (str(row[0]), str(row[1]), json.loads(str(row[2])), bool(row[3]), json.loads(str(row[4])))
                for row in db.execute(
                    "SELECT stream, part, key, moved, (SELECT partition FROM staged WHERE staged.stream = v.stream"
                    f" AND staged.part = v.part) FROM vanishing v WHERE {where} ORDER BY moved, id LIMIT ? OFFSET ?",
                    (*asked, limit, offset),
                )
            ]
        stored = reading.look_into(database)
        if stored is None:
            return Page(0, 0, [])
        with closing(stored):
            return Page(
                total,
                moved,
                [
                    Vanishing(
                        name,
                        of_part,
                        key if isinstance(key, list) else [key],
                        has_moved,
                        _summary(stored, streams.get(name), partition, key),
                    )
                    for name, of_part, key, has_moved, partition in chosen
                ],
            )
    except apsw.Error as error:
        raise sql.storage_error(error) from error
    except sqlite3.Error as error:
        raise reading.unreadable(error) from error


def summary_columns(stream: Stream) -> tuple[str, ...]:
    """The columns that the list shows."""
    own = tuple(column for column in stream.primary_key if column not in stream.partition_columns)
    return tuple(dict.fromkeys((*own, *(stream.summary or stream.columns[:8]))))


# -- in the run's process ---------------------------------------------------------------------------------


def check(db: sql.Destination, held: Sequence[HeldPart]) -> list[HeldPart]:
    """The parts that are published already. Raises Moved where another part is not as it was when compared."""
    done = []
    for part in held:
        now = lookup.digest_of(db, part.stream, part.part)
        if now == part.digest:
            done.append(part)
        elif now != part.base:
            raise Moved("The data have changed since they were compared; sync again.", part=part.part)
    return done


def check_base(db: sql.Destination, delta: Delta) -> None:
    """In the publishing transaction: the part is still what it was compared with. Raises Moved."""
    if lookup.digest_of(db, delta.stream.name, delta.part) != delta.base:
        raise Moved("The data have changed since they were compared; sync again.", part=delta.part)


def enter_opening(db: sql.Destination, run: str, about: str, epoch: int) -> None:
    """Open the books of an approval, in the caller's transaction."""
    if ledger.plan_of(db, run) is None:
        ledger.enter(db, run=run, epoch=epoch, kind="opening", outcome=f"approve {about}")


def _summary(
    db: sql.Destination, stream: Stream | None, partition: dict[str, str], key: Key
) -> dict[str, Any] | None:
    if stream is None:
        return None
    columns = summary_columns(stream)
    row = lookup.row(db, stream, partition, key, columns)
    return None if row is None else dict(zip(columns, row, strict=True))
