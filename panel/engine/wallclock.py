"""The wall clock is set back: what was put off until a moment by the former clock is due that much earlier.

Clocks that are wrong are set right by a step, mostly soon after a machine has started. A step forward makes things
due at once, which is harmless: one run makes up for all that was missed. After a step back, everything that waits
for a moment would wait longer by as much; a source that is due each hour would rest for a day after a correction by
a day. Durations and the lease are judged by clocks that nobody sets.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import null, select, update
from sqlalchemy.orm import Session

from panel import clock, holidays
from panel.engine import schedule
from panel.models import DataSync, SyncRun

TOLERANCE = timedelta(seconds=2)  # a clock that is merely slowed down loses half a millisecond a second
OF_ANOTHER_START = timedelta(minutes=1)  # two readings of two processes


class Watch:
    """Tells when the wall clock was set back, by its distance to the time since boot."""

    def __init__(self) -> None:
        self._ahead = _ahead()

    def set_back(self) -> timedelta | None:
        """By how much, since this was last asked."""
        before, self._ahead = self._ahead, _ahead()
        back = timedelta(seconds=before - self._ahead)
        return back if back > TOLERANCE else None


def since_heartbeat(heartbeat_at: datetime | None, now: datetime) -> timedelta | None:
    """By how much at least it was set back since the last engine of this machine was heard of."""
    if heartbeat_at is None or heartbeat_at - now < OF_ANOTHER_START:
        return None
    return heartbeat_at - now


def pull_back(session: Session, by: timedelta, now: datetime) -> None:
    """Bring forward what waits, in the caller's transaction. now: by the clock as it was set.

    1. The next moment of each schedule. A back-off stays as long as it was.
    2. Due times that lie ahead again and were answered by the former clock may be answered by this one.
    3. The next attempt of each waiting run.
    """
    calendar = holidays.calendar(session)
    for sync in session.scalars(select(DataSync).where(DataSync.next_run_at > now)).all():
        assert sync.next_run_at is not None
        sooner = max(sync.next_run_at - by, now)
        # An interval keeps its beat in real time; what goes by the clock goes by the one that is right now.
        if sync.schedule_kind != "interval":
            sync.next_run_at = schedule.next_due(sync, sooner - timedelta(seconds=1), calendar)
        else:
            sync.next_run_at = sooner
    session.execute(
        update(SyncRun)
        .where(SyncRun.scheduled_for > now)
        .values(scheduled_for=null())
        .execution_options(synchronize_session=False)
    )
    for run in session.scalars(select(SyncRun).where(SyncRun.status == "pending")).all():
        if run.not_before > now:
            run.not_before = max(run.not_before - by, now)
            run.waiting = _sooner(run.waiting, run.not_before)


def _sooner(waiting: dict[str, Any] | None, until: datetime) -> dict[str, Any] | None:
    return {**waiting, "until": until.isoformat()} if waiting and waiting.get("until") else waiting


def _ahead() -> float:
    return clock.utcnow().astimezone(UTC).timestamp() - clock.boottime()
