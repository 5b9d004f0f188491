"""Days as people write them, and when they begin in Tehran."""

from datetime import UTC, date, datetime

import pytest

from panel import days


@pytest.mark.parametrize(
    "text",
    [
        "۱۴۰۴/۰۷/۰۱",
        "1404/7/1",
        "1404-07-01",
        "14040701",
        "۱ مهر ۱۴۰۴",
        "1 Mehr 1404",
        "01/07/1404",
        "2025-09-23",
        " ۱  مهر ۱۴۰۴ ",
    ],
)
def test_a_day_is_read_however_it_is_written(text: str) -> None:
    assert days.read(text) == date(2025, 9, 23)


def test_the_30th_of_esfand_is_there_in_a_leap_year_and_in_no_other() -> None:
    for text in ("1403/12/30", "۳۰ اسفند ۱۴۰۳", "۱۴۰۳/۱۲/۳۰"):
        assert days.read(text) == date(2025, 3, 20)
    for text in ("1404/12/30", "۳۰ اسفند ۱۴۰۴", "30/12/1404"):
        with pytest.raises(days.NoDay) as caught:
            days.read(text)
        assert caught.value.month == (1404, 12) and caught.value.days == 29 and caught.value.day == 30


@pytest.mark.parametrize(
    "text",
    ["", "x", "1405/13/01", "1405/00/10", "1405/07/00", "31 Foo 1404", "99999999999", "1404/07", "9/9"],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(days.NoDay) as caught:
        days.read(text)
    assert caught.value.month is None


def test_a_day_begins_and_ends_at_midnight_in_tehran() -> None:
    assert days.begins(date(2025, 9, 23)) == datetime(2025, 9, 22, 20, 30, tzinfo=UTC)
    assert days.ends(date(2025, 9, 23)) == datetime(2025, 9, 23, 20, 30, tzinfo=UTC)
    # In 1401 clocks went forward at midnight: the first of Farvardin began at one.
    assert days.begins(date(2022, 3, 22)) == datetime(2022, 3, 21, 20, 30, tzinfo=UTC)
    assert days.ends(date(2022, 3, 22)) == datetime(2022, 3, 22, 19, 30, tzinfo=UTC)
