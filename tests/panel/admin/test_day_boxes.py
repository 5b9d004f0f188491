"""Lists of some days: exactly the rows of those days in Tehran, and a day that there is not is refused in words."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from panel import audit
from panel.admin.day_boxes import Span, span
from panel.config import Config
from panel.db import writing
from panel.models import AuditEntry, SyncRun
from tests.panel.admin.conftest import read
from tests.panel.browse.conftest import fill
from tests.web import ON_BOTH, add_sync, csrf_token

House = sessionmaker[Session]
# ۱ مهر ۱۴۰۴ to ۳۰ آبان ۱۴۰۴, as moments in UTC.
BEGINS = datetime(2025, 9, 22, 20, 30, tzinfo=UTC)
ENDS = datetime(2025, 11, 21, 20, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOMENTS = (BEGINS - SECOND, BEGINS, BEGINS + timedelta(days=20), ENDS - SECOND, ENDS)
SPAN = "since=۱ مهر ۱۴۰۴&until=۳۰ آبان ۱۴۰۴"


def runs_at(rows: House, *moments: datetime, asked_before: timedelta = timedelta(0)) -> None:
    sync = add_sync(rows)
    with writing(rows) as session:
        for at in moments:
            session.add(
                SyncRun(
                    uuid=str(uuid4()), sync_id=sync, status="success", triggered_by="schedule",
                    requested_at=at - asked_before, not_before=at, started_at=at, finished_at=at,
                )
            )  # fmt: skip


def numbers(page: str) -> list[int]:
    """The numbers of the runs that a page lists."""
    return [int(n) for n in re.findall(r'<a class="val num" href="/runs/(\d+)"', page)]


def test_the_list_of_runs_has_exactly_those_of_the_days_asked_for(rows: House, sara: FlaskClient) -> None:
    runs_at(rows, *MOMENTS)
    assert numbers(read(sara, f"/runs/?{SPAN}")) == [4, 3, 2]
    assert numbers(read(sara, "/runs/?since=1404/07/01&until=1404/08/30")) == [4, 3, 2]
    assert numbers(read(sara, "/runs/?since=1404/09/01")) == [5]
    assert numbers(read(sara, "/runs/?until=1404/06/31&source=students&status=success")) == [1]


def test_a_run_belongs_to_the_day_on_which_it_started(rows: House, sara: FlaskClient) -> None:
    runs_at(rows, *MOMENTS, asked_before=timedelta(days=2))
    assert numbers(read(sara, f"/runs/?{SPAN}")) == [4, 3, 2]


def test_the_days_stay_in_the_boxes_and_in_the_links(rows: House, sara: FlaskClient) -> None:
    runs_at(rows, *(BEGINS + timedelta(hours=n) for n in range(40)))
    page = read(sara, "/runs/?since=1404/07/01&until=1404/08/30&lang=fa")
    assert 'value="۱۴۰۴/۰۷/۰۱"' in page and 'value="۱۴۰۴/۰۸/۳۰"' in page
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following and "since=1404" in following[1]
    assert len(numbers(read(sara, unescape(following[1])))) == 10


def test_an_empty_box_has_an_example_and_says_what_else_it_takes(house: House, maryam: FlaskClient) -> None:
    for path in ("/runs/", "/calendar/"):
        assert 'placeholder="۱۴۰۵/۰۹/۰۱"' in read(maryam, f"{path}?lang=fa")
    for path, other in (("/runs/", True), ("/calendar/", False)):
        page = read(maryam, path)
        assert 'placeholder="1405/09/01"' in page
        assert ("A Gregorian day, such as 2026-11-22, is understood too." in page) is other
    assert span({"since": "2026-11-22"}) == span({"since": "۲۰۲۶/۱۱/۲۲"}) == Span(date(2026, 11, 22))


@pytest.mark.parametrize("path", ["/runs/", "/changes/", "/audit/"])
def test_a_day_that_there_is_not_is_said_and_nothing_is_shown_instead(
    house: House, maryam: FlaskClient, path: str
) -> None:
    assert "Esfand 1404 has 29 days, so there is no day 30 in it." in read(maryam, f"{path}?until=1404/12/30")
    persian = read(maryam, f"{path}?until=۳۰ اسفند ۱۴۰۴&lang=fa")
    assert "اسفند ۱۴۰۴ ۲۹ روز دارد" in persian
    assert 'class="val' not in persian.partition("<tbody>")[2], "rows of other days"
    assert "has 29 days" not in read(maryam, f"{path}?until=1403/12/30")
    assert "is no date" in read(maryam, f"{path}?since=soon")
    assert "behind the last one" in read(maryam, f"{path}?since=1404/02/01&until=1404/01/01")


def test_the_audit_trail_has_exactly_the_entries_of_the_days_asked_for(
    rows: House, maryam: FlaskClient
) -> None:
    with writing(rows) as session:
        for number, at in enumerate(MOMENTS):
            audit.record(session, f"person-{number}", "login").at = at
    page = read(maryam, f"/audit/?{SPAN}")
    assert re.findall(r"person-\d", page) == ["person-3", "person-2", "person-1"]
    assert "3 rows" in page
    both = read(maryam, f"/audit/?{SPAN}&search=person-2")
    assert re.findall(r'col-actor[^>]*><span class="val">([^<]+)<', both) == ["person-2"]
    sort = re.search(r'<a href="([^"]+)">Who', page)
    assert sort and "since=" in sort[1] and "until=" in sort[1]
    assert read(maryam, unescape(sort[1])).count("person-") >= 3
    with rows() as session:
        assert session.query(AuditEntry).count() >= 5


@ON_BOTH
def test_a_list_of_students_has_exactly_those_whose_date_is_within(
    web_config: Config, sara: FlaskClient
) -> None:
    fill(web_config.data_database_url)
    span = "since_degsdate=۱ مهر ۱۴۰۳&until_degsdate=۳۰ اسفند ۱۴۰۳"
    page = read(sara, f"/data/Students?{span}&columns=studentnum,degsdate&sort=degsdate")
    found = re.findall(r"140\d/\d\d/\d\d", page.split("<tbody>")[1])
    assert found and found == sorted(found)
    assert all("1403/07/01" <= day <= "1403/12/30" for day in found)
    total = int(re.search(r'id="count">(\d+)', page)[1])  # type: ignore[index]
    before = int(re.search(r'id="count">(\d+)', read(sara, "/data/Students?until_degsdate=1403/06/31"))[1])  # type: ignore[index]
    after = int(re.search(r'id="count">(\d+)', read(sara, "/data/Students?since_degsdate=1404/01/01"))[1])  # type: ignore[index]
    every = int(re.search(r'id="count">(\d+)', read(sara, "/data/Students"))[1])  # type: ignore[index]
    without = int(
        re.search(
            r'id="count">(\d+)', read(sara, "/data/Students?columns=studentnum&since_degsdate=1250/01/01")
        )[1]
    )  # type: ignore[index]
    assert total + before + after == without < every


def test_neither_list_nor_file_is_made_of_days_that_cannot_be_read(
    web_config: Config, sara: FlaskClient, reza: FlaskClient
) -> None:
    fill(web_config.data_database_url)
    page = read(sara, "/data/Students?until_degsdate=1404/12/30")
    assert "Esfand 1404 has 29 days" in page and "<tbody>" not in page
    assert 'value="1404/12/30"' in page
    data = {"csrf_token": csrf_token(reza, "/data/Students"), "until_degsdate": "1404/12/30"}
    answer = reza.post("/data/Students/export?lang=fa", data=data, follow_redirects=True)
    assert "۲۹ روز دارد" in answer.get_data(as_text=True)
    data = {"csrf_token": csrf_token(reza, "/changes/"), "until": "1404/12/30"}
    answer = reza.post("/changes/export?lang=fa", data=data, follow_redirects=True)
    assert "۲۹ روز دارد" in answer.get_data(as_text=True)
