"""The list of holidays and registration weeks: read from a file, written down, and watched for its end.

Lunar holidays move from year to year and registration weeks are decided each term, so nothing of this is in the code.
Nothing in a file can drop another line of it: what cannot be read is reported by its line, the rest is taken.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from fetchers.core.clean import ascii_digits, clean, fold, to_jalali
from fetchers.core.clean.jalali import FIRST_YEAR, LAST_YEAR, is_day, to_gregorian
from panel import zones
from panel.engine import windows
from panel.engine.days import N_, WEEK, Calendar, ScheduleError
from panel.engine.windows import Rules
from panel.models import CalendarSettings, CalendarSpan, DataSync

HOLIDAY, REGISTRATION = KINDS = ("holiday", "registration")
# What a file may call them, folded as search folds it.
KIND_NAMES = {
    fold(name): kind
    for kind, names in {
        HOLIDAY: ("holiday", "تعطیل", "تعطیلی", "تعطیلات"),
        REGISTRATION: ("registration", "ثبت نام", "ثبت‌نام", "انتخاب واحد"),
    }.items()
    for name in names
}
LONGEST = {HOLIDAY: 31, REGISTRATION: 183}  # days; more is a slip of the pen
MOST_LINES = 5000
LONGEST_NAME = 120
WARN_BEFORE = timedelta(days=30)

_DAY = r"(\d{8}|\d{1,4}\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d{1,2})"
_DELIMITERS = ",;\t،؛"
_LINE = re.compile(
    rf"{_DAY}(?:\s*(?:[{_DELIMITERS}–—-]|تا|to|\s)\s*{_DAY}(?=[\s{_DELIMITERS}]|$))?(.*)", re.A | re.S
)


@dataclass(frozen=True)
class Line:
    """One entry of the list. Both days are included."""

    kind: str
    first: date
    last: date
    name: str | None = None

    @property
    def key(self) -> tuple[str, date, date]:
        return self.kind, self.first, self.last

    @property
    def year(self) -> tuple[str, int]:
        """The part of the list that a file replaces: of one kind, those of one Jalali year."""
        return self.kind, to_jalali(self.first).year


@dataclass(frozen=True)
class Problem:
    """What is odd about one line; as a text, in English."""

    line: int
    text: str
    params: dict[str, str]

    def __str__(self) -> str:
        return f"line {self.line}: {self.text % self.params}"


@dataclass
class Reading:
    """What was read, and what was odd, each with its line number."""

    lines: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    added: int
    renamed: int
    unchanged: int
    removed: int  # of the years that the file is about, and not in it


class CalendarFileError(ScheduleError):
    """The file cannot be read as a list of days."""


def calendar(session: Session) -> Calendar:
    """What schedules must know of the house's calendar."""
    chosen = settings(session)
    holidays: set[date] = set()
    weeks: list[tuple[date, date]] = []
    for span in session.scalars(select(CalendarSpan).order_by(CalendarSpan.first)):
        if span.kind == HOLIDAY:
            days = (span.last - span.first).days + 1
            holidays.update(span.first + timedelta(days=number) for number in range(days))
        else:
            weeks.append((span.first, span.last))
    return Calendar(
        zones.zone(chosen.zone), frozenset(chosen.working_days), frozenset(holidays), tuple(weeks)
    )


def settings(session: Session) -> CalendarSettings:
    """Working days and zone as chosen; as they are by default where nobody has chosen. Not to be changed here."""
    found = session.get(CalendarSettings, 1)
    plain = Calendar()
    return found or CalendarSettings(
        id=1, zone=plain.zone.key, working_days=[day for day in WEEK if day in plain.working_days]
    )


def choose(session: Session, *, zone: str | None = None, working_days: Iterable[str] | None = None) -> bool:
    """Set the zone (an IANA name) or the working days (sat …); True if that is news. Raises ScheduleError."""
    chosen = settings(session)
    before = (chosen.zone, list(chosen.working_days))
    if zone is not None:
        try:
            chosen.zone = zones.zone(zone.strip()).key or zone
        except zones.UnknownZone as error:
            raise ScheduleError(
                N_("There is no time zone “%(zone)s”; they are called like Asia/Tehran."), zone=zone[:40]
            ) from error
    if working_days is not None:
        named = {day.strip().lower() for day in working_days}
        if not named or not named <= set(WEEK):
            raise ScheduleError(N_("Choose at least one working day: sat, sun, mon, tue, wed, thu, fri."))
        chosen.working_days = [day for day in WEEK if day in named]
    session.add(chosen)
    session.flush()
    return (chosen.zone, chosen.working_days) != before


def read_file(path: Path) -> Reading:
    """A file of days; see `read_text`. Raises CalendarFileError."""
    try:
        return read_text(path.read_bytes())
    except OSError as error:
        raise CalendarFileError(N_("it cannot be read: %(why)s"), why=str(error.strerror)) from error


def read_text(content: bytes) -> Reading:
    """The content of a file of Jalali days, one entry a line, as CSV or as plain text. Raises CalendarFileError.

    `1405/01/01,نوروز`, or with a last day `1405/01/01,1405/01/04,نوروز`, or `1405/06/15 تا 1405/07/05 ثبت‌نام`.
    A cell `registration` (ثبت‌نام) makes registration weeks of a line; all others are holidays. A first line without a
    day is a heading; lines that begin with # are remarks.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CalendarFileError(N_("it is not UTF-8; save it as “CSV UTF-8”")) from error
    rows = [
        (number, row) for number, line in enumerate(text.splitlines(), 1) if (row := line.strip().strip('"'))
    ]
    rows = [(number, row) for number, row in rows if not row.startswith("#")]
    if not rows:
        raise CalendarFileError(N_("it is empty"))
    if len(rows) > MOST_LINES:
        raise CalendarFileError(N_("it has more than %(most)s lines"), most=str(MOST_LINES))
    if not any(sign.isdigit() for sign in rows[0][1]):
        del rows[0]
    reading = Reading()
    for number, row in rows:
        try:
            line = _line(row)
        except ScheduleError as error:
            reading.problems.append(Problem(number, error.text, error.params))
            continue
        if any(line.key == other.key for other in reading.lines):
            day = str(to_jalali(line.first))
            reading.problems.append(
                Problem(number, N_("%(day)s is there twice; the first one counts"), {"day": day})
            )
            continue
        reading.lines.append(line)
    return reading


def entry(kind: str, first: str, last: str, name: str) -> Line:
    """One entry as typed into boxes; an empty last day means one day. Raises ScheduleError."""
    if kind not in KINDS:
        raise ScheduleError(N_("An entry is a holiday or registration weeks."))
    begins = read_day(first)
    return _checked(kind, begins, read_day(last) if last.strip() else begins, name)


def read_day(text: str) -> date:
    """A Jalali day that somebody typed: 1405/01/01, ۱۴۰۵-۰۱-۰۱ or 14050101. Raises ScheduleError."""
    given = ascii_digits(text).strip()
    if not re.fullmatch(_DAY, given, re.ASCII):
        raise ScheduleError(N_("“%(given)s” is not a day; write it as 1405/01/01."), given=text[:20])
    parts = re.findall(r"\d+", given) if len(given) != 8 or not given.isdigit() else _cut(given)
    numbers = int(parts[0]), int(parts[1]), int(parts[2])
    if is_day(*numbers):
        return to_gregorian(*numbers)
    day = "/".join(parts)
    if numbers[0] > LAST_YEAR:
        raise ScheduleError(N_("%(day)s is Gregorian; write Jalali days, such as 1405/01/01."), day=day)
    if numbers[0] < FIRST_YEAR:
        raise ScheduleError(N_("%(day)s: the year needs four digits, as in 1405/01/01."), day=day)
    raise ScheduleError(N_("The Jalali calendar has no day %(day)s."), day=day)


def _cut(digits: str) -> list[str]:
    return [digits[:4], digits[4:6], digits[6:]]


def _line(row: str) -> Line:
    found = _LINE.fullmatch(ascii_digits(row).replace('"', ""))
    if found is None:
        raise ScheduleError(N_("“%(given)s” does not begin with a day such as 1405/01/01."), given=row[:40])
    first = read_day(found[1])
    last = read_day(found[2]) if found[2] else first
    cells = [cell.strip() for cell in re.split(f"[{_DELIMITERS}]", found[3]) if cell.strip()]
    kinds = [KIND_NAMES[fold(cell)] for cell in cells if fold(cell) in KIND_NAMES]
    name = " ".join(cell for cell in cells if fold(cell) not in KIND_NAMES)
    if re.match(r"\d+\s?[/.-]", name, re.ASCII):  # a last day that is none must not become a name
        raise ScheduleError(N_("“%(given)s” is not a day; write it as 1405/01/01."), given=name[:20])
    return _checked(kinds[0] if kinds else _kind_of(name), first, last, name)


def _kind_of(name: str) -> str:
    """What a line without a kind is: its name may say that it is about registration."""
    folded = fold(name)
    return next((kind for word, kind in KIND_NAMES.items() if kind != HOLIDAY and word in folded), HOLIDAY)


def _checked(kind: str, first: date, last: date, name: str) -> Line:
    if last < first:
        raise ScheduleError(N_("The last day, %(day)s, comes before the first."), day=str(to_jalali(last)))
    if (last - first).days >= LONGEST[kind]:
        raise ScheduleError(
            N_("%(days)s days are too many for one entry of this kind."), days=str((last - first).days + 1)
        )
    return Line(kind, first, last, (clean(name) or "")[:LONGEST_NAME] or None)


def write(session: Session, lines: Iterable[Line], *, keep: bool = False) -> Written:
    """Write a file's entries down, in the caller's transaction.

    The file is the whole truth about the kinds and Jalali years that it has entries of: others of those go, since a
    lunar holiday that was moved must not be there twice. keep: add only, nothing goes.
    """
    lines = list(lines)
    told = {line.key: line for line in lines}
    years = {line.year for line in lines}
    renamed = unchanged = removed = 0
    for span in session.scalars(select(CalendarSpan)).all():
        known = Line(span.kind, span.first, span.last, span.name)
        new = told.pop(known.key, None)
        if new is not None:
            renamed += new.name is not None and new.name != span.name
            unchanged += new.name is None or new.name == span.name
            span.name = new.name or span.name
        elif not keep and known.year in years:
            session.delete(span)
            removed += 1
    for line in told.values():
        session.add(CalendarSpan(kind=line.kind, first=line.first, last=line.last, name=line.name))
    session.flush()
    return Written(len(told), renamed, unchanged, removed)


@dataclass(frozen=True)
class Trouble:
    """What somebody should know about the list: an English sentence (a msgid); `syncs` are those that suffer."""

    text: str
    syncs: tuple[str, ...]
    day: date | None = None

    def __str__(self) -> str:
        return self.text % self.params(", ".join(self.syncs))

    def params(self, sources: str) -> dict[str, str]:
        """The sentence's parameters, with what the sources are called."""
        return {"sources": sources, "day": str(to_jalali(self.day)) if self.day else ""}


def troubles(session: Session, today: date) -> list[Trouble]:
    """What is missing on the list for the schedules that go by it, a month before its end."""
    found = session.execute(
        select(DataSync.key, DataSync.calendar_rules)
        .where(DataSync.schedule_kind == "calendar", DataSync.calendar_rules.is_not(None))
        .order_by(DataSync.key)
    )
    return troubles_of({key: windows.from_json(told) for key, told in found}, session, today)


def troubles_of(schedules: Mapping[str, Rules], session: Session, today: date) -> list[Trouble]:
    """What is missing on the list for these schedules."""
    free = tuple(key for key, rules in schedules.items() if not rules.holidays)
    busy = tuple(
        key for key, rules in schedules.items() if rules.registration is not None and rules.weeks.listed
    )
    found = []
    if free:
        last = _last(session, HOLIDAY)
        if last is None:
            text = N_(
                "No holidays are listed, so these sources will be synced on holidays too: %(sources)s. "
                "Import the holidays file."
            )
            found.append(Trouble(text, free))
        elif last < today:
            text = N_(
                "The list of holidays ended on %(day)s; these sources will be synced on holidays too: %(sources)s. "
                "Import the new file."
            )
            found.append(Trouble(text, free, last))
        elif last - today <= WARN_BEFORE:
            text = N_(
                "The list of holidays ends on %(day)s; these sources need the next year's: %(sources)s. "
                "Import it in time."
            )
            found.append(Trouble(text, free, last))
    if busy:
        last = _last(session, REGISTRATION)
        if last is None or last < today:
            text = N_(
                "No registration weeks are listed from today on, so these sources go by their usual times: "
                "%(sources)s."
            )
            found.append(Trouble(text, busy))
    return found


def _last(session: Session, kind: str) -> date | None:
    ordered = select(CalendarSpan.last).where(CalendarSpan.kind == kind).order_by(CalendarSpan.last.desc())
    return session.scalar(ordered.limit(1))
