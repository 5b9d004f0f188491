"""Schedules by the academic calendar: tables of moments, and what holds for all of them."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetchers.core.clean import to_gregorian, to_jalali
from fetchers.core.clean.jalali import is_leap
from panel import zones
from panel.engine import windows
from panel.engine.days import WEEK, Calendar, ScheduleError, read_days, read_weeks, weekday
from panel.engine.windows import Rules, Typed


def j(text: str) -> date:
    """A Jalali day: 1405/01/01."""
    year, month, day = map(int, text.split("/"))
    return to_gregorian(year, month, day)


def at(text: str, zone: str = "Asia/Tehran") -> datetime:
    """A moment on a clock of that zone: `1405/01/01 02:30`, or with a Gregorian day in another zone."""
    day, _, hour = text.partition(" ")
    year = int(day[:4])
    when = j(day) if year < 1900 else date.fromisoformat(day)
    moment = zones.instant(when, time.fromisoformat(hour or "00:00"), zones.zone(zone))
    assert moment is not None
    return moment


def times(rules: Rules, after: str, count: int, calendar: Calendar = Calendar()) -> list[str]:
    """The next moments as people in Tehran would write them."""
    found, moment = [], at(after)
    for _ in range(count):
        moment = rules.next_moment(moment, calendar)  # type: ignore[assignment]
        if moment is None:
            return [*found, "never"]
        here = moment.astimezone(zones.TEHRAN)
        found.append(f"{weekday(here.date())} {to_jalali(here)} {here:%H:%M}")
    return found


NOWRUZ = Calendar(
    holidays=frozenset(
        [j(f"1405/01/{day:02d}") for day in (1, 2, 3, 4, 12, 13)] + [j("1404/12/29"), j("1405/01/25")]
    )
)
REGISTRATION = Calendar(registration=((j("1405/06/28"), j("1405/07/01")),))


# 1405/01/01 is a Saturday.
@pytest.mark.parametrize(
    ("typed", "after", "calendar", "expected"),
    [
        pytest.param(
            Typed(at="02:30"),
            "1405/02/02 12:00",
            Calendar(),
            ["sat 1405/02/05 02:30", "sun 1405/02/06 02:30", "mon 1405/02/07 02:30", "tue 1405/02/08 02:30"]
            + ["wed 1405/02/09 02:30", "sat 1405/02/12 02:30"],
            id="nightly from Saturday to Wednesday",
        ),
        pytest.param(
            Typed(at="02:30"),
            "1405/02/02 12:00",
            Calendar(working_days=frozenset(("thu", "fri"))),
            ["thu 1405/02/03 02:30", "fri 1405/02/04 02:30", "thu 1405/02/10 02:30"],
            id="working days are a setting",
        ),
        pytest.param(
            Typed(at="14:00, ۰۲:۳۰", on="all"),
            "1405/02/02 12:00",
            Calendar(),
            ["wed 1405/02/02 14:00", "thu 1405/02/03 02:30", "thu 1405/02/03 14:00"],
            id="two times a day, in order",
        ),
        pytest.param(
            Typed(at="08:00", on="wed sat"),
            "1405/02/02 12:00",
            Calendar(),
            ["sat 1405/02/05 08:00", "wed 1405/02/09 08:00", "sat 1405/02/12 08:00"],
            id="days of the week",
        ),
        pytest.param(
            Typed(at="02:30"),
            "1404/12/28 12:00",
            NOWRUZ,
            ["wed 1405/01/05 02:30", "sat 1405/01/08 02:30"],
            id="Nowruz: the last day of the year and the first four are holidays",
        ),
        pytest.param(
            Typed(at="02:30", on="all"),
            "1405/01/11 12:00",
            NOWRUZ,
            ["fri 1405/01/14 02:30"],
            id="13 Farvardin, and the day before it",
        ),
        pytest.param(
            Typed(at="02:30", on="all", holidays=True),
            "1404/12/28 12:00",
            NOWRUZ,
            ["fri 1404/12/29 02:30", "sat 1405/01/01 02:30"],
            id="holidays too, where somebody wants it",
        ),
        pytest.param(
            Typed(at="02:30", on="all"),
            "1403/12/28 12:00",
            Calendar(),
            ["wed 1403/12/29 02:30", "thu 1403/12/30 02:30", "fri 1404/01/01 02:30"],
            id="a leap year has 30 Esfand",
        ),
        pytest.param(
            Typed(at="02:30", on="all"),
            "1404/12/28 12:00",
            Calendar(),
            ["fri 1404/12/29 02:30", "sat 1405/01/01 02:30"],
            id="a common year has not",
        ),
        pytest.param(
            Typed(at="23:00", on="12/last"),
            "1402/01/01",
            Calendar(),
            ["tue 1402/12/29 23:00", "thu 1403/12/30 23:00", "fri 1404/12/29 23:00", "sat 1405/12/29 23:00"]
            + ["sun 1406/12/29 23:00", "mon 1407/12/29 23:00", "wed 1408/12/30 23:00"],
            id="the last day of Esfand",
        ),
        pytest.param(
            Typed(at="23:00", on="12/30"),
            "1402/01/01",
            Calendar(),
            ["thu 1403/12/30 23:00", "wed 1408/12/30 23:00", "mon 1412/12/30 23:00"],
            id="30 Esfand: only in leap years, five years away",
        ),
        pytest.param(
            Typed(at="00:00", on="1, ۱۵، آخر"),
            "1405/06/20",
            Calendar(),
            ["tue 1405/06/31 00:00", "wed 1405/07/01 00:00", "wed 1405/07/15 00:00", "thu 1405/07/30 00:00"],
            id="days of the Jalali month",
        ),
        pytest.param(
            Typed(at="02:30", registration="15"),
            "1405/06/27 12:00",
            REGISTRATION,
            ["sat 1405/06/28 00:00", "sat 1405/06/28 00:15", "sat 1405/06/28 00:30"],
            id="registration weeks begin at midnight",
        ),
        pytest.param(
            Typed(at="02:30", registration="15"),
            "1405/07/01 23:40",
            REGISTRATION,
            ["wed 1405/07/01 23:45", "sat 1405/07/04 02:30"],
            id="and end at midnight; then it is nightly again",
        ),
        pytest.param(
            Typed(at="07:00", registration="30", quiet_from="20:00", quiet_to="07:00", on="all"),
            "1405/06/28 19:20",
            REGISTRATION,
            ["sat 1405/06/28 19:30", "sun 1405/06/29 07:00", "sun 1405/06/29 07:30"],
            id="quiet hours hold in registration weeks too",
        ),
        pytest.param(
            Typed(registration="15"),
            "1405/02/01",
            REGISTRATION,
            ["sat 1405/06/28 00:00"],
            id="only in registration weeks, months away",
        ),
        pytest.param(
            Typed(registration="15"), "1405/07/02", REGISTRATION, ["never"], id="no such weeks any more"
        ),
        pytest.param(
            Typed(at="02:30", registration="60", registration_on="working"),
            "1405/07/01 23:00",
            Calendar(registration=((j("1405/07/01"), j("1405/07/05")),)),
            ["sat 1405/07/04 00:00", "sat 1405/07/04 01:00"],
            id="of the registration weeks only the working days",
        ),
        pytest.param(
            Typed(at="02:30", registration="720", weeks="2,1"),
            "1405/06/29 13:00",
            Calendar(),
            ["mon 1405/06/30 00:00", "mon 1405/06/30 12:00", "tue 1405/06/31 00:00", "tue 1405/06/31 12:00"]
            + ["wed 1405/07/01 00:00", "wed 1405/07/01 12:00", "thu 1405/07/02 00:00", "thu 1405/07/02 12:00"]
            + ["sat 1405/07/04 02:30"],
            id="weeks around 1 Mehr",
        ),
        pytest.param(
            Typed(registration="1440", weeks="0,0"),
            "1405/07/02",
            Calendar(),
            ["thu 1405/11/01 00:00", "thu 1406/07/01 00:00"],
            id="1 Mehr and 1 Bahman",
        ),
        pytest.param(
            Typed(every="60", on="all", quiet_from="22:00", quiet_to="06:00"),
            "1405/02/02 20:30",
            Calendar(),
            ["wed 1405/02/02 21:00", "thu 1405/02/03 06:00", "thu 1405/02/03 07:00"],
            id="quiet hours over midnight: the first time is quiet, the last is not",
        ),
        pytest.param(
            Typed(every="60", on="all", quiet_from="08:00", quiet_to="14:00"),
            "1405/02/02 07:00",
            Calendar(),
            ["wed 1405/02/02 14:00"],
            id="quiet hours by day",
        ),
        pytest.param(
            Typed(every="60", on="all", quiet_from="22:00", quiet_to="24:00"),
            "1405/02/02 21:00",
            Calendar(),
            ["thu 1405/02/03 00:00"],
            id="24:00 is midnight",
        ),
        pytest.param(
            Typed(every="50", on="all"),
            "1405/02/02 23:00",
            Calendar(),
            ["wed 1405/02/02 23:20", "thu 1405/02/03 00:00", "thu 1405/02/03 00:50"],
            id="minutes count from midnight",
        ),
    ],
)
def test_the_next_moments(typed: Typed, after: str, calendar: Calendar, expected: list[str]) -> None:
    assert times(windows.read(typed), after, len(expected), calendar) == expected


@pytest.mark.parametrize(
    ("zone", "clock", "expected"),
    [
        # Both clock changes of Berlin in 2026: 02:30 does not exist on 29 March, and exists twice on 25 October.
        ("Europe/Berlin", "02:30", ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("Europe/Berlin", "02:30", ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        # Lord Howe moves by half an hour.
        ("Australia/Lord_Howe", "02:10", ["2026-10-02T15:40Z", "2026-10-03T15:30Z", "2026-10-04T15:10Z"]),
        # Tehran until 1401: midnight itself did not exist on 2 Farvardin, 23:30 of 30 Shahrivar came twice.
        ("Asia/Tehran", "00:00", ["2022-03-20T20:30Z", "2022-03-21T20:30Z", "2022-03-22T19:30Z"]),
        ("Asia/Tehran", "23:30", ["2022-09-20T19:00Z", "2022-09-21T19:00Z", "2022-09-22T20:00Z"]),
        # Since then one time all the year.
        ("Asia/Tehran", "00:00", ["2026-03-20T20:30Z", "2026-03-21T20:30Z", "2026-03-22T20:30Z"]),
        # A change over midnight, and a day that never was.
        ("America/Toronto", "23:45", ["1919-03-30T04:45Z", "1919-03-31T04:29Z", "1919-04-01T03:45Z"]),
        ("Pacific/Apia", "12:00", ["2011-12-29T22:00Z", "2011-12-30T22:00Z"]),
    ],
)
def test_daily_is_once_on_each_day_of_a_clock_change(zone: str, clock: str, expected: list[str]) -> None:
    rules = windows.read(Typed(at=clock, on="all"))
    calendar = Calendar(zone=zones.zone(zone))
    moment = datetime.fromisoformat(expected[0]) - timedelta(minutes=1)
    found = []
    for _ in expected:
        moment = rules.next_moment(moment, calendar)  # type: ignore[assignment]
        found.append(f"{moment:%Y-%m-%dT%H:%M}Z")
    assert found == expected


def test_minutes_keep_their_beat_through_both_clock_changes() -> None:
    rules = windows.read(Typed(every="30", on="all"))
    berlin = Calendar(zone=zones.zone("Europe/Berlin"))
    for day, count in ((date(2026, 3, 29), 46), (date(2026, 10, 25), 50)):
        midnight = zones.instant(day, time(0), berlin.zone)
        assert midnight is not None
        moment, seen = midnight, 1
        while (moment := rules.next_moment(moment, berlin)).astimezone(berlin.zone).date() == day:  # type: ignore
            seen += 1
        assert seen == count, day


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        (Typed(), "Give a time"),
        (Typed(at="02:30", every="5"), "not both"),
        (Typed(at="25:00"), "25:00"),
        (Typed(at="2:3"), "2:3"),
        (Typed(at="half past two"), "half"),
        (Typed(at="²:30"), "not a time"),
        (Typed(at=" ".join(f"{hour}:{minute}" for hour in range(24) for minute in (10, 20))), "24 times"),
        (Typed(every="0"), "1 to 1440"),
        (Typed(every="1441"), "1 to 1440"),
        (Typed(every="1" * 5000), "1 to 1440"),
        (Typed(at="02:30", registration="x"), "1 to 1440"),
        (Typed(at="02:30", on=","), "at least one day"),
        (Typed(at="02:30", on="sat, someday"), "someday"),
        (Typed(at="02:30", on="sat 15"), "“15” is not a day of the week"),
        (Typed(at="02:30", on="0"), "“0”"),
        (Typed(at="02:30", on="32"), "“32”"),
        (Typed(at="02:30", on="7/31"), "7/31"),
        (Typed(at="02:30", on="12/31"), "12/31"),
        (Typed(at="02:30", on="13/1"), "13/1"),
        (Typed(at="02:30", registration="5", weeks="14"), "0 to 120"),
        (Typed(at="02:30", registration="5", weeks="14,121"), "0 to 120"),
        (Typed(at="02:30", quiet_from="22:00"), "both"),
        (Typed(at="02:30", quiet_from="22:00", quiet_to="22:00"), "same time"),
        (Typed(at="02:30 12:00", quiet_from="22:00", quiet_to="06:00"), "02:30 lies in the quiet hours"),
    ],
)
def test_what_cannot_be_a_schedule_is_said(typed: Typed, word: str) -> None:
    with pytest.raises(ScheduleError) as told:
        windows.read(typed)
    assert word in str(told.value)


@pytest.mark.parametrize(
    "typed",
    [
        Typed(at="02:30"),
        Typed(at="02:30 14:00", on="fri,sat"),
        Typed(every="7", on="12/last 1/13 15 last", holidays=True),
        Typed(
            registration="15", registration_on="working", weeks="14,21", quiet_from="22:00", quiet_to="06:00"
        ),
        Typed(at="08:00", registration="15"),
    ],
)
def test_a_schedule_comes_back_from_the_row_as_it_was(typed: Typed) -> None:
    rules = windows.read(typed)
    assert windows.from_json(rules.to_json()) == rules


@pytest.mark.parametrize(
    ("quiet", "moment", "expected"),
    [
        (("22:00", "06:00"), "1405/02/02 23:10", "1405/02/03 06:00"),
        (("22:00", "06:00"), "1405/02/03 05:59", "1405/02/03 06:00"),
        (("22:00", "06:00"), "1405/02/03 06:00", "1405/02/03 06:00"),
        (("08:00", "14:00"), "1405/02/03 09:00", "1405/02/03 14:00"),
        (("", ""), "1405/01/01 09:00", "1405/01/05 00:00"),
        (("22:00", "06:00"), "1405/01/01 09:00", "1405/01/05 06:00"),
    ],
)
def test_what_is_made_up_for_waits_until_it_may(quiet: tuple[str, str], moment: str, expected: str) -> None:
    rules = windows.read(Typed(every="60", on="all", quiet_from=quiet[0], quiet_to=quiet[1]))
    assert rules.allowed_from(at(moment), NOWRUZ) == at(expected)


def test_a_schedule_that_never_comes_is_found_out_at_once() -> None:
    rules = windows.read(Typed(at="02:30", on="1/1"))
    always = Calendar(holidays=frozenset(to_gregorian(year, 1, 1) for year in range(1400, 1450)))
    assert rules.next_moment(at("1405/01/02"), always) is None


def test_a_second_leap_day_is_found_where_the_first_is_a_holiday() -> None:
    assert is_leap(1408) and is_leap(1412)
    rules = windows.read(Typed(at="02:30", on="12/30"))
    calendar = Calendar(holidays=frozenset([j("1408/12/30")]))
    assert times(rules, "1405/01/01", 1, calendar) == ["mon 1412/12/30 02:30"]


def test_weeks_are_read_in_any_digits() -> None:
    assert read_weeks("۱۴، ۲۱").around == (14, 21)
    assert read_weeks("").listed and read_weeks("listed").listed
    assert str(read_days("wed, sat")) == "sat,wed"


# What holds for every schedule, calendar and zone.

ZONES = st.sampled_from(
    [
        "Asia/Tehran",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Cairo",
    ]
)
CLOCK = st.times().map(lambda one: f"{one:%H:%M}")
DAYS = st.one_of(
    st.sampled_from(["working", "all", "12/last", "last", "1,15", "1/13", "12/30"]),
    st.lists(st.sampled_from(WEEK), min_size=1, max_size=4).map(",".join),
)
MOMENTS = st.datetimes(datetime(2011, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
SOME_DAYS = st.dates(date(2011, 1, 1), date(2040, 1, 1))


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Rules, Calendar, datetime]:
    by_times = draw(st.booleans())
    quiet = draw(
        st.one_of(st.just(("", "")), st.tuples(CLOCK, CLOCK).filter(lambda pair: pair[0] != pair[1]))
    )
    typed = Typed(
        at=" ".join(draw(st.lists(CLOCK, min_size=1, max_size=3))) if by_times else "",
        every="" if by_times else str(draw(st.integers(1, 1440))),
        on=draw(DAYS),
        registration=draw(st.one_of(st.just(""), st.integers(1, 1440).map(str))),
        weeks=draw(st.sampled_from(["listed", "14,21", "0,0"])),
        quiet_from=quiet[0],
        quiet_to=quiet[1],
        holidays=draw(st.booleans()),
    )
    after = draw(MOMENTS)
    near = after.date()
    holidays = {near + timedelta(days=draw(st.integers(-3, 40))) for _ in range(draw(st.integers(0, 12)))}
    first = draw(SOME_DAYS)
    calendar = Calendar(
        zones.zone(draw(ZONES)),
        frozenset(draw(st.lists(st.sampled_from(WEEK), min_size=1))),
        frozenset(holidays),
        ((first, first + timedelta(days=draw(st.integers(0, 20)))), (near, near + timedelta(days=9))),
    )
    try:
        return windows.read(typed), calendar, after
    except ScheduleError:  # a time in the quiet hours, which the form refuses
        return windows.read(Typed(every="60", on=typed.on)), calendar, after


@settings(max_examples=80, deadline=None)
@given(schedules())
def test_each_due_time_is_later_and_lies_in_no_quiet_hour_and_on_no_holiday(
    drawn: tuple[Rules, Calendar, datetime],
) -> None:
    rules, calendar, after = drawn
    moment: datetime | None = after
    for _ in range(6):
        before = moment
        assert before is not None
        moment = rules.next_moment(before, calendar)
        if moment is None:
            return
        assert moment > before
        local = moment.astimezone(calendar.zone)
        if rules.quiet is not None:
            start, end = rules.quiet
            inside = start <= local.time() < end if start < end else not end <= local.time() < start
            assert not inside
        assert rules.holidays or local.date() not in calendar.holidays
        assert rules.forbids(moment, calendar) is None
        assert rules.rule_of(local.date(), calendar) is not None
        # Asked from any moment between, the answer is the same: nothing is left out.
        between = before + (moment - before) / 2
        assert rules.next_moment(between, calendar) == moment


@settings(max_examples=50, deadline=None)
@given(schedules())
def test_the_later_one_asks_the_later_the_answer(drawn: tuple[Rules, Calendar, datetime]) -> None:
    rules, calendar, after = drawn
    early = rules.next_moment(after, calendar)
    late = rules.next_moment(after + timedelta(hours=7), calendar)
    assert early is not None or late is None
    if early is not None and late is not None:
        assert early <= late
    free = rules.allowed_from(after, calendar)
    assert free is None or (free >= after and rules.forbids(free, calendar) is None)
