"""Notes about records (`_hamgam_rejected`): which were left out, and what is odd in those that are kept.

A note lives as long as its reason: it goes when its record goes, or is mended at the source. One that says again what
was said before keeps the run and the moment at which it was first said, so that people see since when.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fetchers.core.store import ledger, sql
from fetchers.core.store.index import Key

# What stands for the hash in a note about several rows (clashes.py): no raw record has it, so no part takes it away.
OF_SEVERAL_ROWS = b""

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
