"""Notes about records (`_hamgam_rejected`): which were left out, and what is odd in those that are kept.

A note lives as long as its reason: it goes when its record goes, or is mended at the source. One that says again what
was said before keeps the run and the moment at which it was first said, so that people see since when.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from fetchers.core.spool import batches
from fetchers.core.store import ledger, sql
from fetchers.core.store.index import Key

# What stands for the hash in a note about several rows (clashes.py): no raw record has it, so no part takes it away.
OF_SEVERAL_ROWS = b""

MANY = 1000  # notes that are in memory at once, of a part that is too large for it
FEW = 100  # records that are asked for one by one; for more, the whole part is read
_COLUMNS = ("run", "stream", "part", "hash", "key", "field", "reason", "kept", "raw", "at")

_json = msgspec.json.Encoder()
_Saying = tuple[str | None, str | None, str, str | None]  # key, field, reason, raw


@dataclass(frozen=True)
class Note:
    """An entry for `_hamgam_rejected`: a record left out (kept False), or something odd in one that is kept."""

    hash: bytes
    key: Key | None
    field: str | None
    reason: str
    kept: bool
    raw: str | None


class Notes:
    """Keeps the notes of one stream for one run, in the caller's transaction."""

    def __init__(self, db: sql.Destination, stream: str, run: str) -> None:
        self._db = db
        self._stream = stream
        self._run = run

    def renew(
        self, part: str, notes: Sequence[Note], *, forget: Iterable[bytes], everything: bool, is_new: bool
    ) -> None:
        """Write a part's notes.

        forget: raw records whose earlier notes go; everything: all that was said of this part's records goes.
        is_new: the part was never published, so nothing was said before.
        """
        if not isinstance(notes, list):
            self._renew_many(part, notes, set(forget), everything=everything, is_new=is_new)
            return
        stale = {*forget, *(note.hash for note in notes)}
        before = {} if is_new or not notes else self._said_before(part, None if everything else stale)
        if everything:
            self._db.execute(
                "DELETE FROM _hamgam_rejected WHERE stream = ? AND part = ? AND hash != ?",
                (self._stream, part, OF_SEVERAL_ROWS),
            )
        else:
            self._db.executemany(
                "DELETE FROM _hamgam_rejected WHERE stream = ? AND part = ? AND hash = ?",
                ((self._stream, part, mark) for mark in stale),
            )
        first = (self._run, ledger.timestamp())
        self._insert(_row(self._stream, part, note, *before.get(_saying(note), first)) for note in notes)

    def _renew_many(
        self, part: str, notes: Sequence[Note], forget: set[bytes], *, everything: bool, is_new: bool
    ) -> None:
        """The same of notes that are too many for memory: the new ones are written first, some at a time."""
        last = sql.number(self._db, "SELECT coalesce(max(id), 0) FROM _hamgam_rejected")
        first = (self._run, ledger.timestamp())
        for some in batches(notes, MANY):
            before = {} if is_new else self._said_of_keys(part, some, None if everything else forget, last)
            self._insert([_row(self._stream, part, note, *before.get(_saying(note), first)) for note in some])
        about = "DELETE FROM _hamgam_rejected WHERE stream = ? AND part = ? AND id <= ?"
        if everything:
            self._db.execute(f"{about} AND hash != ?", (self._stream, part, last, OF_SEVERAL_ROWS))
        else:
            stale = chain(forget, (note.hash for note in notes))
            self._db.executemany(
                f"{about} AND hash = ?", ((self._stream, part, last, mark) for mark in stale)
            )

    def write(self, notes: Iterable[tuple[str, Note]]) -> None:
        """Write notes that are said for the first time, each with its part."""
        now = ledger.timestamp()
        self._insert(_row(self._stream, part, note, self._run, now) for part, note in notes)

    def remove(self, ids: Iterable[int]) -> None:
        """Take notes away by their numbers."""
        self._db.executemany("DELETE FROM _hamgam_rejected WHERE id = ?", ((number,) for number in ids))

    def _said_before(self, part: str, of: Collection[bytes] | None) -> dict[_Saying, tuple[str, str]]:
        """What is said of these raw records, None: of all of the part → the run and the moment of its first saying."""
        asked = "SELECT key, field, reason, raw, run, at FROM _hamgam_rejected WHERE stream = ? AND part = ?"
        if of is None or len(of) > FEW:
            found = iter([self._db.execute(asked, (self._stream, part))])
        else:
            marks = [(self._stream, part, mark) for mark in of]
            found = sql.answers(self._db, f"{asked} AND hash = ?", marks)
        return {
            (key, field, reason, raw): (run, at)
            for rows in found
            for key, field, reason, raw, run, at in rows
        }

    def _said_of_keys(
        self, part: str, notes: Iterable[Note], of: Collection[bytes] | None, last: int
    ) -> dict[_Saying, tuple[str, str]]:
        """The same, but only what could be said again by these notes; asked by what the pages' index holds.

        last: the number of the last note that was said before.
        """
        alike: dict[tuple[str, str | None, bool], list[Note]] = {}
        for note in notes:
            alike.setdefault((note.reason, note.field, note.kept), []).append(note)
        found: dict[_Saying, tuple[str, str]] = {}
        for (reason, field, kept), some in alike.items():
            keys = [key for key in map(as_text, (note.key for note in some)) if key is not None]
            among, values = sql.among(self._db, keys)
            which = "field IS NULL" if field is None else "field = ?"
            # Of records that were left out there is no key, and of these there are few.
            whose = f"key {among}" if keys else "key IS NULL"
            for key, raw, mark, run, at in self._db.execute(
                "SELECT key, raw, hash, run, at FROM _hamgam_rejected WHERE stream = ? AND reason = ?"
                f" AND {which} AND kept = ? AND part = ? AND {whose} AND id <= ?",
                (
                    self._stream,
                    reason,
                    *(() if field is None else (field,)),
                    int(kept),
                    part,
                    *((values,) if keys else ()),
                    last,
                ),
            ):
                if of is None or mark in of:
                    found[key, field, reason, raw] = (run, at)
        return found

    def _insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        sql.insert_new(self._db, "_hamgam_rejected", _COLUMNS, rows)


def _saying(note: Note) -> _Saying:
    return as_text(note.key), note.field, note.reason, note.raw


def as_text(key: Key | None) -> str | None:
    """A key within its part as the notes and the diary write it."""
    if key is None:
        return None
    return _json.encode(key).decode() if isinstance(key, list) else str(key)


def _row(stream: str, part: str, note: Note, run: str, at: str) -> tuple[Any, ...]:
    return (
        run, stream, part, note.hash, as_text(note.key), note.field, note.reason, int(note.kept), note.raw, at
    )  # fmt: skip
