"""The books of a destination: the fence, and what each run published.

The ledger is written in the transaction that publishes, so it is true whatever dies when: a run with its closing
entry was a success, and a part with its entry need not be asked for again (DESIGN.md 4.1). It knows a run by its
UUID, so that a restored control database cannot mistake old entries for new ones.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import apsw

from fetchers.core.errors import Fenced
from fetchers.core.store import sql

COUNTS = ("read", "added", "changed", "unchanged", "gone", "rejected", "duplicates")

SCHEMA = """
CREATE TABLE IF NOT EXISTS _hamgam_fence (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS _hamgam_ledger (
    run TEXT NOT NULL,
    stream TEXT NOT NULL,       -- '' for the opening and the closing entry
    part TEXT NOT NULL,
    kind TEXT NOT NULL,         -- opening, part, closing
    outcome TEXT NOT NULL,      -- published, unchanged; the plan's digest; success
    epoch INTEGER NOT NULL,
    read INTEGER NOT NULL, added INTEGER NOT NULL, changed INTEGER NOT NULL, unchanged INTEGER NOT NULL,
    gone INTEGER NOT NULL, rejected INTEGER NOT NULL, duplicates INTEGER NOT NULL,
    details TEXT,
    at TEXT NOT NULL,
    PRIMARY KEY (run, kind, stream, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _hamgam_kept (
    stream TEXT PRIMARY KEY,
    since TEXT NOT NULL         -- older lines of its diary may have been removed (core/store/retention.py)
);
INSERT INTO _hamgam_fence (id, epoch) VALUES (1, 0) ON CONFLICT DO NOTHING;
"""


@dataclass
class Counts:
    """What became of the records: read = added + changed + unchanged + rejected + duplicates; gone is apart."""

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    rejected: int = 0
    duplicates: int = 0

    def add(self, other: "Counts") -> None:
        """Add another part's counts to these."""
        for word in COUNTS:
            setattr(self, word, getattr(self, word) + getattr(other, word))

    def to_dict(self) -> dict[str, int]:
        """The counts by name, in the fixed order."""
        return asdict(self)

    def row(self) -> tuple[int, ...]:
        """The counts in the fixed order."""
        return tuple(getattr(self, word) for word in COUNTS)


@dataclass(frozen=True)
class Closing:
    """The closing entry of a run that succeeded."""

    counts: dict[str, int]
    partitions: dict[str, int]
    records: dict[str, int] = field(default_factory=dict)


def timestamp() -> str:
    """Now, ISO 8601 in UTC, as the books write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def prepare(db: sql.Destination) -> None:
    """Make the books where they are missing."""
    db.execute(SCHEMA)


def check_fence(db: sql.Destination, epoch: int) -> None:
    """Inside a publishing transaction: go on only if no newer engine has taken over.

    Raises Fenced. The UPDATE also takes the write lock, so nobody can raise the fence until we have committed.
    """
    db.execute("UPDATE _hamgam_fence SET epoch = ? WHERE id = 1 AND epoch <= ?", (epoch, epoch))
    if db.changes() != 1:
        raise Fenced(
            "A newer engine has taken over this destination; this process writes no more.", epoch=epoch
        )


def enter(
    db: sql.Destination,
    *,
    run: str,
    epoch: int,
    kind: str,
    outcome: str,
    stream: str = "",
    part: str = "",
    counts: Counts | None = None,
    details: dict[str, object] | None = None,
) -> None:
    """Write one entry, in the caller's transaction. Writing the same entry twice is an error of ours."""
    db.execute(
        "INSERT INTO _hamgam_ledger (run, stream, part, kind, outcome, epoch, read, added, changed, unchanged, gone,"
        " rejected, duplicates, details, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run,
            stream,
            part,
            kind,
            outcome,
            epoch,
            *(counts or Counts()).row(),
            json.dumps(details, ensure_ascii=False) if details else None,
            timestamp(),
        ),
    )


def plan_of(db: sql.Destination, run: str) -> str | None:
    """The digest of the plan that a run opened with; None if it never opened."""
    row = db.execute(
        "SELECT outcome FROM _hamgam_ledger WHERE run = ? AND kind = 'opening'", (run,)
    ).fetchone()
    return None if row is None else str(row[0])


def planned_at(db: sql.Destination, run: str) -> datetime | None:
    """The moment for which a run's first attempt planned; None if it never opened, or did not write it down."""
    row = db.execute(
        "SELECT details FROM _hamgam_ledger WHERE run = ? AND kind = 'opening'", (run,)
    ).fetchone()
    moment = None if row is None or row[0] is None else json.loads(str(row[0])).get("planned_at")
    return None if moment is None else datetime.fromisoformat(moment)


def parts_of(db: sql.Destination, runs: Iterable[str]) -> dict[tuple[str, str], tuple[str, Counts]]:
    """(stream, part) → (run, counts) of what these runs completed; the first run that has a part wins."""
    found: dict[tuple[str, str], tuple[str, Counts]] = {}
    for run in runs:
        for stream, part, *numbers in db.execute(
            "SELECT stream, part, read, added, changed, unchanged, gone, rejected, duplicates"
            " FROM _hamgam_ledger WHERE run = ? AND kind = 'part'",
            (run,),
        ):
            found.setdefault((str(stream), str(part)), (run, Counts(*(int(n) for n in numbers))))
    return found


def destination_epoch(url: str) -> int:
    """The highest epoch that this destination has seen; 0 if it is new. Writes nothing."""
    row = _read(url, "SELECT epoch FROM _hamgam_fence WHERE id = 1", ())
    return 0 if row is None else int(row[0])


def raise_fence(url: str, epoch: int) -> None:
    """From here on, refuse every publisher of an older epoch. Raises Fenced if a newer one was here already."""
    db = sql.connect(url)
    try:
        with sql.writing(db):
            prepare(db)
            check_fence(db, epoch)
    except apsw.Error as error:
        raise sql.storage_error(error, db) from error
    finally:
        db.close()


def verdict(url: str, run: str) -> Closing | None:
    """The closing entry of a run: with it, the run was a success, whatever happened to its process since."""
    row = _read(
        url,
        "SELECT read, added, changed, unchanged, gone, rejected, duplicates, details"
        " FROM _hamgam_ledger WHERE run = ? AND kind = 'closing'",
        (run,),
    )
    if row is None:
        return None
    details = json.loads(str(row[7]))
    numbers = dict(zip(COUNTS, (int(n) for n in row[:7]), strict=True))
    return Closing(numbers, details["partitions"], details["records"])


def _read(url: str, statement: str, values: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The first row of an answer; None also where there is no destination yet, or it has no books."""
    db = sql.connect_to_read(url)
    if db is None:
        return None
    try:
        books = sql.columns_of(db, "_hamgam_ledger")
        row: Any = db.execute(statement, values).fetchone() if books else None
    except apsw.Error as error:
        raise sql.storage_error(error, db) from error
    finally:
        db.close()
    return row
