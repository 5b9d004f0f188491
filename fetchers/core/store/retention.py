"""How far back a destination remembers: older lines of the diary go, behind the fence, a few at a time.

What goes is noted first (`_hamgam_kept`: from when on the diary of a stream is whole), so that a run of which some
lines are gone is never half undone. With the diary go the ledger's entries of single parts, and the notes about
rejected records of parts that are no more; the opening and closing entries of a run stay, for they say how it ended.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import apsw

from fetchers.core.store import ledger, sql
from fetchers.core.store.diary import LEFT

AT_ONCE = 1000  # lines: a transaction of some 50 ms
# A run goes on where an unfinished one of the last day stopped, so entries of parts live longer than that whatever
# a source's rule says.
LEDGER_DAYS = 30
_OF_NO_PART = (
    "NOT EXISTS (SELECT 1 FROM _hamgam_partitions AS one WHERE one.stream = note.stream"
    " AND one.part = note.part)"
)


@dataclass(frozen=True)
class Rule:
    """What of one source may go. undoable: its runs that can be undone, the newest first; one always stays whole."""

    streams: tuple[str, ...]
    before: datetime
    undoable: tuple[str, ...] = ()


@dataclass
class Cut:
    """What one call has removed. `done`: nothing is left to remove."""

    lines: int = 0
    entries: int = 0
    notes: int = 0
    done: bool = False


def cut(url: str, rule: Rule, *, epoch: int, now: datetime, go_on: Callable[[], bool]) -> Cut:
    """Remove what is older than the rule says, while `go_on` says so before each batch.

    The books must be there (`ledger.raise_fence` has made them). Raises Fenced or StorageError.
    """
    removed = Cut()
    db = sql.connect(url)
    try:
        if not sql.columns_of(db, "_hamgam_changes"):
            removed.done = True
            return removed
        since = _horizon(db, rule)
        parts_since = min(since, _text(now - timedelta(days=LEDGER_DAYS)))
        removed.done = (
            all(_forget(db, stream, since, removed, epoch, go_on) for stream in rule.streams)
            and all(_forget_parts(db, stream, parts_since, removed, epoch, go_on) for stream in rule.streams)
            and all(_forget_notes(db, stream, since, removed, epoch, go_on) for stream in rule.streams)
        )
    except apsw.Error as error:
        raise sql.storage_error(error, db) from error
    finally:
        db.close()
    return removed


def reaches_back(url: str, before: datetime, now: datetime) -> bool:
    """Whether `cut` may find anything for rules that reach to this moment; asked once for all sources."""
    db = sql.connect_to_read(url)
    if db is None:
        return False
    try:
        if not sql.columns_of(db, "_hamgam_changes"):
            return False
        since, parts_since = _text(before), _text(min(before, now - timedelta(days=LEDGER_DAYS)))
        asked = (
            ("SELECT 1 FROM _hamgam_changes WHERE at < ? LIMIT 1", since),
            ("SELECT 1 FROM _hamgam_ledger WHERE kind = 'part' AND at < ? LIMIT 1", parts_since),
            (f"SELECT 1 FROM _hamgam_rejected AS note WHERE at < ? AND {_OF_NO_PART} LIMIT 1", since),
        )
        return any(db.execute(old, (moment,)).fetchone() is not None for old, moment in asked)
    except apsw.Error as error:
        raise sql.storage_error(error) from error
    finally:
        db.close()


def is_cut(db: sql.Destination, run: str, streams: Sequence[str]) -> bool:
    """Whether lines of this run may have gone. Only reads; also from a destination that never heard of it."""
    if not sql.columns_of(db, "_hamgam_kept"):
        return False
    begun = _begun(db, run)
    return begun is not None and any(
        begun < since for stream, since in reaches_to(db).items() if stream in streams
    )


def told_of(url: str, runs: Sequence[str]) -> set[str] | None:
    """Of these runs, those of which the diary has lines; None where there is no diary to ask. Raises StorageError."""
    db = sql.connect_to_read(url)
    if db is None:
        return None
    try:
        if not sql.columns_of(db, "_hamgam_changes"):
            return None
        one = "SELECT 1 FROM _hamgam_changes WHERE run = ? LIMIT 1"
        return {run for run in runs if db.execute(one, (run,)).fetchone() is not None}
    except apsw.Error as error:
        raise sql.storage_error(error) from error
    finally:
        db.close()


def reaches_to(db: sql.Destination) -> dict[str, str]:
    """Stream → the moment from which on its diary is whole; a stream of which nothing was cut is not in it."""
    return {str(stream): str(since) for stream, since in db.execute("SELECT stream, since FROM _hamgam_kept")}


def _horizon(db: sql.Destination, rule: Rule) -> str:
    """From when on everything stays: what the rule says, or the beginning of the newest run that can be undone."""
    for run in rule.undoable:
        marks = ", ".join("?" for _ in rule.streams)
        line = db.execute(
            f"SELECT 1 FROM _hamgam_changes WHERE run = ? AND stream IN ({marks}) AND kind != ? LIMIT 1",
            (run, *rule.streams, LEFT),
        ).fetchone()
        begun = _begun(db, run)
        if line is not None and begun is not None:
            return min(begun, _text(rule.before))
    return _text(rule.before)


def _begun(db: sql.Destination, run: str) -> str | None:
    row = db.execute("SELECT at FROM _hamgam_ledger WHERE run = ? AND kind = 'opening'", (run,)).fetchone()
    return None if row is None else str(row[0])


def _forget(
    db: sql.Destination, stream: str, since: str, removed: Cut, epoch: int, go_on: Callable[[], bool]
) -> bool:
    """Lines of the diary. True: none is left to remove."""
    old = "SELECT id FROM _hamgam_changes WHERE stream = ? AND at < ? ORDER BY at LIMIT ?"
    while db.execute(old, (stream, since, 1)).fetchone() is not None:
        if not go_on():
            return False
        with _behind_the_fence(db, epoch):
            db.execute(
                "INSERT INTO _hamgam_kept (stream, since) VALUES (?, ?) ON CONFLICT (stream) DO UPDATE"
                " SET since = excluded.since WHERE _hamgam_kept.since < excluded.since",
                (stream, since),
            )
            db.execute(f"DELETE FROM _hamgam_changes WHERE id IN ({old})", (stream, since, AT_ONCE))
            gone = db.changes()
        removed.lines += gone
    return True


def _forget_parts(
    db: sql.Destination, stream: str, since: str, removed: Cut, epoch: int, go_on: Callable[[], bool]
) -> bool:
    """What single parts of old runs came to. True: none is left to remove."""
    old = "run = ? AND kind = 'part' AND stream = ? AND at < ?"
    runs = db.execute(
        "SELECT DISTINCT run FROM _hamgam_ledger WHERE kind = 'part' AND stream = ? AND at < ?",
        (stream, since),
    ).fetchall()
    for (run,) in runs:
        if not go_on():
            return False
        with _behind_the_fence(db, epoch):
            db.execute(f"DELETE FROM _hamgam_ledger WHERE {old}", (run, stream, since))
            gone = db.changes()
        removed.entries += gone
    return True


def _forget_notes(
    db: sql.Destination, stream: str, since: str, removed: Cut, epoch: int, go_on: Callable[[], bool]
) -> bool:
    """Notes about records of parts that are no more. True: none is left to remove."""
    old = f"SELECT id FROM _hamgam_rejected AS note WHERE stream = ? AND at < ? AND {_OF_NO_PART} LIMIT ?"
    while db.execute(old, (stream, since, 1)).fetchone() is not None:
        if not go_on():
            return False
        with _behind_the_fence(db, epoch):
            db.execute(f"DELETE FROM _hamgam_rejected WHERE id IN ({old})", (stream, since, AT_ONCE))
            gone = db.changes()
        removed.notes += gone
    return True


@contextmanager
def _behind_the_fence(db: sql.Destination, epoch: int) -> Iterator[None]:
    """One transaction that writes, refused if a newer engine has taken over. Raises Fenced."""
    with sql.writing(db):
        ledger.check_fence(db, epoch)
        yield


def _text(moment: datetime) -> str:
    """A moment as the books write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
