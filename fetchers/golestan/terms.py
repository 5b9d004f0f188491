"""Term codes of the academic calendar (DOMAIN.md 1.6).

A code is the last three digits of the academic year (it starts in Mehr) and 1 Mehr–Dey, 2 Bahman–Khordad,
3 Tir–Shahrivar: Farvardin 1405 lies in 4042, Mehr 1405 in 4051.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from fetchers.core.clean import to_jalali

TEHRAN = ZoneInfo("Asia/Tehran")
LOOK_AHEAD = timedelta(days=30)  # registration for a term begins about that long before it does


def current(moment: datetime) -> str:
    """The term in which a moment (timezone-aware) lies, by the date in Tehran."""
    return _term_of(moment.astimezone(TEHRAN).date())


def newest(moment: datetime) -> str:
    """The newest term worth asking for: the next one, from 30 days before its nominal start."""
    return _term_of(moment.astimezone(TEHRAN).date() + LOOK_AHEAD)


def _term_of(day: date) -> str:
    year, month, _ = to_jalali(day)
    if month >= 11 or month <= 3:
        number = 2
    elif month <= 6:
        number = 3
    else:
        number = 1
    academic_year = year if month >= 7 else year - 1
    return f"{academic_year % 1000:03d}{number}"


def earlier(term: str, count: int) -> str:
    """The term that lies so many terms before one; within the thousand years that a code can tell apart."""
    place = int(term[:3]) * 3 + int(term[3]) - 1 - count
    return f"{place // 3 % 1000:03d}{place % 3 + 1}"


def between(first: str, last: str) -> Iterator[str]:
    """Every term from first to last, both included, oldest first.

    Raises ValueError for a code that is not three digits and 1, 2 or 3.
    """
    for code in (first, last):
        if len(code) != 4 or not (code.isascii() and code.isdigit()) or code[3] not in "123":
            raise ValueError(f"{code!r} is not a term code")
    year, number = int(first[:3]), int(first[3])
    while (code := f"{year:03d}{number}") <= last:
        yield code
        year, number = (year, number + 1) if number < 3 else (year + 1, 1)
