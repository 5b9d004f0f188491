"""Days as people write them, and the moments at which they begin in Tehran."""

import re
from datetime import date, datetime, time, timedelta

from fetchers.core.clean import ascii_digits, clean, fold
from fetchers.core.clean.jalali import FIRST_YEAR, LAST_YEAR, days_in_month, is_day, parse, to_gregorian
from panel.persian import JALALI_MONTHS_EN, MONTHS_FA
from panel.zones import TEHRAN, instant

_MONTHS = {
    fold(name): place for names in (MONTHS_FA, JALALI_MONTHS_EN) for place, name in enumerate(names, 1)
}
_IN_WORDS = re.compile(r"(\d{1,2}) (\D+) (\d{4})", re.ASCII).fullmatch
_YEAR_FIRST = re.compile(r"(\d{4})\s?[/.-]\s?(\d{1,2})\s?[/.-]\s?(\d{1,2})", re.ASCII).fullmatch
_DAY_FIRST = re.compile(r"(\d{1,2})\s?[/.-]\s?(\d{1,2})\s?[/.-]\s?(\d{4})", re.ASCII).fullmatch


class NoDay(ValueError):
    """A text is no day. month: year and month of the Jalali calendar, where only the day is too great for them."""

    def __init__(self, text: str, month: tuple[int, int] | None = None, day: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.month = month
        self.day = day

    @property
    def days(self) -> int:
        """How many days that month has."""
        return days_in_month(*self.month) if self.month else 0


def read(text: str) -> date:
    """The Gregorian date of a day: ۱۴۰۵/۰۹/۰۱, 1405-9-1, ۱ آذر ۱۴۰۵, 1 Azar 1405, or Gregorian 2026-11-22.

    Raises NoDay: for 30 Esfand of a year that has 29 of them, too.
    """
    given = ascii_digits(clean(text[:60]) or "")
    if found := _IN_WORDS(fold(given)):
        day, month, year = int(found[1]), _MONTHS.get(found[2]), int(found[3])
        if month is None:
            raise NoDay(text)
        return _jalali(text, year, month, day)
    parsed = parse(given).day
    if parsed is not None:
        return to_gregorian(*parsed)
    if found := _YEAR_FIRST(given):
        return _jalali(text, int(found[1]), int(found[2]), int(found[3]))
    if found := _DAY_FIRST(given):
        return _jalali(text, int(found[3]), int(found[2]), int(found[1]))
    raise NoDay(text)


def _jalali(text: str, year: int, month: int, day: int) -> date:
    if is_day(year, month, day):
        return to_gregorian(year, month, day)
    known = FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 and day > 0
    raise NoDay(text, (year, month) if known else None, day)


def begins(day: date) -> datetime:
    """The moment at which a day begins in Tehran, in UTC."""
    moment = instant(day, time(), TEHRAN)
    assert moment is not None  # no day was ever left out there
    return moment


def ends(day: date) -> datetime:
    """The moment at which the next day begins in Tehran, in UTC."""
    return begins(day + timedelta(days=1))
