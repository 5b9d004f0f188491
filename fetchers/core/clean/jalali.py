"""The Jalali calendar: conversion by a small table, and reading dates as people write them.

Leap years follow the 33-year rule, which agrees with the computed equinox for every year that we accept.
"""

import re
from bisect import bisect_right
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from fetchers.core.clean.text import ascii_digits, clean

FIRST_YEAR, LAST_YEAR = 1250, 1500
_LEAP_REMAINDERS = frozenset({1, 5, 9, 13, 17, 22, 26, 30})
_NOWRUZ_1403 = date(2024, 3, 20).toordinal()
_BEFORE_MONTH = (0, 31, 62, 93, 124, 155, 186, 216, 246, 276, 306, 336)


class Jalali(NamedTuple):
    """A day of the Jalali calendar."""

    year: int
    month: int
    day: int

    def __str__(self) -> str:
        return f"{self.year:04d}/{self.month:02d}/{self.day:02d}"


def is_leap(year: int) -> bool:
    """Whether Esfand of this year has 30 days."""
    return year % 33 in _LEAP_REMAINDERS


def _new_year_days() -> list[int]:
    """The ordinal of 1 Farvardin for each year from the first to the one after the last."""
    days = [0]
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        days.append(days[-1] + 365 + is_leap(year))
    shift = _NOWRUZ_1403 - days[1403 - FIRST_YEAR]
    return [day + shift for day in days]


_NEW_YEAR = _new_year_days()
FIRST_DAY = date.fromordinal(_NEW_YEAR[0])
LAST_DAY = date.fromordinal(_NEW_YEAR[-1] - 1)


def days_in_month(year: int, month: int) -> int:
    """31 for the first six months, 30 for the next five, 29 or 30 for Esfand."""
    if month <= 6:
        return 31
    return 30 if month <= 11 or is_leap(year) else 29


def is_day(year: int, month: int, day: int) -> bool:
    """Whether the calendar has this day, within the years that we accept."""
    return FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 and 1 <= day <= days_in_month(year, month)


def to_gregorian(year: int, month: int, day: int) -> date:
    """The Gregorian date of a Jalali day; ValueError if there is no such day."""
    if not is_day(year, month, day):
        raise ValueError(
            f"there is no day {year}/{month}/{day} in the Jalali calendar of {FIRST_YEAR}–{LAST_YEAR}"
        )
    return date.fromordinal(_NEW_YEAR[year - FIRST_YEAR] + _BEFORE_MONTH[month - 1] + day - 1)


def to_jalali(day: date) -> Jalali:
    """The Jalali day of a Gregorian date; ValueError outside the years that we know."""
    ordinal = day.toordinal()
    index = bisect_right(_NEW_YEAR, ordinal) - 1
    if not 0 <= index <= LAST_YEAR - FIRST_YEAR:
        raise ValueError(f"{day} is outside the Jalali years {FIRST_YEAR}–{LAST_YEAR}")
    within = ordinal - _NEW_YEAR[index]
    month = bisect_right(_BEFORE_MONTH, within)
    return Jalali(FIRST_YEAR + index, month, within - _BEFORE_MONTH[month - 1] + 1)


def add_days(day: Jalali, days: int) -> Jalali:
    """The day that many days later, or earlier."""
    return to_jalali(to_gregorian(*day) + timedelta(days=days))


class Parsed(NamedTuple):
    """What a written date says: the day, and what is odd about how it was written."""

    day: Jalali | None
    flag: str | None


NO_DATE = Parsed(None, None)
BAD_DATE = Parsed(None, "bad_date")

_TIME = r"(?:[T ]\s?\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?\s?(?:Z|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(
    rf"(\d{{2,4}})\s?[/.-]\s?(\d{{1,2}})\s?[/.-]\s?(\d{{1,2}}){_TIME}", re.ASCII
).fullmatch
_DAY_FIRST = re.compile(rf"(\d{{1,2}})\s?[/.-]\s?(\d{{1,2}})\s?[/.-]\s?(\d{{4}}){_TIME}", re.ASCII).fullmatch
_COMPACT = re.compile(rf"(\d{{4}})(\d{{2}})(\d{{2}}){_TIME}", re.ASCII).fullmatch
_NOTHING = re.compile(r"[\s/.:-]*").fullmatch


@lru_cache(maxsize=4096)
def parse(text: str) -> Parsed:
    """Read a date in any of the ways that upstream writes one.

    Year first (`1402/7/1`, `۱۴۰۲-۰۷-۰۱`, `14020701`, a time after it or none), three digits of the year
    (`404/06/03`) or two (`99/01/15`), day first (`01/07/1402`), and Gregorian. Else it is `bad_date`.
    """
    text = ascii_digits(clean(text) or "")
    if _NOTHING(text):
        return NO_DATE
    if found := _YEAR_FIRST(text) or _COMPACT(text):
        written, month, day = found[1], int(found[2]), int(found[3])
        flag = None
    elif found := _DAY_FIRST(text):
        written, month, day = found[3], int(found[2]), int(found[1])
        flag = "dayfirst"
    else:
        return BAD_DATE
    year = int(written)
    if len(written) == 3:
        year, flag = 1000 + year, "year3"
    elif len(written) == 2:
        # 00–29 is this century of the calendar, the rest the last one; ambiguous, hence the flag.
        year, flag = year + (1400 if year < 30 else 1300), "year2"
    if is_day(year, month, day):
        return Parsed(Jalali(year, month, day), flag)
    return _gregorian(year, month, day)


def _gregorian(year: int, month: int, day: int) -> Parsed:
    if not FIRST_DAY.year <= year <= LAST_DAY.year:
        return BAD_DATE
    try:
        return Parsed(to_jalali(date(year, month, day)), "gregorian")
    except ValueError:
        return BAD_DATE
