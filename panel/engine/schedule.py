"""What is due. The schedule is in the sync's row, so changing it needs no message to anybody.

`next_run_at` is the next moment; it always moves on, whether a run was started, skipped or failed. After the
engine was down, one run makes up for all that was missed. A due time without a run is written down with its reason.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

from cronsim import CronSim, CronSimError
from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from panel import audit, holidays, runs
from panel.engine import windows
from panel.engine.days import N_, Calendar
from panel.engine.windows import Rules
from panel.models import DataSync, SkippedTick, SyncRun
from panel.models.runs import ON_TIME

KINDS = ("off", "interval", "cron", "calendar")
LONGEST_INTERVAL = 366 * 24 * 60
LONGEST_BACK_OFF = timedelta(hours=6)
MISSED_TICKS_KEPT = 100  # of one downtime; a source due each minute would fill pages after a week
LEFT_OUT_KEPT = 400  # of one back-off: all of them, for 6 hours have 360 minutes
BATCH = 200
_MOMENT = timedelta(microseconds=1)


def check_schedule(
    kind: str,
    interval_minutes: int | None,
    cron: str | None,
    rules: Rules | None,
    calendar: Calendar,
    now: datetime,
) -> str | None:
    """What is wrong with a schedule that somebody entered: an English sentence (a msgid), or None."""
    if kind not in KINDS:
        return N_("The schedule may be off, an interval, by the calendar, or a cron expression.")
    if kind == "interval" and (interval_minutes is None or not 1 <= interval_minutes <= LONGEST_INTERVAL):
        return N_("The interval must be from 1 minute to one year.")
    if kind == "cron":
        if not cron or len(cron.split()) != 5:
            return N_("A cron expression has five fields: minute, hour, day of month, month, day of week.")
        try:
            next(_cron_times(cron, now, calendar))
        except (CronSimError, ValueError):
            return N_("This cron expression cannot be read.")
        except StopIteration:
            return N_("This cron expression never comes due.")
    if kind == "calendar":
        if rules is None:
            return N_("Give a time of the day, such as 02:30, or a number of minutes.")
        if rules.next_moment(now, calendar) is None:
            if rules.usual is None and rules.weeks.listed:
                return N_("This schedule never comes due: the calendar lists no registration weeks ahead.")
            return N_("This schedule never comes due: no day or time is left by what it leaves out.")
    return None


def rules_of(sync: DataSync) -> Rules | None:
    """The rules of a schedule by the calendar; None for other kinds."""
    if sync.schedule_kind != "calendar" or sync.calendar_rules is None:
        return None
    return windows.from_json(sync.calendar_rules)


def next_due(sync: DataSync, after: datetime, calendar: Calendar) -> datetime | None:
    """The first due moment after `after`; None when the schedule is off, or never comes due (any more).

    An interval keeps its beat: it counts on from the moment planned so far, so that runs do not drift.
    """
    return next(_due_times(sync, after, calendar), None)


def _due_times(sync: DataSync, after: datetime, calendar: Calendar) -> Iterator[datetime]:
    if sync.schedule_kind == "interval" and sync.interval_minutes:
        beat = timedelta(minutes=sync.interval_minutes)
        into = timedelta(0) if sync.next_run_at is None else (after - sync.next_run_at) % beat
        moment = after + (beat - into)
        while True:
            yield moment
            moment += beat
    if sync.schedule_kind == "cron" and sync.cron:
        yield from _cron_times(sync.cron, after, calendar)
    rules = rules_of(sync)
    while rules is not None:
        found = rules.next_moment(after, calendar)
        if found is None:
            return
        yield found
        after = found


def upcoming(sync: DataSync, now: datetime, calendar: Calendar, count: int) -> list[datetime]:
    """The next moments at which a run will begin by itself; those of a pause until a moment are left out."""
    if sync.paused_reason is not None:
        return []
    since = now if sync.paused_until is None else max(now, sync.paused_until - _MOMENT)
    planned = sync.next_run_at  # a back-off may have put it off
    times = _due_times(sync, since, calendar)
    if planned is not None and planned > since and sync.schedule_kind != "off":
        times = _from(planned, _due_times(sync, planned, calendar))
    return list(islice(times, count))


def _from(first: datetime, others: Iterable[datetime]) -> Iterator[datetime]:
    yield first
    yield from others


def set_schedule(
    sync: DataSync,
    kind: str,
    interval_minutes: int | None,
    cron: str | None,
    rules: Rules | None,
    calendar: Calendar,
    now: datetime,
) -> None:
    """Give a sync another schedule, which `check_schedule` has let pass, and its next moment."""
    sync.schedule_kind, sync.interval_minutes, sync.cron = kind, interval_minutes, cron
    sync.calendar_rules = None if rules is None else rules.to_json()
    sync.updated_at = now
    plan(sync, now, calendar)


def plan(sync: DataSync, now: datetime, calendar: Calendar) -> None:
    """Set the next moment after a person changed the schedule. What is stale already stays it until a success."""
    sync.next_run_at = None
    sync.next_run_at = next_due(sync, now, calendar)
    if sync.schedule_kind == "off" or sync.renewal_due_at is None or sync.renewal_due_at > now:
        expect(sync, now, calendar)


def expect(sync: DataSync, since: datetime, calendar: Calendar) -> None:
    """Set the first turn after `since` that should renew the data; none, where nothing renews them by itself.

    Turns that a pause leaves out renew nothing, and are not waited for.
    """
    resting = since if sync.paused_until is None else max(since, sync.paused_until - _MOMENT)
    by_itself = sync.schedule_kind != "off" and sync.paused_reason is None
    sync.renewal_due_at = next_due(sync, resting, calendar) if by_itself else None


def replan(session: Session, now: datetime) -> None:
    """Plan anew what goes by the calendar or its clock, after somebody changed that. What is due already stays due."""
    calendar = holidays.calendar(session)
    kinds = DataSync.schedule_kind.in_(("calendar", "cron"))
    ahead = or_(DataSync.next_run_at.is_(None), DataSync.next_run_at > now)
    for sync in session.scalars(select(DataSync).where(kinds, ahead)):
        plan(sync, now, calendar)


def after_failure(sync: DataSync, failures: int, now: datetime, calendar: Calendar) -> datetime | None:
    """When to try next after the schedule's own run has failed `failures` times in a row; None: as planned.

    The gap between two due times, doubled with each failure after the first and at most 6 hours, then the
    next due time. So a source that is due each minute and broken fires after 1, 2, 4 … 360 minutes; one that
    is due every six hours or less often never loses a turn. A person's own failed try postpones nothing.
    The gap is the shortest of the next three: a night without turns is none.
    """
    coming = list(islice(_due_times(sync, now, calendar), 4))
    if len(coming) < 2:
        return None
    gap = min(later - earlier for earlier, later in zip(coming, coming[1:], strict=False))
    if gap >= LONGEST_BACK_OFF:
        return None
    pause = min(gap * 2 ** min(max(failures - 1, 0), 20), LONGEST_BACK_OFF)
    if pause <= gap:
        return None
    return next_due(sync, now + pause - timedelta(seconds=1), calendar)


def leave_out(session: Session, sync: DataSync, planned: datetime, until: datetime, run_id: int) -> None:
    """Write down the due times from the planned one on that a back-off until a later moment leaves out."""
    calendar = holidays.calendar(session)
    ticks = _from(planned, _due_times(sync, planned, calendar))
    left_out = takewhile(lambda tick: tick < until, islice(ticks, LEFT_OUT_KEPT))
    _skip(session, sync, list(left_out), "backing_off", run_id)


def start_due(session: Session, now: datetime) -> list[SyncRun]:
    """Ask for a run of every sync that is due, and move each schedule on; the caller commits.

    1. Give a next moment to syncs whose schedule was switched on or off without one.
    2. For each due sync: ask for one run, whatever was missed, or write down why none is started.
    3. Move the next moment past `now`.
    4. End the pauses that are over.
    """
    calendar = holidays.calendar(session)
    for sync in session.scalars(select(DataSync).where(_unplanned()).limit(BATCH)):
        sync.next_run_at = next_due(sync, now, calendar)
    due = select(DataSync).where(_due(now)).order_by(DataSync.next_run_at)
    started: list[SyncRun] = []
    for sync in session.scalars(due.limit(BATCH)).all():
        run = _turn(session, sync, now, calendar)
        if run is not None:
            started.append(run)
        session.flush()
    for sync in session.scalars(select(DataSync).where(DataSync.paused_until <= now)).all():
        if sync.next_run_at is None or sync.next_run_at > now:  # else its turns have yet to be judged
            sync.paused_until = None
            audit.record(session, "engine", "pause_ended", sync.key)
    return started


def is_anything_due(session: Session, now: datetime) -> bool:
    """The question of each second, asked without taking the write lock."""
    wanted = or_(_due(now), _unplanned(), DataSync.paused_until <= now)
    return session.scalar(select(DataSync.id).where(wanted).limit(1)) is not None


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(DataSync.schedule_kind != "off", DataSync.next_run_at <= now)


def _unplanned() -> ColumnElement[bool]:
    """Switched on without a moment, or off with one. By the calendar, none may mean that nothing comes any more."""
    return or_(
        and_(DataSync.schedule_kind.in_(("interval", "cron")), DataSync.next_run_at.is_(None)),
        and_(DataSync.schedule_kind == "off", DataSync.next_run_at.is_not(None)),
    )


def _turn(session: Session, sync: DataSync, now: datetime, calendar: Calendar) -> SyncRun | None:
    """One sync that is due: the run that was started, if any; its next moment is then after `now`.

    1. While a person or an undo has paused it, its due times pass; they are written down.
    2. What was missed by more than minutes is not made up for in quiet hours or on a holiday, but right after.
    3. Else one run for all; where one is still going, the turn is skipped.
    """
    tick = sync.next_run_at
    assert tick is not None
    coming = next_due(sync, now, calendar)
    missed = [
        tick,
        *takewhile(lambda at: at <= now, islice(_due_times(sync, tick, calendar), MISSED_TICKS_KEPT)),
    ]
    if sync.paused_reason is not None:
        _skip(session, sync, missed, "paused", None)
        sync.next_run_at = coming
        return None
    if sync.paused_until is not None and tick < sync.paused_until:
        until = sync.paused_until
        _skip(session, sync, [at for at in missed if at < until], "paused_until", None)
        first = next_due(sync, until - _MOMENT, calendar)
        if first is None or first > now:
            sync.next_run_at = coming
            return None
        tick = first
        missed = [at for at in missed if at >= until]
    rules = rules_of(sync)
    forbidden = rules.forbids(now, calendar) if rules is not None and now - tick > ON_TIME else None
    if rules is not None and forbidden is not None:
        _skip(session, sync, missed, forbidden, None)
        over = rules.allowed_from(now, calendar)
        sync.next_run_at = min((at for at in (coming, over) if at is not None), default=None)
        return None
    if sync.renewal_due_at is None or sync.renewal_due_at > tick:  # a pause has ended before its time
        sync.renewal_due_at = tick
    asked = runs.request(session, sync, triggered_by="schedule", now=now, scheduled_for=tick)
    if asked.joined and asked.run.scheduled_for != tick:
        _skip(session, sync, missed, "still_running", asked.run.id)
    else:
        # A back-off may have left it out in advance, and was ended since by whoever planned anew.
        session.execute(
            delete(SkippedTick)
            .where(SkippedTick.sync_id == sync.id, SkippedTick.due_at == tick)
            .execution_options(synchronize_session=False)
        )
        _skip(session, sync, [at for at in missed if at != tick], "caught_up", asked.run.id)
    sync.next_run_at = coming
    return None if asked.joined else asked.run


def _cron_times(cron: str, after: datetime, calendar: Calendar) -> Iterator[datetime]:
    """Due moments of a cron expression in local time; weekday 1 is Monday, 0 and 7 Sunday: crontab(5)."""
    last = after
    for local in CronSim(cron, after.astimezone(calendar.zone)):
        moment = local.astimezone(UTC)
        if moment > last:  # an hour that occurs twice is asked for from its second time on: the first is over
            yield moment
            last = moment


def _skip(session: Session, sync: DataSync, ticks: list[datetime], reason: str, run_id: int | None) -> None:
    if not ticks:
        return
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    rows = [{"sync_id": sync.id, "due_at": tick, "reason": reason, "run_id": run_id} for tick in ticks]
    statement = dialect.insert(SkippedTick).values(rows)
    told = {"reason": statement.excluded.reason, "run_id": statement.excluded.run_id}
    session.execute(statement.on_conflict_do_update(index_elements=["sync_id", "due_at"], set_=told))
