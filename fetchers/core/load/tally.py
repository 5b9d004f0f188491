"""What a job has done so far, and telling it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fetchers.core.errors import FetchError
from fetchers.core.events import Events
from fetchers.core.load.fetching import Part
from fetchers.core.store import sql
from fetchers.core.store.ledger import Counts
from fetchers.core.wire.http import Session


@dataclass
class Tally:
    """The job's running figures, and its voice."""

    events: Events
    counts: Counts = field(default_factory=Counts)
    planned: int = 0
    done: int = 0
    failed: int = 0
    held: int = 0
    staged: int = 0  # records that came; only grows
    destination_busy: bool = False

    def partitions(self) -> dict[str, int]:
        """The parts' figures by name."""
        return {"planned": self.planned, "done": self.done, "failed": self.failed, "held": self.held}

    def tell(self, session: Session | None, *, force: bool = False) -> None:
        """Progress, at most twice a second; session: whose waiting is shown."""
        waiting = session.waiting if session is not None else None
        if session is not None:  # while a part of many pages is read, its pages are the sign of life
            self.staged = max(self.staged, session.received)
        if self.destination_busy:
            until = datetime.now(UTC) + timedelta(milliseconds=sql.BUSY_TIMEOUT_MS)
            waiting = {"reason": "destination", "until": until.isoformat(timespec="seconds")}
        self.events.progress(
            force=force,
            counts=self.counts.to_dict(),
            partitions=self.partitions(),
            staged=self.staged,
            waiting=waiting,
        )

    def tell_part(
        self,
        part: Part,
        state: str,
        seconds: float | None,
        *,
        counts: Counts | None = None,
        error: FetchError | None = None,
    ) -> None:
        """What became of a part. seconds: how long fetching it took; None where that was told before."""
        self.events.send(
            "partition",
            part=part.label,
            state=state,
            counts=counts.to_dict() if counts else None,
            error=error.to_dict() if error else None,
            seconds=None if seconds is None else round(seconds, 3),
        )

    def tell_end(self, kind: str, records: dict[str, int], error: FetchError | None) -> None:
        """The last word: result, held or error."""
        fields: dict[str, Any] = {
            "counts": self.counts.to_dict(),
            "partitions": self.partitions(),
            "records": records,
        }
        if error is not None:
            fields["error"] = error.to_dict()
        self.events.send(kind, **fields)

    @contextmanager
    def waiting_for_destination(self) -> Iterator[None]:
        """While another process writes the destination, the screen says so."""
        self.destination_busy = True
        self.tell(None, force=True)
        try:
            yield
        finally:
            self.destination_busy = False
