"""The list of holidays and registration weeks: read from files, written down, watched for its end."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.clean import to_gregorian, to_jalali
from panel import holidays
from panel.db import writing
from panel.engine import windows
from panel.engine.days import ScheduleError
from panel.engine.windows import Typed
from panel.models import CalendarSpan, DataSync

AddSync = Callable[..., DataSync]
Factory = sessionmaker[Session]


def j(text: str) -> date:
    year, month, day = map(int, text.split("/"))
    return to_gregorian(year, month, day)


def read(text: str) -> holidays.Reading:
    return holidays.read_text(text.encode())


def told(reading: holidays.Reading) -> list[tuple[str, str, str, str | None]]:
    return [
        (one.kind, str(to_jalali(one.first)), str(to_jalali(one.last)), one.name) for one in reading.lines
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1405/01/13,روز طبیعت", ("holiday", "1405/01/13", "1405/01/13", "روز طبیعت")),
        ("۱۴۰۵/۰۱/۱۳ روز طبيعت", ("holiday", "1405/01/13", "1405/01/13", "روز طبیعت")),
        ("14050113", ("holiday", "1405/01/13", "1405/01/13", None)),
        ("1405-1-13;Nature;", ("holiday", "1405/01/13", "1405/01/13", "Nature")),
        ('"1405/01/01","1405/01/04","Nowruz"', ("holiday", "1405/01/01", "1405/01/04", "Nowruz")),
        ("1405/01/01\t1405/01/04\tNowruz\tholiday", ("holiday", "1405/01/01", "1405/01/04", "Nowruz")),
        ("1405/01/01 تا 1405/01/04 نوروز", ("holiday", "1405/01/01", "1405/01/04", "نوروز")),
        ("1405-01-01 - 1405-01-04 نوروز", ("holiday", "1405/01/01", "1405/01/04", "نوروز")),
        ("1404/12/29,1405/01/04,نوروز", ("holiday", "1404/12/29", "1405/01/04", "نوروز")),
        ("1403/12/30,آخر سال", ("holiday", "1403/12/30", "1403/12/30", "آخر سال")),
        ("1405/08/13 13 آبان", ("holiday", "1405/08/13", "1405/08/13", "13 آبان")),
        ("1405/05/05,تاسوعا و عاشورا", ("holiday", "1405/05/05", "1405/05/05", "تاسوعا و عاشورا")),
        ("1405/06/15,1405/07/05,Term 1,registration", ("registration", "1405/06/15", "1405/07/05", "Term 1")),
        ("1405/06/15,1405/07/05,ثبت نام", ("registration", "1405/06/15", "1405/07/05", None)),
        # Without a column for the kind, the name says it: 21 days of holiday would be a sad mistake.
        (
            "1405/06/15 تا 1405/07/05 ثبت‌نام نیمسال نخست",
            ("registration", "1405/06/15", "1405/07/05", "ثبت‌نام نیمسال نخست"),
        ),
    ],
)
def test_a_line_may_be_written_in_many_ways(line: str, expected: tuple[str, str, str, str | None]) -> None:
    reading = read(line)
    assert (told(reading), reading.problems) == ([expected], [])


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("1404/12/30,x", "no day 1404/12/30"),
        ("1405/07/31", "no day 1405/07/31"),
        ("1405/13/01", "no day 1405/13/01"),
        ("14051301", "no day 1405/13/01"),
        ("2026-03-21,Nowruz", "is Gregorian"),
        ("05/01/01,Nowruz", "four digits"),
        ("Nowruz,1405/01/01", "does not begin with a day"),
        ("1405/01/04,1405/01/01,Nowruz", "comes before the first"),
        ("1405/01/01,1405/01/4x,Nowruz", "is not a day"),
        ("1405/01/01,1405/02/01,a month of holidays", "32 days are too many"),
        ("1405/01/01,1405/09/01,registration", "too many"),
        ("²/1/1", "does not begin with a day"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_line_and_the_rest_is_taken(line: str, word: str) -> None:
    reading = read(f"1405/01/12,first\n{line}\n1405/01/13,last")
    assert [one.name for one in reading.lines] == ["first", "last"]
    [problem] = reading.problems
    assert problem.line == 2 and word in str(problem)


def test_headings_remarks_and_empty_lines_are_no_days_and_a_day_counts_once() -> None:
    reading = read("\ufeffاز,تا,نام,نوع\n\n# of 1405\n1405/01/13,a\n1405/01/13,b\n")
    assert told(reading) == [("holiday", "1405/01/13", "1405/01/13", "a")]
    assert [str(one) for one in reading.problems] == [
        "line 5: 1405/01/13 is there twice; the first one counts"
    ]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"# only a remark\n", "empty"),
        (b"\xe1\xe1", "UTF-8"),
        (b"1405/01/01\n" * 5001, "5000"),
    ],
)
def test_a_file_that_is_no_list_is_refused(content: bytes, word: str) -> None:
    with pytest.raises(holidays.CalendarFileError, match=word):
        holidays.read_text(content)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(holidays.CalendarFileError, match="cannot be read"):
        holidays.read_file(tmp_path)


def listed(factory: Factory) -> list[tuple[str, str, str | None]]:
    with factory() as session:
        spans = session.scalars(select(CalendarSpan).order_by(CalendarSpan.kind, CalendarSpan.first))
        return [(span.kind, str(to_jalali(span.first)), span.name) for span in spans]


def take(factory: Factory, text: str, *, keep: bool = False) -> holidays.Written:
    with writing(factory) as session:
        return holidays.write(session, read(text).lines, keep=keep)


def test_a_file_replaces_its_own_years_and_kinds_only(factory: Factory) -> None:
    take(factory, "1404/01/13,old\n1405/01/13,a\n1405/03/14,moon\n1405/06/15,1405/06/20,r,registration")
    # The lunar holiday has moved by a day, one has another name.
    written = take(factory, "1405/01/13,A\n1405/03/15,moon")
    assert written == holidays.Written(added=1, renamed=1, unchanged=0, removed=1)
    assert listed(factory) == [
        ("holiday", "1404/01/13", "old"),
        ("holiday", "1405/01/13", "A"),
        ("holiday", "1405/03/15", "moon"),
        ("registration", "1405/06/15", "r"),
    ]
    assert take(factory, "1405/01/13,A\n1405/03/15,moon") == holidays.Written(0, 0, 2, 0)


def test_a_file_may_also_be_added_to_what_is_there(factory: Factory) -> None:
    take(factory, "1405/01/13,a")
    assert take(factory, "1405/01/14,b", keep=True) == holidays.Written(1, 0, 0, 0)
    assert len(listed(factory)) == 2


def test_the_calendar_of_schedules_is_what_is_listed(factory: Factory) -> None:
    take(factory, "1405/01/01,1405/01/04,Nowruz\n1405/06/15,1405/06/20,r,registration")
    with writing(factory) as session:
        assert holidays.choose(session, working_days=["wed", " SAT"], zone="Europe/Berlin ")
        assert not holidays.choose(session, working_days=["sat", "wed"])
    with factory() as session:
        calendar = holidays.calendar(session)
    assert calendar.holidays == {j("1405/01/01") + timedelta(days=number) for number in range(4)}
    assert calendar.registration == ((j("1405/06/15"), j("1405/06/20")),)
    assert calendar.working_days == {"sat", "wed"} and calendar.zone.key == "Europe/Berlin"
    assert calendar.last_listed == j("1405/06/20")


@pytest.mark.parametrize("zone", ["Mars/Phobos", "../etc/passwd", "", "Tehran"])
def test_only_a_time_zone_that_there_is_can_be_chosen(factory: Factory, zone: str) -> None:
    with writing(factory) as session, pytest.raises(ScheduleError, match="no time zone"):
        holidays.choose(session, zone=zone)


@pytest.mark.parametrize("days", [[], ["someday"], ["sat", ""]])
def test_working_days_are_days(factory: Factory, days: list[str]) -> None:
    with writing(factory) as session, pytest.raises(ScheduleError, match="working day"):
        holidays.choose(session, working_days=days)


@pytest.mark.parametrize(
    ("typed", "listed_days", "today", "expected"),
    [
        (Typed(at="02:30"), "", "1405/09/01", ["No holidays are listed"]),
        (Typed(at="02:30"), "1405/12/29,oil", "1405/11/28", []),
        (Typed(at="02:30"), "1405/12/29,oil", "1405/11/29", ["ends on 1405/12/29"]),
        (Typed(at="02:30"), "1405/12/29,oil", "1405/12/29", ["ends on 1405/12/29"]),
        (Typed(at="02:30"), "1405/12/29,oil", "1406/01/01", ["ended on 1405/12/29"]),
        (Typed(at="02:30", holidays=True), "", "1405/09/01", []),
        (
            Typed(at="02:30", holidays=True, registration="15"),
            "1405/06/15,r,registration",
            "1405/06/16",
            ["No registration weeks are listed from today on"],
        ),
        (
            Typed(at="02:30", holidays=True, registration="15"),
            "1405/06/15,r,registration",
            "1405/06/15",
            [],
        ),
        (Typed(at="02:30", holidays=True, registration="15", weeks="14,21"), "", "1405/09/01", []),
    ],
)
def test_the_end_of_the_list_is_told_a_month_before(
    factory: Factory, add_sync: AddSync, typed: Typed, listed_days: str, today: str, expected: list[str]
) -> None:
    add_sync(schedule_kind="calendar", calendar_rules=windows.read(typed).to_json())
    if listed_days:
        take(factory, listed_days)
    with factory() as session:
        found = [str(one) for one in holidays.troubles(session, j(today))]
    assert len(found) == len(expected)
    for sentence, words in zip(found, expected, strict=True):
        assert words in sentence and "faculty" in sentence


def test_nobody_is_told_where_no_schedule_goes_by_the_calendar(factory: Factory, add_sync: AddSync) -> None:
    add_sync(schedule_kind="interval", interval_minutes=60)
    with factory() as session:
        assert holidays.troubles(session, j("1405/09/01")) == []
