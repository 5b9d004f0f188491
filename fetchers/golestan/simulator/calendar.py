"""The simulator's own Jalali calendar and academic terms (33-year rule; right from 1300 to 1500)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

_LEAP = frozenset({1, 5, 9, 13, 17, 22, 26, 30})
_EPOCH_YEAR = 1300
_EPOCH = date(1921, 3, 21)  # 1300/01/01
TEHRAN = timezone(timedelta(hours=3, minutes=30))


def is_leap(year: int) -> bool:
    return year % 33 in _LEAP


def month_days(year: int, month: int) -> int:
    if month <= 6:
        return 31
    if month <= 11:
        return 30
    return 30 if is_leap(year) else 29


def to_gregorian(year: int, month: int, day: int) -> date:
    days = sum(366 if is_leap(y) else 365 for y in range(_EPOCH_YEAR, year))
    days += sum(month_days(year, m) for m in range(1, month))
    return _EPOCH + timedelta(days=days + day - 1)


def to_jalali(day: date) -> tuple[int, int, int]:
    left = (day - _EPOCH).days
    year, month = _EPOCH_YEAR, 1
    while left >= (length := 366 if is_leap(year) else 365):
        left -= length
        year += 1
    while left >= (length := month_days(year, month)):
        left -= length
        month += 1
    return year, month, left + 1


def today_in_tehran() -> date:
    return datetime.now(UTC).astimezone(TEHRAN).date()


def term_index(term: str) -> int:
    """A term as a number that grows by one from term to term: "4051" -> 3 * 1405."""
    return (1000 + int(term[:3])) * 3 + int(term[3]) - 1


def term_code(index: int) -> str:
    return f"{index // 3 - 1000:03d}{index % 3 + 1}"


def term_of(day: date) -> str:
    """The term of a day. The academic year starts in Mehr and gives the code its year."""
    year, month, _ = to_jalali(day)
    if month <= 3:
        return term_code((year - 1) * 3 + 1)
    if month <= 6:
        return term_code((year - 1) * 3 + 2)
    if month <= 10:
        return term_code(year * 3)
    return term_code(year * 3 + 1)
