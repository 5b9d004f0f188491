"""Make a compared part visible: one transaction with its rows, diary, index and ledger entry, behind the fence.

A reader sees the part as it was or as it will be, never half of it; a process that dies here leaves the old part
whole. What is written is exactly what the comparison found.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import Any

import apsw

from fetchers.core.errors import Overtaken
from fetchers.core.fetcher import Stream
from fetchers.core.load.compare import Delta
from fetchers.core.spool import Pile, Spools, batches
from fetchers.core.store import ledger, sql
from fetchers.core.store.checked import Checked
from fetchers.core.store.clashes import Clashes
from fetchers.core.store.diary import Diary
from fetchers.core.store.facets import FacetCounts
from fetchers.core.store.index import encode
from fetchers.core.store.latest import LatestRows
from fetchers.core.store.notes import Notes
from fetchers.core.store.search import SearchRows, place_of
from fetchers.core.store.sql import Row

ROWS_AT_ONCE = 5000


class Publisher:
    """Publishes the parts of one stream for one run."""

    def __init__(
        self,
        db: sql.Destination,
        stream: Stream,
        *,
        run: str,
        epoch: int,
        ceiling: str | None,
        waiting: Callable[[], AbstractContextManager[None]],
        checked: Checked | None = None,
        spools: Spools | None = None,
    ) -> None:
        """waiting: entered while another process holds the destination, so that the screen can say so.

        checked: where it is written down that a part's answer came; None where what is published is no fresh answer.
        spools: where rows go that are taken out, if they are too many for memory.
        """
        self._db = db
        self._spools = spools or Spools()
        self._stream = stream
        self._run = run
        self._epoch = epoch
        self._waiting = waiting
        self._checked = checked
        columns = stream.columns
        self._columns = columns
        table = sql.name(stream.table)
        key = stream.primary_key
        # Two parts cannot hold one key where what was asked for is part of it.
        self._parts_are_apart = all(column in key for column in stream.partition_columns)
        match = " AND ".join(f"{sql.name(column)} = ?" for column in key)
        self._select_row = f"SELECT {sql.names(columns)} FROM {table} WHERE {match}"
        self._delete_row = f"DELETE FROM {table} WHERE {match}"
        self._asked = [name for column, name in stream.partition_columns.items() if column in key]
        self.diary = Diary(db, stream, run)
        self._notes = Notes(db, stream.name, run)
        self._clashes = Clashes(db, stream, run)
        searched, own = place_of(stream)
        self._search = SearchRows(db, searched, stream, own)
        self._facets = FacetCounts(db, stream.table, stream)
        self._latest = LatestRows(db, stream, ceiling) if stream.latest is not None else None

    def publish(self, delta: Delta, *, wait: bool = True) -> bool:
        """Publish one part. Raises Fenced, Overtaken or StorageError; then nothing of it is visible.

        1. Take the write lock; refuse if a newer engine has taken over, or the part is not as it was compared.
        2. Write the ledger's entry.
        3. Take out what is gone, put in what is new or changed, and write each into the diary.
        4. Keep the index, the notes, the counts, the table of newest rows and the search text in step.

        True, which is only where the caller need not `wait`: the server goes on with it by itself, and the part is
        visible, or lost with an error, once `sql.finish` has returned.
        """
        try:
            with begin_immediate(self._db, self._waiting, later=not wait):
                ledger.check_fence(self._db, self._epoch)
                self._check_base(delta)
                self.enter(delta)
            return sql.goes_on(self._db)
        except apsw.Error as error:
            raise sql.storage_error(error, self._db) from error

    def _check_base(self, delta: Delta) -> None:
        """A second process at one destination: what it published is not to be written over unseen."""
        row: Any = self._db.execute(
            "SELECT digest FROM _hamgam_partitions WHERE stream = ? AND part = ?",
            (self._stream.name, delta.part),
        ).fetchone()
        if (None if row is None else row[0]) != delta.base:
            raise Overtaken("Another process has published this part meanwhile.", part=delta.part)

    def enter(self, delta: Delta) -> None:
        """What publishing one part writes, in the caller's transaction, which has checked the fence."""
        ledger.enter(
            self._db,
            run=self._run,
            epoch=self._epoch,
            kind="part",
            outcome="unchanged" if delta.same else "published",
            stream=self._stream.name,
            part=delta.part,
            counts=delta.counts,
        )
        if self._checked is not None:
            self._checked.note(delta.part)
        if delta.pages is not None:
            self._db.execute(
                "INSERT INTO _hamgam_pages (stream, part, pages) VALUES (?, ?, ?)"
                " ON CONFLICT (stream, part) DO UPDATE SET pages = excluded.pages",
                (self._stream.name, delta.part, encode(delta.pages)),
            )
        if not delta.same:
            self._write(delta)

    def roll_over(self) -> None:
        """Once at a run's end, in its closing transaction, what only shows over all parts.

        Rows of terms that have begun come to the fore; rows that contradict one another get their notes.
        """
        if self._latest is not None:
            self._latest.roll_over()
        self._clashes.check()

    def _write(self, delta: Delta) -> None:
        asked = tuple(delta.partition[name] for name in self._asked)
        gone = self._take_out(delta, asked)
        table = self._stream.table
        all_new = delta.rows_before == 0 and self._parts_are_apart and not len(delta.changed)
        if not all_new:
            rows = chain(delta.added, (after for _, after in delta.changed))
            sql.put(self._db, table, self._columns, self._stream.primary_key, rows)
        write_diary(self.diary, delta, gone)
        self._count(delta, gone)
        self._notes.renew(
            delta.part,
            delta.notes,
            forget=delta.old_hashes,
            everything=delta.all_parsed,
            is_new=delta.base is None,
        )
        assert delta.index is not None  # only a part of which not a byte differs has none
        self._db.execute(
            "INSERT INTO _hamgam_partitions (stream, part, digest, rows, raw_index, run, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (stream, part) DO UPDATE SET digest = excluded.digest,"
            " rows = excluded.rows, raw_index = excluded.raw_index, run = excluded.run, at = excluded.at",
            (
                self._stream.name, delta.part, delta.digest, delta.rows_after, encode(delta.index), self._run,
                ledger.timestamp(),
            ),
        )  # fmt: skip
        if self._latest is not None:
            self._renew_newest(self._latest, delta, gone)
        else:
            self._search.remove(map(self.diary.key, gone))
            self._search.put(chain(delta.added, (after for _, after in delta.changed)))
        if all_new:  # nothing above looks at these rows, so what takes longest comes last
            sql.insert_new_last(self._db, table, self._columns, delta.added)

    def _count(self, delta: Delta, gone: Iterable[Row]) -> None:
        self._facets.went(chain(gone, (before for before, _ in delta.changed)))
        self._facets.came(chain(delta.added, (after for _, after in delta.changed)))
        self._facets.write()

    def _renew_newest(self, latest: LatestRows, delta: Delta, gone: Iterable[Row]) -> None:
        """Keep the table of newest rows in step; a large part some rows at a time, for those at hand are in memory."""
        changed = (after for _, after in delta.changed)
        touched = latest.persons(gone)
        if len(delta.added) + len(delta.changed) + len(touched) <= ROWS_AT_ONCE:
            latest.refresh(list(delta.added), list(changed), touched)
            return
        for rows in batches(delta.added, ROWS_AT_ONCE):
            latest.refresh(rows, [], [])
        for rows in batches(changed, ROWS_AT_ONCE):
            latest.refresh([], rows, [])
        for persons in batches(touched, ROWS_AT_ONCE):
            latest.refresh([], [], persons)

    def _take_out(self, delta: Delta, asked: tuple[str, ...]) -> Iterable[Row]:
        gone: Pile[Row] = Pile(Row, self._spools)
        keys = ((*asked, *(key if isinstance(key, list) else (key,))) for key in delta.gone)
        for some in batches(keys, ROWS_AT_ONCE):
            gone.extend(row for row in sql.look_up(self._db, self._select_row, some) if row is not None)
            self._db.executemany(self._delete_row, some)
        return gone


def write_diary(diary: Diary, delta: Delta, gone: Iterable[Row]) -> bool:
    """A part's lines, of whatever publishes or rehearses it. True: it was a first load, one line whatever its size."""
    first = delta.base is None and delta.rows_before == 0
    if first:
        diary.loaded(delta.part, len(delta.added))
    else:
        diary.changes(delta.part, delta.added, delta.changed, gone)
    return first


@contextmanager
def begin_immediate(
    db: sql.Destination, waiting: Callable[[], AbstractContextManager[None]], *, later: bool = False
) -> Any:
    """A transaction that holds the write lock from its start; says so while another process has it.

    The lock is asked for quickly first, then with the connection's patience. later: see `sql.committed`.
    """
    db.set_busy_timeout(0)
    try:
        db.execute("BEGIN IMMEDIATE")
    except apsw.BusyError:
        with waiting():
            db.set_busy_timeout(sql.BUSY_TIMEOUT_MS)
            db.execute("BEGIN IMMEDIATE")
    finally:
        db.set_busy_timeout(sql.BUSY_TIMEOUT_MS)
    with sql.committed(db, later=later):
        yield
