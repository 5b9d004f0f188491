"""When each part's last complete answer came: an incremental run leaves out closed parts that were asked lately.

A table of its own, one short row per part: beside the part's index, of some 20 kB, a new moment would be that much to
read and write each time. A part without a row is owed an answer: it was never complete, its last answer failed or is
held, or it was undone.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from fetchers.core.store import sql

SCHEMA = """
CREATE TABLE IF NOT EXISTS _hamgam_checked (
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    basis TEXT NOT NULL,        -- who answered, and by which rules it was read: under others it says nothing
    at TEXT NOT NULL,           -- the beginning of the run that read it
    PRIMARY KEY (stream, part)
) WITHOUT ROWID;
"""


class Checked:
    """The moments of one stream's parts, for one run."""

    def __init__(self, db: sql.Destination, stream: str, *, basis: str, moment: datetime) -> None:
        """basis: see the table. moment: timezone-aware; what the run's own answers are written down with."""
        self._db = db
        self._stream = stream
        self._basis = basis
        self._moment = moment.astimezone(UTC).isoformat(timespec="seconds")

    def known(self) -> dict[str, datetime]:
        """Part → when its last complete answer came, on the same basis."""
        return {
            str(part): datetime.fromisoformat(str(at))
            for part, at in self._db.execute(
                "SELECT part, at FROM _hamgam_checked WHERE stream = ? AND basis = ?",
                (self._stream, self._basis),
            )
        }

    def note(self, part: str) -> None:
        """A complete answer was published, or found unchanged; in the transaction that does so."""
        self._db.execute(
            "INSERT INTO _hamgam_checked (stream, part, basis, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (stream, part) DO UPDATE SET basis = excluded.basis, at = excluded.at",
            (self._stream, part, self._basis, self._moment),
        )


def forget(db: sql.Destination, stream: str, parts: Iterable[str]) -> None:
    """These parts are owed an answer, whatever came before; in the caller's transaction."""
    for part in parts:
        db.execute("DELETE FROM _hamgam_checked WHERE stream = ? AND part = ?", (stream, part))
