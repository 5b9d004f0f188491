"""Undo a run: in one transaction, behind the fence, take back what it published (DESIGN.md 4.4).

It asks no gateway and needs no setting of the source. It is a run of its own, with ledger and diary of its own, so
it can be undone too. The parts that it touches forget their index, so that the next ordinary sync compares them with
the stored rows and brings back whatever the gateway still says.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from fetchers.core.decide.reverse import Reversal, Reverser
from fetchers.core.errors import CannotUndo, FetchError
from fetchers.core.events import Events
from fetchers.core.fetcher import Fetcher, Stream
from fetchers.core.load.compare import Delta
from fetchers.core.load.fetching import FetcherBroken, Part
from fetchers.core.load.publish import Publisher, begin_immediate
from fetchers.core.load.tally import Tally
from fetchers.core.registry import load
from fetchers.core.spec import Spec
from fetchers.core.spool import Spools
from fetchers.core.store import checked, columns, discovered, ledger, lookup, retention, sql
from fetchers.core.store.diary import ADDED, CHANGED, GONE, LEFT
from fetchers.core.store.index import Index
from fetchers.core.store.ledger import Counts
from fetchers.core.store.reading import look_into, unreadable
from fetchers.core.store.sql import Row
from fetchers.core.wire.http import Session

NO_DIGEST = b""  # equals none, so that the part is compared again
FORGOTTEN = Index("", b"", b"", [])


@dataclass(frozen=True)
class Line:
    """One row as a preview shows it. kind: added (put in again), changed (fields put back), gone, left."""

    stream: str
    part: str
    key: str
    kind: str
    before: dict[str, Any] | None  # as it is now
    after: dict[str, Any] | None  # as it would be; of a row that is left, what would have been put back
    why: str | None = None


@dataclass
class Preview:
    """What an undo would do: counts as a run's, and the first lines. `left` counts rows left as they are."""

    counts: Counts = field(default_factory=Counts)
    left: int = 0
    parts: int = 0
    lines: list[Line] = field(default_factory=list)


def preview(database: str, source: str, run: str, *, limit: int = 50) -> Preview:
    """What undoing a run would do now. Writes nothing. Raises CannotUndo, FetcherBroken or StorageError."""
    streams = _streams(source)
    db = look_into(database)
    if db is None:
        raise CannotUndo("There is nothing to undo: the destination is empty.", reason="nothing")
    try:
        if not columns.diary_is_complete(db):
            raise CannotUndo(
                "The diary is of an earlier version; the next sync completes it.", reason="diary"
            )
        found = Preview()
        _must_be_whole(db, run, streams)
        with db:  # one view of the whole, though others write meanwhile
            for stream in discovered.streams(db, streams):
                for reversal, reverser in _reversals(db, stream, run):
                    found.counts.add(_counts(reversal))
                    found.left += len(reversal.left)
                    found.parts += 1
                    found.lines += _lines(stream, reversal, reverser, limit - len(found.lines))
        if not found.parts:
            raise _nothing(db, run)
        return found
    except sqlite3.Error as error:
        raise unreadable(error) from error
    finally:
        db.close()


class Undo:
    """One execution of an undo; speaks like a Job."""

    def __init__(self, spec: Spec, events: Events) -> None:
        self._spec = spec
        self._events = events
        self._tally = Tally(events)
        self._spools = Spools(Path(spec.staging) if spec.staging else None)

    def run(self) -> int:
        """Execute, tell, and return the exit code: 0 done, 1 failed.

        1. Find what the run published.
        2. In one transaction: refuse if a newer engine has taken over; take back part by part; close the books.
        3. Only then tell counts: until it is committed, nothing has happened.
        """
        try:
            self._streams = _streams(self._spec.source)
            db = sql.connect(self._spec.database)
            try:
                self._streams = columns.prepare(db, self._streams)
                self._execute(db)
            finally:
                db.close()
        except FetchError as error:
            self._tally.tell_end("error", {}, error)
            return 1
        except apsw.Error as error:
            self._tally.tell_end("error", {}, sql.storage_error(error, self._spec.database))
            return 1
        return 0

    def _execute(self, db: sql.Destination) -> None:
        spec, tally = self._spec, self._tally
        _must_be_whole(db, spec.about, self._streams)
        names = [
            self._label(stream, part)
            for stream in self._streams
            for part in Reverser(db, stream, spec.about).parts()
        ]
        if not names:
            raise _nothing(db, spec.about)
        tally.planned = len(names)
        self._events.send("plan", parts=names, resumed=[])
        with begin_immediate(db, tally.waiting_for_destination):
            ledger.check_fence(db, spec.epoch)
            ledger.enter(db, run=spec.run, epoch=spec.epoch, kind="opening", outcome=f"undo of {spec.about}")
            done, left = self._take_all_back(db)
            total = Counts()
            for _, counts in done:
                total.add(counts)
            if not (total.added or total.changed or total.gone):
                raise CannotUndo("Every row of this run was changed since.", reason="left", left=left)
            records = lookup.how_many(db, self._streams)
            partitions = {**tally.partitions(), "done": len(done)}
            ledger.enter(
                db,
                run=spec.run,
                epoch=spec.epoch,
                kind="closing",
                outcome="success",
                counts=total,
                details={"partitions": partitions, "records": records, "left": left},
            )
        tally.counts, tally.done = total, len(done)
        for part, counts in done:
            tally.tell_part(part, "done", None, counts=counts)
        if left:
            self._events.log(
                f"{left} rows were changed since that run and are left as they are; the diary lists them.",
                "warning",
            )
        tally.tell_end("result", records, None)

    def _take_all_back(self, db: sql.Destination) -> tuple[list[tuple[Part, Counts]], int]:
        """Each part with its counts, and how many rows are left (wholly or in some fields)."""
        spec, waiting = self._spec, self._tally.waiting_for_destination
        done: list[tuple[Part, Counts]] = []
        left = 0
        for stream in self._streams:
            ceiling = self._ceiling(db, stream)
            publisher = Publisher(
                db,
                stream,
                run=spec.run,
                epoch=spec.epoch,
                ceiling=ceiling,
                waiting=waiting,
                spools=self._spools,
            )
            for reversal, reverser in _reversals(db, stream, spec.about, self._spools):
                counts = _counts(reversal)
                _take_back(db, publisher, stream, reversal, reverser, counts)
                left += len(reversal.left)
                done.append((Part(stream, reversal.partition, self._label(stream, reversal.part)), counts))
                self._tally.staged += counts.read + counts.gone
                self._tally.tell(None)
        return done, left

    def _label(self, stream: Stream, part: str) -> str:
        return part if len(self._streams) == 1 else f"{stream.name}/{part}"

    def _ceiling(self, db: sql.Destination, stream: Stream) -> str | None:
        """What the table of newest rows took for the newest value that has begun, so that it stays in step."""
        if stream.latest is None:
            return None
        row = db.execute(
            "SELECT current_mark FROM _hamgam_streams WHERE stream = ?", (stream.name,)
        ).fetchone()
        if row is not None and row[0] is not None:
            return str(row[0])
        # No run has ended well yet. The fetcher knows; its settings say nothing about it.
        kind = _fetcher(self._spec.source)
        settings = kind.Settings.model_construct()
        fetcher = kind(settings, Session(settings, self._events, self._spec.now))
        return str(getattr(fetcher, stream.latest.ceiling)())


def _take_back(
    db: sql.Destination,
    publisher: Publisher,
    stream: Stream,
    reversal: Reversal,
    reverser: Reverser,
    counts: Counts,
) -> None:
    """Write one part's reversal as a publisher writes any change, then the rows that are left."""
    if reversal.nothing:
        return
    before = reverser.rows(reversal.part)
    publisher.enter(
        Delta(
            stream, reversal.partition, reversal.part, counts, NO_DIGEST,
            base=NO_DIGEST,
            index=FORGOTTEN,
            added=reversal.insert,
            changed=reversal.put_back,
            gone=[reverser.key_of(row) for row in reversal.remove],
            rows_before=before,
        )
    )  # fmt: skip
    if before + counts.added == counts.gone:
        # As if it had never been loaded: when it comes again, that is a first load.
        db.execute(
            "DELETE FROM _hamgam_partitions WHERE stream = ? AND part = ?", (stream.name, reversal.part)
        )
    checked.forget(
        db, stream.name, [reversal.part]
    )  # the next ordinary run asks, also where the part is closed
    publisher.diary.left(
        reversal.part, ((line.key, line.why, line.wanted, line.folded) for line in reversal.left)
    )


def _reversals(
    db: sql.Destination, stream: Stream, run: str, spools: Spools | None = None
) -> Iterator[tuple[Reversal, Reverser]]:
    reverser = Reverser(db, stream, run, spools)
    for part in reverser.parts():
        yield reverser.reverse(part), reverser


def _counts(reversal: Reversal) -> Counts:
    """As a run's: read is every row that was looked at and stays or comes back; unchanged are those left alone."""
    added, changed, left = len(reversal.insert), len(reversal.put_back), reversal.untouched
    return Counts(
        read=added + changed + left, added=added, changed=changed, unchanged=left, gone=len(reversal.remove)
    )


def _lines(stream: Stream, reversal: Reversal, reverser: Reverser, room: int) -> list[Line]:
    """The first lines of a part's preview: what is left first, since it needs a person."""
    if room <= 0:
        return []
    diary, names = reverser.diary, stream.columns

    def line(row: Row, kind: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Line:
        return Line(stream.name, reversal.part, diary.key(row), kind, before, after)

    def whole(row: Row) -> dict[str, Any]:
        return dict(zip(names, row, strict=True))

    found = [
        Line(stream.name, reversal.part, one.key, LEFT, None, one.wanted, one.why)
        for one in reversal.left[:room]
    ]
    for now, then in reversal.put_back[:room]:
        differ = [place for place, value in enumerate(now) if value != then[place]]
        found.append(
            line(
                now,
                CHANGED,
                {names[place]: now[place] for place in differ},
                {names[place]: then[place] for place in differ},
            )
        )
    found += [line(row, ADDED, None, whole(row)) for row in reversal.insert[:room]]
    found += [line(row, GONE, whole(row), None) for row in reversal.remove[:room]]
    return found[:room]


def _must_be_whole(db: sql.Destination, run: str, streams: list[Stream]) -> None:
    """A run of which the diary has forgotten some lines would be half undone. Raises CannotUndo."""
    if retention.is_cut(db, run, [stream.name for stream in streams]):
        raise CannotUndo("The diary does not reach back to this run any more.", reason="diary")


def _nothing(db: sql.Destination, run: str) -> CannotUndo:
    """Why a run has no line in the diary."""
    published = sql.number(
        db,
        "SELECT coalesce(sum(added + changed + gone), 0) FROM _hamgam_ledger WHERE run = ? AND kind = 'part'",
        (run,),
    )
    if published:
        return CannotUndo("The diary does not reach back to this run any more.", reason="diary")
    return CannotUndo("This run changed nothing, so there is nothing to undo.", reason="nothing")


def _streams(source: str) -> list[Stream]:
    return _fetcher(source).streams()


def _fetcher(source: str) -> type[Fetcher]:
    listing = load(source)
    if listing.fetcher is None:
        raise FetcherBroken(f"The fetcher {source} cannot be used: {listing.error}", source=source)
    return listing.fetcher
