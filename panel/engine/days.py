"""The academic year as schedules see it: working days, holidays, registration weeks; and how days are written."""

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from fetchers.core.clean import ascii_digits
from fetchers.core.clean.jalali import LAST_YEAR, days_in_month, to_gregorian, to_jalali
from panel import zones

# As a Persian week begins; the places are those of WEEK, not of datetime.weekday().
WEEK = ("sat", "sun", "mon", "tue", "wed", "thu", "fri")
WORKING_DAYS = WEEK[:5]
WORKING, ALL, LAST = "working", "all", "last"
# The nominal first days of the two terms that people register for: 1 Mehr and 1 Bahman (DOMAIN.md 1.6).
TERM_STARTS = ((7, 1), (11, 1))
LONGEST_WEEKS = 120  # days before or after the beginning of a term

Span = tuple[date, date]  # first and last day, both included


def N_(text: str) -> str:
    """Mark a text for the catalogue; who shows it translates it."""
    return text


class ScheduleError(ValueError):
    """What somebody entered cannot be a schedule; an English sentence (a msgid) and its parameters."""

    def __init__(self, text: str, /, **params: str) -> None:
        super().__init__(text % params if params else text)
        self.text, self.params = text, params


def weekday(day: date) -> str:
    """sat … fri."""
    return WEEK[(day.weekday() + 2) % 7]


@dataclass(frozen=True)
class Calendar:
    """What the house's calendar says (panel/holidays.py reads it from the database)."""

    zone: ZoneInfo = zones.TEHRAN
    working_days: frozenset[str] = frozenset(WORKING_DAYS)
    holidays: frozenset[date] = frozenset()
    registration: tuple[Span, ...] = ()

    @property
    def last_listed(self) -> date:
        """The last day of which it says anything."""
        ends = [last for _first, last in self.registration]
        return max([*ends, *self.holidays], default=date.min)


@dataclass(frozen=True)
class Weeks:
    """The registration weeks: those that the calendar lists, or so many days around the beginning of a term."""

    around: tuple[int, int] | None = None  # days before, days after; None: as listed

    @property
    def listed(self) -> bool:
        return self.around is None

    def hold(self, day: date, calendar: Calendar) -> bool:
        if self.around is None:
            return any(first <= day <= last for first, last in calendar.registration)
        before, after = self.around
        return any(-before <= (day - start).days <= after for start in _term_starts(to_jalali(day).year))

    def __str__(self) -> str:
        return "listed" if self.around is None else f"{self.around[0]},{self.around[1]}"


@dataclass(frozen=True)
class Days:
    """Some of the days, as written: working, all, weekdays (sat,wed), or days of the Jalali calendar.

    Of the Jalali calendar: 15 (of each month), last, 1/13 (13 Farvardin), 12/last (29 or 30 Esfand).
    """

    text: str
    weekdays: frozenset[str] = frozenset()
    dates: frozenset[tuple[int, int]] = frozenset()  # (month or 0 for each, day or 0 for the last)

    def hold(self, day: date, calendar: Calendar) -> bool:
        if self.text == ALL:
            return True
        if self.text == WORKING:
            return weekday(day) in calendar.working_days
        if self.weekdays:
            return weekday(day) in self.weekdays
        year, month, number = to_jalali(day)
        found = {(0, number), (month, number)}
        if number == days_in_month(year, month):
            found |= {(0, 0), (month, 0)}
        return not found.isdisjoint(self.dates)

    def __str__(self) -> str:
        return self.text


def read_days(text: str) -> Days:
    """Days in the notation of `Days`; digits may be Persian, «آخر» is last. Raises ScheduleError."""
    text = ascii_digits(text).lower().replace("آخر", LAST)
    words = [word for word in re.split(r"[\s,،;]+", text) if word]
    if not words:
        raise ScheduleError(N_("Choose at least one day."))
    if words in ([WORKING], [ALL]):
        return Days(words[0])
    if all(word in WEEK for word in words):
        chosen = [name for name in WEEK if name in words]
        return Days(",".join(chosen), weekdays=frozenset(chosen))
    stranger = next((word for word in words if word not in WEEK), "")
    if any(word in WEEK for word in words):
        raise ScheduleError(N_("“%(word)s” is not a day of the week."), word=stranger[:20])
    dates = sorted({_date(word) for word in words}, key=lambda one: (one[0], one[1] or 99))
    return Days(",".join(_written(*one) for one in dates), dates=frozenset(dates))


def _date(word: str) -> tuple[int, int]:
    found = re.fullmatch(r"(?:(1[0-2]|0?[1-9])/)?(\d{1,2}|last)", word, re.ASCII)
    if found is not None:
        month, number = int(found[1] or 0), 0 if found[2] == LAST else int(found[2])
        # 1403 is a leap year: 30 Esfand is a day of some years.
        if found[2] == LAST or 1 <= number <= (days_in_month(1403, month) if month else 31):
            return month, number
    raise ScheduleError(N_("“%(word)s” is not a day of the Jalali calendar."), word=word[:20])


def _written(month: int, number: int) -> str:
    day = LAST if number == 0 else str(number)
    return f"{month}/{day}" if month else day


def read_weeks(text: str) -> Weeks:
    """`listed`, or days before and after the first of Mehr and of Bahman: `14,21`. Raises ScheduleError."""
    text = ascii_digits(text).strip().lower()
    if text in ("", "listed"):
        return Weeks()
    parts = [part for part in re.split(r"[\s,،;]+", text) if part]
    if len(parts) != 2 or not all(
        part.isascii() and part.isdigit() and len(part) < 6 and int(part) <= LONGEST_WEEKS for part in parts
    ):
        raise ScheduleError(N_("The days before and after the beginning of a term must be from 0 to 120."))
    return Weeks((int(parts[0]), int(parts[1])))


@lru_cache(maxsize=512)
def _term_starts(year: int) -> tuple[date, ...]:
    """The beginnings of terms in this Jalali year and its neighbours."""
    years = (one for one in (year - 1, year, year + 1) if one <= LAST_YEAR)
    return tuple(to_gregorian(one, month, day) for one in years for month, day in TERM_STARTS)
