"""Term codes of the academic calendar: the vectors of the domain page."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from fetchers.core.clean import to_gregorian, to_jalali
from fetchers.golestan import terms

TEHRAN = ZoneInfo("Asia/Tehran")


def noon(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), TEHRAN)


@pytest.mark.parametrize(
    ("day", "term"),
    [
        ("2025-09-22", "4033"),
        ("2025-09-23", "4041"),
        ("2026-01-20", "4041"),
        ("2026-01-21", "4042"),
        ("2026-03-21", "4042"),
        ("2026-06-21", "4042"),
        ("2026-06-22", "4043"),
        ("2026-09-22", "4043"),
        ("2026-09-23", "4051"),
        ("2026-11-22", "4051"),
    ],
)
def test_the_year_of_a_code_is_the_academic_year(day: str, term: str) -> None:
    assert terms.current(noon(day)) == term


def test_the_day_turns_at_midnight_in_tehran() -> None:
    eve = datetime(2026, 9, 22, 20, 29, 59, tzinfo=UTC)
    assert terms.current(eve) == "4043"
    assert terms.current(eve + timedelta(seconds=1)) == "4051"


def test_the_next_term_is_asked_for_from_thirty_days_before_it() -> None:
    assert terms.newest(noon("2026-08-23")) == "4043"
    assert terms.newest(noon("2026-08-24")) == "4051"
    assert terms.newest(noon("2026-09-23")) == "4051"


def test_over_a_century_terms_follow_each_other_without_a_gap() -> None:
    day, before = to_gregorian(1390, 1, 1), ""
    seen = []
    while to_jalali(day)[0] < 1460:
        term = terms.current(datetime.combine(day, time(12), TEHRAN))
        if term != before:
            seen.append(term)
            before = term
        day += timedelta(days=1)
    assert seen == list(terms.between(seen[0], seen[-1]))


def test_between_gives_both_ends_oldest_first() -> None:
    assert list(terms.between("4041", "4052")) == ["4041", "4042", "4043", "4051", "4052"]
    assert list(terms.between("4051", "4051")) == ["4051"]
    assert list(terms.between("4052", "4051")) == []


@pytest.mark.parametrize(
    "code", ["", "405", "4050", "4054", "40511", "14051", "۴۰۵۱", "405a", " 4051", "²051"]
)
def test_a_code_that_is_none_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="is not a term code"):
        list(terms.between(code, "4051"))


@pytest.mark.parametrize(
    ("term", "count", "earlier"),
    [("4051", 0, "4051"), ("4051", 1, "4043"), ("4051", 3, "4041"), ("4042", 4, "4031"), ("4001", 1, "3993")],
)
def test_terms_are_counted_backwards_over_the_years(term, count, earlier):
    assert terms.earlier(term, count) == earlier
