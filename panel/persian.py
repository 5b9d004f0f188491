"""Numbers, dates and spans of time as people read them: Persian with the Jalali calendar, or English.

`locale` is a code such as "fa" or "en"; whatever is not English is Persian. Times are stored in UTC and shown
in Tehran. What is not there (None) is shown as a dash.

Numbers, counts, dates and times have Persian digits in Persian. Codes have Latin ones in every language, inside
Persian sentences too, and so are not for `digits`: campus 1110, term 4051, the code of a province, a status of HTTP,
an error's code, ids, addresses, cron expressions. So one code looks the same everywhere, and can be typed and
searched for as it is read.
"""

from datetime import datetime

from fetchers.core.clean.jalali import to_jalali
from panel.zones import TEHRAN

NOTHING = "—"
MONTHS_FA = (
    "فروردین",
    "اردیبهشت",
    "خرداد",
    "تیر",
    "مرداد",
    "شهریور",
    "مهر",
    "آبان",
    "آذر",
    "دی",
    "بهمن",
    "اسفند",
)
JALALI_MONTHS_EN = (
    "Farvardin",
    "Ordibehesht",
    "Khordad",
    "Tir",
    "Mordad",
    "Shahrivar",
    "Mehr",
    "Aban",
    "Azar",
    "Dey",
    "Bahman",
    "Esfand",
)
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Monday first, as datetime.weekday() counts; a Persian week begins on Saturday.
WEEKDAYS_FA = ("دوشنبه", "سه‌شنبه", "چهارشنبه", "پنجشنبه", "جمعه", "شنبه", "یکشنبه")
WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_TO_PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_TO_ASCII = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")

# size in seconds, how many of it make the next one, Persian, English, English short
_UNITS = (
    (1, 60, "ثانیه", "second", "s"),
    (60, 60, "دقیقه", "minute", "min"),
    (3600, 24, "ساعت", "hour", "h"),
    (86400, 30, "روز", "day", "d"),
    (2629800, 12, "ماه", "month", "mo"),
    (31557600, None, "سال", "year", "y"),
)


def tehran(moment: datetime) -> datetime:
    """The same moment on a clock in Tehran; ValueError for one that does not say its zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone can be any time; store UTC")
    return moment.astimezone(TEHRAN)


def digits(text: object, locale: str) -> str:
    """The text with its digits as the locale writes them."""
    return str(text).translate(_TO_ASCII if _english(locale) else _TO_PERSIAN)


def number(n: int | float | None, locale: str) -> str:
    """A number with its thousands parted: ۱٬۲۳۴٬۵۶۷ or 1,234,567."""
    if n is None:
        return NOTHING
    written = f"{int(n) if isinstance(n, float) and n.is_integer() else n:,}"
    if _english(locale):
        return written
    return digits(written.replace(",", "٬").replace(".", "٫"), locale)


def month(moment: datetime, locale: str) -> str:
    """The name of the month: of the Jalali one in Persian, of the Gregorian one in English."""
    here = tehran(moment)
    return MONTHS_EN[here.month - 1] if _english(locale) else MONTHS_FA[to_jalali(here).month - 1]


def jalali_month(year: int, month: int, locale: str) -> str:
    """A month of the Jalali calendar in either language: آبان ۱۴۰۵ or Aban 1405."""
    names = JALALI_MONTHS_EN if _english(locale) else MONTHS_FA
    return digits(f"{names[month - 1]} {year}", locale)


def weekday(moment: datetime, locale: str) -> str:
    """The name of the day of the week in Tehran."""
    return (WEEKDAYS_EN if _english(locale) else WEEKDAYS_FA)[tehran(moment).weekday()]


def jalali_date(moment: datetime | None, locale: str) -> str:
    """The day in Tehran: ۱ آذر ۱۴۰۵ or 22 Nov 2026."""
    if moment is None:
        return NOTHING
    here = tehran(moment)
    if _english(locale):
        return f"{here.day} {MONTHS_EN[here.month - 1]} {here.year}"
    day = to_jalali(here)
    return digits(f"{day.day} {MONTHS_FA[day.month - 1]} {day.year}", locale)


def jalali_datetime(moment: datetime | None, locale: str) -> str:
    """Day and time in Tehran: ۱۴۰۵/۰۹/۰۱ ۱۲:۴۷ or 2026-11-22 12:47."""
    if moment is None:
        return NOTHING
    here = tehran(moment)
    if _english(locale):
        return f"{here:%Y-%m-%d %H:%M}"
    return digits(f"{to_jalali(here)} {here:%H:%M}", locale)


def due(moment: datetime, locale: str) -> str:
    """A moment to come, with its day of the week: شنبه ۱۴۰۵/۰۹/۰۷ ۰۲:۳۰ or Saturday 2026-11-28 02:30 (1405/09/07)."""
    told = f"{weekday(moment, locale)} {jalali_datetime(moment, locale)}"
    return f"{told} ({to_jalali(tehran(moment))})" if _english(locale) else told


def clock(moment: datetime, now: datetime, locale: str) -> str:
    """The time of day in Tehran, ۱۴:۰۵; with its day where that is not today."""
    here = tehran(moment)
    if here.date() != tehran(now).date():
        return jalali_datetime(moment, locale)
    return digits(f"{here:%H:%M}", locale)


def relative(moment: datetime | None, now: datetime, locale: str) -> str:
    """How far from now: ۲ ساعت پیش, ۳ دقیقه دیگر; 2 hours ago, in 3 minutes. In its largest unit, rounded."""
    if moment is None:
        return NOTHING
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 5:
        return "just now" if _english(locale) else "همین حالا"
    for size, limit, persian, english, _ in _UNITS:  # noqa: B007 - the last unit has no limit
        amount = round(abs(seconds) / size)
        if limit is None or amount < limit:
            break
    amount = max(amount, 1)
    if _english(locale):
        phrase = f"{amount} {english}" if amount == 1 else f"{amount:,} {english}s"
        return f"in {phrase}" if seconds > 0 else f"{phrase} ago"
    return f"{number(amount, locale)} {persian} {'دیگر' if seconds > 0 else 'پیش'}"


def duration(seconds: float | None, locale: str) -> str:
    """A span of time in its two largest units: ۱ دقیقه و ۲۰ ثانیه or 1 min 20 s; tenths below ten seconds."""
    if seconds is None:
        return NOTHING
    seconds = max(seconds, 0)
    if round(seconds, 1) < 10:
        tenths = round(seconds, 1)
        parts = [(int(tenths) if tenths == int(tenths) else tenths, 0)]
    else:
        rest = round(seconds)
        parts = []
        for place in (3, 2, 1, 0):
            amount, rest = divmod(rest, _UNITS[place][0])
            parts.append((amount, place))
        while parts[0][0] == 0:
            parts.pop(0)
        parts = [part for part in parts[:2] if part[0]]
    if _english(locale):
        return " ".join(f"{number(amount, locale)} {_UNITS[place][4]}" for amount, place in parts)
    return " و ".join(f"{number(amount, locale)} {_UNITS[place][2]}" for amount, place in parts)


def _english(locale: str) -> bool:
    return locale.startswith("en")
