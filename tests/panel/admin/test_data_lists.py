"""The data browser's lists, as they are asked for by addresses, with the data in a file and on a server."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from panel.browse import asked
from panel.config import Config
from tests.panel.admin.conftest import read
from tests.panel.browse.conftest import CAMPUSES, fill
from tests.web import ON_BOTH

pytestmark = ON_BOTH


@pytest.fixture
def lists(web_config: Config, sara: FlaskClient) -> FlaskClient:
    """Sara before a destination with some hundred rows."""
    fill(web_config.data_database_url)
    return sara


def boxes(page: str) -> dict[str, dict[str, str]]:
    """The boxes of a page: name → value → what is read."""
    found = {}
    for name, inside in re.findall(r'<select [^>]*name="(\w+)"[^>]*>(.*?)</select>', page, re.S):
        found[name] = dict(re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)</option>', inside))
    return found


def count(page: str) -> str:
    found = re.search(r'id="count">([^<]*)<', page)
    assert found, page
    return found[1]


def column(page: str, label: str) -> list[str]:
    """What stands in a column of the list, row by row."""
    cells = re.findall(rf'<td[^>]*data-label="{label}"><span class="val">(.*?)</span></td>', page, re.S)
    return [unescape(re.sub("<[^>]*>", "", cell)) for cell in cells]


def link(page: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page)
    assert found, f"no link {rel}"
    return unescape(found[1])


def test_facets_say_how_many_rows_they_would_leave_and_the_choice_stays_in_the_boxes(
    lists: FlaskClient,
) -> None:
    page = read(lists, "/data/student_terms?f_term=4051")
    number = int(count(page).split()[0])
    assert 0 < number < 200
    told = boxes(page)
    assert list(told["f_term"]) == ["", "4051", "4042", "4041", "4033"], "the newest first"
    assert told["f_term"]["4051"] == f"4051 ({number})"
    assert (
        sum(int(word.split("(")[1][:-1]) for value, word in told["f_codePardis"].items() if value) == number
    )
    assert re.search(r'<option value="4051" selected>', page)
    assert any("مشغول به تحصیل" in word or "در حال تحصیل" in word for word in told["f_codvaziayat"].values())
    fewer = read(lists, f"/data/student_terms?f_term=4051&f_codePardis={CAMPUSES[1]}")
    assert told["f_codePardis"][CAMPUSES[1]].endswith(f"({count(fewer).split()[0]})")
    assert set(column(fewer, "Term")) == {"4051"}
    assert set(column(fewer, "Campus code")) == {CAMPUSES[1]}
    assert ">Campus</label>" in fewer, "its box has names"


def test_rows_without_a_value_can_be_chosen(lists: FlaskClient) -> None:
    page = read(lists, "/data/Students?f_codvaziayat=-")
    assert column(page, "Status") and count(page).split()[0] in boxes(page)["f_codvaziayat"]["-"]
    assert "(empty)" in boxes(page)["f_codvaziayat"]["-"]


def test_pages_are_turned_by_links_that_keep_what_was_asked_for(lists: FlaskClient) -> None:
    page = first = read(lists, "/data/student_terms?f_grade=3&sort=codePardis&desc=1")
    seen = column(page, "Student number")
    assert "f_grade=3" in link(page, "next") and "sort=codePardis" in link(page, "next")
    while 'rel="next"' in page:
        page = read(lists, link(page, "next"))
        seen += column(page, "Student number")
    assert len(seen) == int(count(first).split()[0])
    assert "Rows" in page and 'rel="prev"' in page
    assert (
        column(read(lists, "/data/student_terms?f_grade=3&sort=codePardis&desc=1&last=1"), "Student number")
        == seen[-25:]
    )
    back = read(lists, link(page, "prev"))
    assert column(back, "Student number") == seen[-25 - len(column(page, "Student number")) :][:25]


def test_a_facet_a_search_and_an_order_survive_a_reload_and_can_be_cleared(lists: FlaskClient) -> None:
    page = read(lists, "/data/Students?search=سارا&f_term=4042&sort=studentnum&desc=1")
    assert 'value="سارا"' in page and '<input type="hidden" name="sort" value="studentnum">' in page
    assert 'aria-sort="descending"' in page
    numbers = column(page, "Student number")
    assert numbers == sorted(numbers, reverse=True)
    assert 'href="/data/Students?sort=studentnum&amp;desc=1">Clear<' in page


def test_names_stand_in_the_order_of_the_persian_alphabet(lists: FlaskClient) -> None:
    families = column(read(lists, "/data/faculty"), "Family name")
    places = [
        families.index(name)
        for name in ("آذری", "احمدی", "پارسا", "چمنی", "ژاله", "کریمی", "گلستانی", "مؤمنی")
    ]
    assert places == sorted(places)
    assert families[0] == "آذری"
    assert 'aria-sort="ascending"' in read(lists, "/data/faculty")


def test_a_list_that_is_too_long_for_an_order_says_so(
    lists: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST_ROWS", 5)
    monkeypatch.setattr(asked, "MOST_PEOPLE", 2)
    page = read(lists, "/data/student_terms?sort=course_name")
    assert "cannot be sorted by this column" in page and 'aria-sort="descending"' in page
    assert "sort=course_name" not in page.split("<thead>")[1].split("</thead>")[0]
    page = read(lists, "/data/Students?search=سارا")
    assert count(page) == "More than 2 rows: so many fit that they were not counted."
    page = read(lists, "/data/Students?search=سارا&lang=fa")  # her texts are in memory by now
    assert "بیش از ۵ ردیف" in count(page)


def test_what_is_gone_is_told(lists: FlaskClient) -> None:
    assert "is gone" in read(lists, "/data/Students?after=nobody")
    page = read(lists, "/data/student_terms?f_codePardis=nowhere")
    assert "No row fits. Set a filter" in page and "nowhere (0)" in page


@pytest.mark.parametrize(
    "query",
    [
        "after=a&after=b",
        "before=%00",
        "f_term=%00",
        "last=2",
        "sort=nationalcode",
        "f_nationalcode=1",
        "f_term=",
    ],
)
def test_nonsense_in_an_address_is_no_crash(lists: FlaskClient, query: str) -> None:
    for table in ("faculty", "Students", "student_terms"):
        assert lists.get(f"/data/{table}?{query}").status_code < 500
