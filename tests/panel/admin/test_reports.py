"""The page of the monthly report, and its Excel file."""

import io
import re
import zipfile

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel.clock import utcnow
from panel.models import AuditEntry
from panel.report import Month
from tests.panel.admin.conftest import read
from tests.web import csrf_token

House = sessionmaker[Session]


def test_the_sheet_of_this_month_has_its_figures_and_the_months_before(
    house: House, sara: FlaskClient
) -> None:
    page = read(sara, "/reports/?source=faculty")
    month = Month.of(utcnow())
    assert f'data-month="{month}"' in page and f'data-month="{month.before(11)}"' in page
    assert 'data-figure="rate"' in page and "Longest time without a success" in page
    assert 'rel="next"' not in page, "there is no month to come"
    assert 'rel="next"' in read(sara, f"/reports/?source=faculty&month={month.before()}")


def test_the_menu_marks_the_page_that_leads_here(house: House, sara: FlaskClient) -> None:
    for path, leads in (("/reports/", "/runs/"), ("/timeline/", "/runs/"), ("/sources/faculty", "/")):
        assert re.findall(r'<li><a href="([^"]*)" aria-current="page">', read(sara, path))[0] == leads, path


def test_persian_has_its_months_and_digits(house: House, sara: FlaskClient) -> None:
    page = sara.get("/reports/?month=1404-12").get_data(as_text=True)
    assert "اسفند ۱۴۰۴" in page and "گزارش ماهانه" in page


def test_what_is_no_month_or_still_to_come_is_not_there(house: House, sara: FlaskClient) -> None:
    for text in ("1404-13", "abc", str(Month.of(utcnow()).before(-1)), "1499-01"):
        read(sara, f"/reports/?month={text}", status=404)


def test_the_file_is_right_to_left_and_in_the_trail(house: House, reza: FlaskClient) -> None:
    form = {"csrf_token": csrf_token(reza, "/"), "source": "faculty", "month": "1404-12"}
    answer = reza.post("/reports/sheet", data=form)
    assert answer.status_code == 200
    assert "hamgam-faculty-1404-12.xlsx" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        texts = (
            book.read("xl/sharedStrings.xml").decode() if "xl/sharedStrings.xml" in book.namelist() else sheet
        )
    assert 'rightToLeft="1"' in sheet and "اسفند ۱۴۰۴" in texts + sheet
    assert "اعضای هیئت علمی پس از اجرا" in texts + sheet
    with house() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "report_exported")).one()
        assert (entry.subject, entry.details) == ("faculty", {"month": "1404-12"})
