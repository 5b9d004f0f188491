"""Whether something that should have happened did not: a turn that nothing has answered, data that nothing has renewed.

It is judged when somebody looks, by whoever looks: page, command, REST and /healthz say the same, also while no engine
runs, which could not report itself.

    due time ── late after two minutes ── overdue after the grace of the sync
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload

from panel.models import DataSync
from panel.models.base import iso
from panel.zones import TEHRAN

LATE, OVERDUE = "late", "overdue"
LATE_AFTER = timedelta(minutes=2)  # a full engine or a restart takes as long, and needs nobody


@dataclass(frozen=True)
class Timeliness:
    """How a sync stands with time.

    turn: None, `late` or `overdue`; due_at: the due time that nothing has answered then.
    stale: the data are older than they should be, since `stale_since`; None where nothing is expected of them.
    """

    turn: str | None
    due_at: datetime | None
    stale: bool | None
    stale_since: datetime | None = None

    @property
    def needs_a_person(self) -> bool:
        return self.turn == OVERDUE or bool(self.stale)

    def in_words(self, sync: DataSync) -> list[str]:
        """What should have happened and did not, an English sentence each, on Tehran's clock."""
        said = []
        if self.turn is not None:
            said.append(f"{self.turn}: a run should have begun at {_clock(self.due_at)}, and has not")
        if self.stale:
            said.append(
                f"stale: the data are as of {_clock(sync.data_as_of)}, "
                f"and should have been renewed by {_clock(sync.fresh_until)}"
            )
        return said

    def to_dict(self) -> dict[str, Any]:
        """As REST and `status --json` tell it."""
        return {"late": self.turn, "late_since": iso(self.due_at), "stale": self.stale}


def timeliness(sync: DataSync, now: datetime) -> Timeliness:
    """How this sync stands with time now."""
    due_at = _unanswered(sync, now)
    turn = None
    if due_at is not None and now - due_at > LATE_AFTER:
        grace = timedelta(minutes=sync.grace_minutes)
        turn = OVERDUE if now - due_at > max(grace, LATE_AFTER) else LATE
    fresh_until = sync.fresh_until
    stale = None if fresh_until is None else now > fresh_until
    return Timeliness(turn, None if turn is None else due_at, stale, fresh_until if stale else None)


def needing_a_person(session: Session, now: datetime) -> list[tuple[DataSync, Timeliness]]:
    """The syncs of which something is overdue or stale, by name."""
    return [(sync, how) for sync, how in not_in_time(session, now) if how.needs_a_person]


def not_in_time(session: Session, now: datetime) -> list[tuple[DataSync, Timeliness]]:
    """The syncs of which something is late, overdue or stale, by name. Only those that may be are read."""
    limits = session.scalars(select(DataSync.fresh_hours).where(DataSync.fresh_hours > 0).distinct()).all()
    too_old = [
        and_(DataSync.fresh_hours == hours, DataSync.data_as_of < now - timedelta(hours=hours))
        for hours in limits
    ]
    may_be: Sequence[DataSync] = session.scalars(
        select(DataSync)
        .options(joinedload(DataSync.last_run))
        .where(
            or_(
                and_(DataSync.schedule_kind != "off", DataSync.next_run_at <= now - LATE_AFTER),
                DataSync.status == "pending",
                DataSync.renewal_due_at <= now,
                *too_old,
            )
        )
        .order_by(DataSync.key)
    ).all()
    judged = [(sync, timeliness(sync, now)) for sync in may_be]
    return [(sync, how) for sync, how in judged if how.turn is not None or how.stale]


def _clock(moment: datetime | None) -> str:
    return "–" if moment is None else moment.astimezone(TEHRAN).strftime("%Y-%m-%d %H:%M")


def _unanswered(sync: DataSync, now: datetime) -> datetime | None:
    """The earliest due time that has passed and for which nothing has begun."""
    if sync.schedule_kind == "off" or sync.is_paused(now):
        return None
    waiting = []
    if sync.next_run_at is not None and sync.next_run_at <= now:
        waiting.append(sync.next_run_at)
    run = sync.last_run
    if run is not None and run.status == "pending" and run.started_at is None and run.scheduled_for:
        waiting.append(run.scheduled_for)
    return min(waiting, default=None)
