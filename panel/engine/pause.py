"""A pause that a person sets until a moment. It ends by itself; until then every turn is written down as skipped."""

import re
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.orm import Session

from fetchers.core.clean import ascii_digits
from fetchers.core.clean.jalali import LAST_YEAR, is_day, to_gregorian
from panel import audit, holidays, zones
from panel.engine import schedule
from panel.engine.days import N_, ScheduleError
from panel.models import DataSync

LONGEST = timedelta(days=366)


def read_until(text: str, now: datetime) -> datetime:
    """The moment that somebody typed, on Tehran's clock: `1405/10/01 08:00`; without a time, midnight.

    A year beyond the Jalali ones is Gregorian. Raises ScheduleError.
    """
    written = " ".join(ascii_digits(text).replace("T", " ").split())
    found = re.fullmatch(
        r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})(?:[ ,،]+(\d{1,2})[:.](\d{2}))?", written, re.ASCII
    )
    moment = None
    if found is not None:
        day = _day(int(found[1]), int(found[2]), int(found[3]))
        hour, minute = int(found[4] or 0), int(found[5] or 0)
        if day is not None and hour < 24 and minute < 60:
            moment = zones.instant(day, time(hour, minute), zones.TEHRAN)
    if moment is None:
        raise ScheduleError(N_("“%(given)s” is not a moment; write it as 1405/10/01 08:00."), given=text[:30])
    return check_until(moment, now)


def check_until(moment: datetime, now: datetime) -> datetime:
    """The same moment in UTC; ScheduleError where it is over already, or too far away."""
    if moment <= now:
        raise ScheduleError(N_("A pause must end in the future."))
    if moment - now > LONGEST:
        raise ScheduleError(
            N_("A pause may last a year at most; to stop for good, switch automatic sync off.")
        )
    return moment.astimezone(UTC)


def pause(
    session: Session, sync: DataSync, until: datetime, now: datetime, actor: str, address: str | None = None
) -> None:
    """Let the automatic sync rest until a moment that `check_until` let pass; the caller commits."""
    sync.paused_until, sync.updated_at = until, now
    if sync.renewal_due_at is None or sync.renewal_due_at > now:  # what is owed already stays owed
        schedule.expect(sync, now, holidays.calendar(session))
    audit.record(session, actor, "sync_paused", sync.key, address, until=until.isoformat(timespec="minutes"))


def _day(year: int, month: int, day: int) -> date | None:
    if is_day(year, month, day):
        return to_gregorian(year, month, day)
    try:
        return date(year, month, day) if year > LAST_YEAR else None
    except ValueError:
        return None
