"""Schedules of the kind “calendar”: windows in the Jalali week and in the academic year. Pure: time is an argument.

On a day of the registration weeks the rule for them holds, on every other day the usual one. Quiet hours and, unless
they are allowed, holidays are kept by both: no moment that is found here lies in them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from fetchers.core.clean import ascii_digits
from fetchers.core.clean.jalali import LAST_DAY
from panel import zones
from panel.engine.days import ALL, N_, WORKING, Calendar, Days, ScheduleError, Weeks, read_days, read_weeks

# A leap day comes after five years at the latest; a second one, if the first is a holiday.
LOOK_AHEAD = timedelta(days=11 * 366)
MOST_TIMES = 24  # times of the day in one rule
DAY_MINUTES = 24 * 60

NO_MINUTES = N_("The minutes must be a number from 1 to 1440.")

Quiet = tuple[time, time]


@dataclass(frozen=True)
class Rule:
    """When, on the days that it is about: at these times, or each so many minutes from midnight on."""

    on: Days
    at: tuple[time, ...] = ()
    every: int | None = None  # minutes

    def moments(self, day: date, after: datetime, calendar: Calendar) -> Iterator[datetime]:
        """The moments of this day after `after`, in order; quiet hours are not looked at."""
        if self.every is None:
            for at in self.at:
                moment = zones.instant(day, at, calendar.zone)
                if moment is not None and moment > after:
                    yield moment
            return
        start = zones.instant(day, time(0), calendar.zone)
        if start is None:
            return
        beat = timedelta(minutes=self.every)
        moment = start + beat * max(0, (after - start) // beat + 1)
        while moment.astimezone(calendar.zone).date() == day:
            yield moment
            moment += beat


@dataclass(frozen=True)
class Rules:
    """A whole schedule of this kind."""

    usual: Rule | None
    registration: Rule | None = None  # goes before the usual one in the registration weeks
    weeks: Weeks = Weeks()
    quiet: Quiet | None = None  # no run begins from the first time (included) to the second (not included)
    holidays: bool = False  # whether runs begin on holidays too

    def rule_of(self, day: date, calendar: Calendar) -> Rule | None:
        """The rule that this day goes by; None: nothing is due."""
        if not self.holidays and day in calendar.holidays:
            return None
        busy = self.registration
        if busy is not None and busy.on.hold(day, calendar) and self.weeks.hold(day, calendar):
            return busy
        return self.usual if self.usual is not None and self.usual.on.hold(day, calendar) else None

    def forbids(self, moment: datetime, calendar: Calendar) -> str | None:
        """Why no run may begin at this moment, whatever was missed: holiday, quiet_hours; None: it may."""
        local = moment.astimezone(calendar.zone)
        if not self.holidays and local.date() in calendar.holidays:
            return "holiday"
        return "quiet_hours" if self._is_quiet(local.time()) else None

    def next_moment(self, after: datetime, calendar: Calendar) -> datetime | None:
        """The first due moment (UTC) after `after`; None when there is none in years.

        Days go by one after the other; a day of which no rule holds costs a microsecond, so months are nothing.
        """
        after = after.astimezone(UTC)
        day = after.astimezone(calendar.zone).date()
        last = min(max(day + LOOK_AHEAD, calendar.last_listed), LAST_DAY)
        while day <= last:
            rule = self.rule_of(day, calendar)
            for moment in () if rule is None else rule.moments(day, after, calendar):
                local = moment.astimezone(calendar.zone)
                if local.date() == day and not self._is_quiet(local.time()):
                    return moment
            day += timedelta(days=1)
        return None

    def allowed_from(self, moment: datetime, calendar: Calendar) -> datetime | None:
        """The first moment from this one on at which a run may begin: when quiet hours or holidays are over."""
        last = max(calendar.last_listed, moment.date()) + timedelta(days=3)
        while (why := self.forbids(moment, calendar)) is not None:
            local = moment.astimezone(calendar.zone)
            day, at = local.date() + timedelta(days=1), time(0)
            if why == "quiet_hours" and self.quiet is not None:
                at = self.quiet[1]
                if local.time() < at:
                    day = local.date()
            if day > last:
                return None
            found = zones.instant(day, at, calendar.zone)
            # A clock change may leave a time out, or show it twice: never step back, nor stand still.
            moment = max(found or moment, moment + timedelta(minutes=1))
        return moment

    def _is_quiet(self, at: time) -> bool:
        if self.quiet is None:
            return False
        start, end = self.quiet
        return start <= at < end if start < end else at >= start or at < end

    def to_json(self) -> dict[str, Any]:
        """As the sync's row keeps it, and REST tells it."""
        told: dict[str, Any] = {"usual": _rule_json(self.usual), "holidays": self.holidays}
        if self.registration is not None:
            told["registration"] = _rule_json(self.registration)
            told["weeks"] = str(self.weeks)
        if self.quiet is not None:
            told["quiet"] = [f"{at:%H:%M}" for at in self.quiet]
        return told


def _rule_json(rule: Rule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    when: dict[str, Any] = (
        {"at": [f"{at:%H:%M}" for at in rule.at]} if rule.every is None else {"every": rule.every}
    )
    return {"on": rule.on.text, **when}


def from_json(told: Mapping[str, Any]) -> Rules:
    """What `to_json` wrote."""
    quiet = told.get("quiet")
    return Rules(
        usual=_rule_from(told["usual"]),
        registration=_rule_from(told.get("registration")),
        weeks=read_weeks(told.get("weeks", "")),
        quiet=(time.fromisoformat(quiet[0]), time.fromisoformat(quiet[1])) if quiet else None,
        holidays=told["holidays"],
    )


def _rule_from(told: Mapping[str, Any] | None) -> Rule | None:
    if told is None:
        return None
    at = tuple(time.fromisoformat(one) for one in told.get("at", ()))
    return Rule(read_days(told["on"]), at, told.get("every"))


@dataclass(frozen=True)
class Typed:
    """A schedule of this kind as people type it, in the form or as options; empty means left out."""

    at: str = ""  # 02:30 or 02:30, 14:00
    every: str = ""  # minutes, instead of times
    on: str = ""  # in the notation of Days; empty: working days
    registration: str = ""  # minutes, in the registration weeks
    registration_on: str = ""  # empty: all of their days
    weeks: str = ""  # in the notation of Weeks; empty: as listed
    quiet_from: str = ""
    quiet_to: str = ""
    holidays: bool = False


def read(typed: Typed) -> Rules:
    """The schedule that somebody typed. Raises ScheduleError with a sentence for them."""
    at, every = read_times(typed.at), read_minutes(typed.every)
    busy = read_minutes(typed.registration)
    if at and every is not None:
        raise ScheduleError(N_("Give either times of the day or minutes, not both."))
    if not at and every is None and busy is None:
        raise ScheduleError(N_("Give a time of the day, such as 02:30, or a number of minutes."))
    rules = Rules(
        usual=Rule(read_days(typed.on or WORKING), at, every) if at or every is not None else None,
        registration=None if busy is None else Rule(read_days(typed.registration_on or ALL), every=busy),
        weeks=read_weeks(typed.weeks) if busy is not None else Weeks(),
        quiet=read_quiet(typed.quiet_from, typed.quiet_to),
        holidays=typed.holidays,
    )
    for one in at:
        if rules._is_quiet(one):
            raise ScheduleError(N_("%(time)s lies in the quiet hours."), time=f"{one:%H:%M}")
    return rules


def read_times(text: str) -> tuple[time, ...]:
    """Times of the day, separated by commas or spaces, in order and each once."""
    words = [word for word in re.split(r"[\s,،;]+", ascii_digits(text)) if word]
    if len(words) > MOST_TIMES:
        raise ScheduleError(N_("At most 24 times of the day; for more, give a number of minutes."))
    return tuple(sorted({_time(word) for word in words}))


def read_quiet(start: str, end: str) -> Quiet | None:
    """Quiet hours, which may lead over midnight; None where both are empty."""
    first, last = ascii_digits(start).strip(), ascii_digits(end).strip()
    if not first and not last:
        return None
    if not first or not last:
        raise ScheduleError(N_("Quiet hours need both a beginning and an end."))
    # 24:00 is how people write the end of a day.
    quiet = (_time(first), time(0) if last == "24:00" else _time(last))
    if quiet[0] == quiet[1]:
        raise ScheduleError(N_("The quiet hours begin and end at the same time: nothing would ever run."))
    return quiet


def read_minutes(text: str) -> int | None:
    """Minutes between two runs, at most a day; None for an empty text."""
    text = ascii_digits(text).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 7 and 1 <= int(text) <= DAY_MINUTES):
        raise ScheduleError(NO_MINUTES)
    return int(text)


def _time(word: str) -> time:
    found = re.fullmatch(r"(\d{1,2})[:.](\d{2})", word, re.ASCII)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ScheduleError(N_("“%(word)s” is not a time of the day; write it as 02:30."), word=word[:20])
    return time(int(found[1]), int(found[2]))
