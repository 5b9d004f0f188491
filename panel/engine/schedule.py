"""What is due. The schedule is in the sync's row, so changing it needs no message to anybody.

`next_run_at` is the next moment; it always moves on, whether a run was started, skipped or failed. After the
engine was down, one run makes up for all that was missed.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from sqlalchemy import and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from panel import runs
from panel.models import DataSync, SkippedTick, SyncRun

ZONE = "Asia/Tehran"
KINDS = ("off", "interval", "cron")
LONGEST_INTERVAL = 366 * 24 * 60
LONGEST_BACK_OFF = timedelta(hours=6)
MISSED_TICKS_KEPT = 100  # of one downtime; a source due each minute would fill pages after a week
BATCH = 200


def N_(text: str) -> str:
    """Mark a text for the catalogue; who shows it translates it."""
    return text


def check_schedule(kind: str, interval_minutes: int | None, cron: str | None) -> str | None:
    """What is wrong with a schedule that somebody entered: an English sentence (a msgid), or None."""
    if kind not in KINDS:
        return N_("The schedule may be off, an interval, or a cron expression.")
    if kind == "interval" and (interval_minutes is None or not 1 <= interval_minutes <= LONGEST_INTERVAL):
        return N_("The interval must be from 1 minute to one year.")
    if kind == "cron":
        if not cron or len(cron.split()) != 5:
            return N_("A cron expression has five fields: minute, hour, day of month, month, day of week.")
        try:
            next(_cron_times(cron, datetime(2026, 1, 1, tzinfo=UTC), ZONE))
        except (CronSimError, ValueError):
            return N_("This cron expression cannot be read.")
        except StopIteration:
            return N_("This cron expression never comes due.")
    return None


def next_due(sync: DataSync, after: datetime, zone: str = ZONE) -> datetime | None:
    """The first due moment after `after`; None when the schedule is off.

    An interval keeps its beat: it counts on from the moment planned so far, so that runs do not drift.
    """
    if sync.schedule_kind == "interval" and sync.interval_minutes:
        beat = timedelta(minutes=sync.interval_minutes)
        if sync.next_run_at is None:
            return after + beat
        into = (after - sync.next_run_at) % beat
        return after + (beat - into)
    if sync.schedule_kind == "cron" and sync.cron:
        return next(_cron_times(sync.cron, after, zone))
    return None


def plan(sync: DataSync, now: datetime) -> None:
    """Set the next moment after a person changed the schedule."""
    sync.next_run_at = None
    sync.next_run_at = next_due(sync, now)


def after_failure(sync: DataSync, failures: int, now: datetime) -> datetime | None:
    """When to try next after the schedule's own run has failed `failures` times in a row; None: as planned.

    The gap between two due times, doubled with each failure after the first and at most 6 hours, then the
    next due time. So a source that is due each minute and broken fires after 1, 2, 4 … 360 minutes; one that
    is due every six hours or less often never loses a turn. A person's own failed try postpones nothing.
    """
    usual = next_due(sync, now)
    if usual is None:
        return None
    following = next_due(sync, usual)
    if following is None or following - usual >= LONGEST_BACK_OFF:
        return None
    pause = min((following - usual) * 2 ** min(max(failures - 1, 0), 20), LONGEST_BACK_OFF)
    if pause <= following - usual:
        return None
    return next_due(sync, now + pause - timedelta(seconds=1))


def start_due(session: Session, now: datetime) -> list[SyncRun]:
    """Ask for a run of every sync that is due, and move each schedule on; the caller commits.

    1. Give a next moment to syncs whose schedule was switched on or off without one.
    2. For each due sync: ask for one run, whatever was missed; a run that is still going is a skipped tick, and so
       is every tick while an undo has paused the sync.
    3. Move the next moment past `now`.
    """
    scheduled = DataSync.schedule_kind != "off"
    unplanned = or_(
        and_(scheduled, DataSync.next_run_at.is_(None)),
        and_(DataSync.schedule_kind == "off", DataSync.next_run_at.is_not(None)),
    )
    for sync in session.scalars(select(DataSync).where(unplanned).limit(BATCH)):
        sync.next_run_at = next_due(sync, now)
    due = select(DataSync).where(scheduled, DataSync.next_run_at <= now).order_by(DataSync.next_run_at)
    started: list[SyncRun] = []
    for sync in session.scalars(due.limit(BATCH)).all():
        tick = sync.next_run_at
        assert tick is not None
        if sync.paused_reason is not None:
            _skip(session, sync, [tick], "paused", None)
            sync.next_run_at = next_due(sync, now)
            continue
        answer = runs.request(session, sync, triggered_by="schedule", now=now, scheduled_for=tick)
        if not answer.joined:
            started.append(answer.run)
        elif answer.run.scheduled_for != tick:
            _skip(session, sync, [tick], "still_running", answer.run.id)
        missed = [moment for moment in islice(_due_times(sync, tick), MISSED_TICKS_KEPT) if moment <= now]
        _skip(session, sync, missed, "caught_up", answer.run.id)
        sync.next_run_at = next_due(sync, now)
        session.flush()
    return started


def is_anything_due(session: Session, now: datetime) -> bool:
    """The question of each second, asked without taking the write lock."""
    due = and_(DataSync.schedule_kind != "off", DataSync.next_run_at <= now)
    unplanned = and_(DataSync.schedule_kind != "off", DataSync.next_run_at.is_(None))
    left_over = and_(DataSync.schedule_kind == "off", DataSync.next_run_at.is_not(None))
    return session.scalar(select(DataSync.id).where(or_(due, unplanned, left_over)).limit(1)) is not None


def _due_times(sync: DataSync, after: datetime) -> Iterator[datetime]:
    moment = next_due(sync, after)
    while moment is not None:
        yield moment
        moment = next_due(sync, moment)


def _cron_times(cron: str, after: datetime, zone: str) -> Iterator[datetime]:
    """Due moments of a cron expression in local time; weekday 1 is Monday, 0 and 7 Sunday: crontab(5)."""
    for moment in CronSim(cron, after.astimezone(ZoneInfo(zone))):
        yield moment.astimezone(UTC)


def _skip(session: Session, sync: DataSync, ticks: list[datetime], reason: str, run_id: int | None) -> None:
    if not ticks:
        return
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    rows = [{"sync_id": sync.id, "due_at": tick, "reason": reason, "run_id": run_id} for tick in ticks]
    session.execute(dialect.insert(SkippedTick).values(rows).on_conflict_do_nothing())
