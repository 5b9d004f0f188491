"""The calendar against jdatetime, and dates as people write them."""

from datetime import date, timedelta

import jdatetime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchers.core.clean import JalaliDate
from fetchers.core.clean.jalali import (
    FIRST_DAY,
    LAST_DAY,
    Jalali,
    add_days,
    days_in_month,
    is_day,
    is_leap,
    to_gregorian,
    to_jalali,
)
from fetchers.core.fetcher import Label

L = Label("تاریخ", "Date")


def test_every_day_from_1300_to_1500_is_the_day_that_jdatetime_has():
    day, last = jdatetime.date(1300, 1, 1).togregorian(), jdatetime.date(1500, 12, 29).togregorian()
    theirs = jdatetime.date(1300, 1, 1)
    while day <= last:
        assert to_jalali(day) == (theirs.year, theirs.month, theirs.day)
        assert to_gregorian(theirs.year, theirs.month, theirs.day) == day
        day += timedelta(days=1)
        theirs += timedelta(days=1)


def test_the_leap_years_around_now():
    assert [y for y in range(1395, 1442) if is_leap(y)] == [
        1395, 1399, 1403, 1408, 1412, 1416, 1420, 1424, 1428, 1432, 1436, 1441,
    ]  # fmt: skip


def test_the_last_day_of_1403_is_a_day_and_that_of_1404_is_not():
    assert to_gregorian(1403, 12, 30) == date(2025, 3, 20)
    assert not is_day(1404, 12, 30)
    assert [days_in_month(1402, m) for m in range(1, 13)] == [31] * 6 + [30] * 5 + [29]


@given(st.dates(FIRST_DAY, LAST_DAY))
def test_there_and_back_is_the_same_day(day):
    assert to_gregorian(*to_jalali(day)) == day


def test_days_beyond_the_table_are_refused():
    for day in (FIRST_DAY - timedelta(days=1), LAST_DAY + timedelta(days=1)):
        with pytest.raises(ValueError, match="outside"):
            to_jalali(day)
    with pytest.raises(ValueError, match="no day"):
        to_gregorian(1404, 12, 30)


def test_days_can_be_added_over_the_end_of_a_leap_year():
    assert add_days(Jalali(1403, 12, 30), 1) == (1404, 1, 1)
    assert add_days(Jalali(1404, 1, 1), -1) == (1403, 12, 30)


@pytest.mark.parametrize(
    ("written", "stored", "flag"),
    [
        ("1402/7/1", "1402/07/01", None),
        ("۱۴۰۲/۰۷/۰۱", "1402/07/01", None),
        ("1402-07-01", "1402/07/01", None),
        ("1402.07.01", "1402/07/01", None),
        ("14020701", "1402/07/01", None),
        (14020701, "1402/07/01", None),
        ("1402/07/01 10:20", "1402/07/01", None),
        ("1402/07/01 10:20:30", "1402/07/01", None),
        (" 1402 / 7 / 1 ", "1402/07/01", None),
        ("\u200f1402/07/01\u200e", "1402/07/01", None),
        ("1403/12/30", "1403/12/30", None),
        ("404/06/03", "1404/06/03", "year3"),
        ("99/01/15", "1399/01/15", "year2"),
        ("02/07/01", "1402/07/01", "year2"),
        ("۰۳/۰۷/۰۵", "1403/07/05", "year2"),
        ("97/03/16", "1397/03/16", "year2"),
        ("01/07/1402", "1402/07/01", "dayfirst"),
        ("۰۱/۰۷/۱۴۰۳", "1403/07/01", "dayfirst"),
        ("2003-09-23T00:00:00", "1382/07/01", "gregorian"),
        ("2003-09-23T00:00:00.0000000", "1382/07/01", "gregorian"),
        ("2003-09-23", "1382/07/01", "gregorian"),
        ("20030923", "1382/07/01", "gregorian"),
        ("1402/00/00", None, "bad_date"),
        ("1402/07/31", None, "bad_date"),
        ("1402/12/30", None, "bad_date"),
        ("1404/12/30", None, "bad_date"),
        ("1402/13/01", None, "bad_date"),
        ("1249/01/01", None, "bad_date"),
        ("1501/01/01", None, "bad_date"),
        ("2003-02-30", None, "bad_date"),
        ("1403", None, "bad_date"),
        ("0000/00/00", None, "bad_date"),
        ("0", None, "bad_date"),
        ("۱²/۰۷/۱۴۰۳", None, "bad_date"),
        ("نمی‌دانم", None, "bad_date"),
        ("//", None, None),
        ("/  /", None, None),
        ("", None, None),
        ("-", None, None),
        ("NULL", None, None),
        (None, None, None),
        ("1300/01/01", "1300/01/01", None),
    ],
)
def test_dates_as_they_come(written, stored, flag):
    assert JalaliDate(L).clean(written) == (stored, flag)


@pytest.mark.parametrize("written", ["1300/01/01", "۱۳۰۰/۱/۱", "13000101", "00/01/01", "1921-03-21"])
def test_the_first_day_of_1300_is_nobodys_birthday(written):
    stored, flag = JalaliDate(L, birth=True).clean(written)
    assert (stored, flag) == (
        (None, "placeholder_date") if written != "00/01/01" else ("1400/01/01", "year2")
    )


def test_other_birthdays_are_kept():
    assert JalaliDate(L, birth=True).clean("1384/05/12") == ("1384/05/12", None)
    assert JalaliDate(L, birth=True).clean("84/05/12") == ("1384/05/12", "year2")


@given(st.dates(FIRST_DAY, LAST_DAY))
def test_a_stored_date_is_read_as_itself(day):
    stored = str(to_jalali(day))
    assert JalaliDate(L).clean(stored) == (stored, None)
