"""What pages, commands and programs are told of a schedule: what it is, its next times, and turns without a run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from panel import holidays
from panel.engine import schedule
from panel.engine.days import N_
from panel.models import DataSync, SkippedTick
from panel.models.base import iso

SKIPPED = 20
# Why a turn started no run, by what the row says.
REASONS = {
    "still_running": N_("the run before it was still going"),
    "caught_up": N_("made up for by one run, after the engine was down"),
    "paused": N_("paused after an undo"),
    "paused_until": N_("paused by a person"),
    "quiet_hours": N_("the engine came back in the quiet hours"),
    "holiday": N_("the engine came back on a holiday"),
    "backing_off": N_("its runs keep failing, so it is tried less often"),
}


def skipped(session: Session, sync: DataSync, count: int) -> Sequence[SkippedTick]:
    """The newest due times at which no run was started."""
    found = select(SkippedTick).where(SkippedTick.sync_id == sync.id).order_by(SkippedTick.due_at.desc())
    return session.scalars(found.limit(count)).all()


def told(session: Session, sync: DataSync, now: datetime, *, times: int) -> dict[str, Any]:
    """The whole as JSON."""
    calendar = holidays.calendar(session)
    row = sync.to_dict()
    return {
        **{name: row[name] for name in ("key", "schedule", "paused", "paused_until")},
        "zone": calendar.zone.key,
        "next": [iso(at) for at in schedule.upcoming(sync, now, calendar, times)],
        "skipped": [
            {"due_at": iso(tick.due_at), "reason": tick.reason, "run": tick.run_id}
            for tick in skipped(session, sync, SKIPPED)
        ],
    }
