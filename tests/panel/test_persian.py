"""Numbers, dates and spans of time as the pages show them."""

from datetime import UTC, datetime, timedelta

import pytest

from panel import persian

NOW = datetime(2026, 11, 22, 9, 17, tzinfo=UTC)


def test_digits_follow_the_language():
    assert persian.digits("کد 4051", "fa") == "کد ۴۰۵۱"
    assert persian.digits(12, "fa_IR") == "۱۲"
    assert persian.digits("۴۰۵۱ و ٤٠٥١", "en") == "4051 و 4051"


@pytest.mark.parametrize(
    ("n", "fa", "en"),
    [
        (0, "۰", "0"),
        (999, "۹۹۹", "999"),
        (1234567, "۱٬۲۳۴٬۵۶۷", "1,234,567"),
        (-1500, "-۱٬۵۰۰", "-1,500"),
        (1234.5, "۱٬۲۳۴٫۵", "1,234.5"),
        (60.0, "۶۰", "60"),
        (None, "—", "—"),
    ],
)
def test_thousands_are_parted(n, fa, en):
    assert persian.number(n, "fa") == fa
    assert persian.number(n, "en") == en


def test_a_moment_is_shown_in_tehran_and_in_the_readers_calendar():
    assert persian.jalali_date(NOW, "fa") == "۱ آذر ۱۴۰۵"
    assert persian.jalali_date(NOW, "en") == "22 Nov 2026"
    assert persian.jalali_datetime(NOW, "fa") == "۱۴۰۵/۰۹/۰۱ ۱۲:۴۷"
    assert persian.jalali_datetime(NOW, "en") == "2026-11-22 12:47"
    assert (persian.month(NOW, "fa"), persian.month(NOW, "en")) == ("آذر", "Nov")
    assert (persian.weekday(NOW, "fa"), persian.weekday(NOW, "en")) == ("یکشنبه", "Sunday")


def test_a_new_day_begins_at_midnight_in_tehran():
    last_second = datetime(2026, 9, 22, 20, 29, 59, tzinfo=UTC)
    assert persian.jalali_date(last_second, "fa") == "۳۱ شهریور ۱۴۰۵"
    assert persian.jalali_date(last_second + timedelta(seconds=1), "fa") == "۱ مهر ۱۴۰۵"
    assert persian.jalali_date(last_second + timedelta(seconds=1), "en") == "23 Sep 2026"


def test_leap_day_of_1403():
    assert persian.jalali_date(datetime(2025, 3, 20, 8, tzinfo=UTC), "fa") == "۳۰ اسفند ۱۴۰۳"


def test_tehran_keeps_no_summer_time_since_1402_whatever_the_system_knows():
    assert persian.tehran(datetime(2026, 7, 1, tzinfo=UTC)).utcoffset() == timedelta(hours=3, minutes=30)
    assert persian.tehran(datetime(2022, 7, 1, tzinfo=UTC)).utcoffset() == timedelta(hours=4, minutes=30)


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        persian.jalali_datetime(datetime(2026, 1, 1), "fa")


def test_what_did_not_happen_is_a_dash():
    for show in (persian.jalali_date, persian.jalali_datetime, persian.duration):
        assert show(None, "fa") == "—"
    assert persian.relative(None, NOW, "en") == "—"


@pytest.mark.parametrize(
    ("away", "fa", "en"),
    [
        (timedelta(0), "همین حالا", "just now"),
        (timedelta(seconds=-4), "همین حالا", "just now"),
        (timedelta(seconds=-45), "۴۵ ثانیه پیش", "45 seconds ago"),
        (timedelta(seconds=-59.8), "۱ دقیقه پیش", "1 minute ago"),
        (timedelta(minutes=3), "۳ دقیقه دیگر", "in 3 minutes"),
        (timedelta(minutes=2, seconds=59.5), "۳ دقیقه دیگر", "in 3 minutes"),
        (timedelta(hours=-2), "۲ ساعت پیش", "2 hours ago"),
        (timedelta(hours=-23, minutes=-50), "۱ روز پیش", "1 day ago"),
        (timedelta(days=-12), "۱۲ روز پیش", "12 days ago"),
        (timedelta(days=-30), "۱ ماه پیش", "1 month ago"),
        (timedelta(days=400), "۱ سال دیگر", "in 1 year"),
    ],
)
def test_time_from_now_in_its_largest_unit(away, fa, en):
    assert persian.relative(NOW + away, NOW, "fa") == fa
    assert persian.relative(NOW + away, NOW, "en") == en


@pytest.mark.parametrize(
    ("seconds", "fa", "en"),
    [
        (0, "۰ ثانیه", "0 s"),
        (0.04, "۰ ثانیه", "0 s"),
        (1.24, "۱٫۲ ثانیه", "1.2 s"),
        (9.97, "۱۰ ثانیه", "10 s"),
        (59.6, "۱ دقیقه", "1 min"),
        (80, "۱ دقیقه و ۲۰ ثانیه", "1 min 20 s"),
        (3600, "۱ ساعت", "1 h"),
        (7385, "۲ ساعت و ۳ دقیقه", "2 h 3 min"),
        (100000, "۱ روز و ۳ ساعت", "1 d 3 h"),
        (-3, "۰ ثانیه", "0 s"),
    ],
)
def test_a_span_of_time_in_two_units(seconds, fa, en):
    assert persian.duration(seconds, "fa") == fa
    assert persian.duration(seconds, "en") == en
