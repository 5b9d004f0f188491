"""The pages about data quality: counts by kind and campus, the rows behind them, who may see what, and the files."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.clean.flags import FLAGS, MEND, REJECTS
from panel import destination
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import AuditEntry, Campus, DataSync, SyncRun
from tests.fetchers.core.conftest import House as Destination
from tests.panel.admin.conftest import read
from tests.web import csrf_token

Rows = sessionmaker[Session]
BIRTH, PHONE, CODE = "1404/12/30", "0912-twelve", "9991000071"
FATHER, ADDRESS = "غلامحسین", "کوچهٔ بن‌بست یاس"
PERSONAL = (BIRTH, PHONE, CODE, FATHER, ADDRESS)


def stream(source: str) -> Any:
    fetcher = registry.load(source).fetcher
    assert fetcher is not None
    return fetcher.streams()[0]


def student(number: int | None, **fields: Any) -> dict[str, Any]:
    name = {"firstname": "نیلوفر", "familyname": f"کریمی {number}"}
    return {
        "studentnum": None if number is None else str(number),
        **name,
        "birthdate": "1384/05/12",
        **fields,
    }


@pytest.fixture
def noted(rows: Rows, web_config: Config) -> Iterator[Destination]:
    """Three students and one without a number at Tehran, one at Qom; two members of the faculty with one code."""
    path = Path(web_config.data_database_url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    data = Destination(path, stream("students"), ceiling="4051")
    lost = student(None, fathername=FATHER, address=ADDRESS, city="=HYPERLINK(1)", secretkey="پنهان")
    data.sync(
        *[student(number) for number in range(40011000, 40011030)],
        student(40011001, birthdate=BIRTH, province="ناکجاآباد"),
        student(40011002, phonenum=PHONE, code_Markaz="1120"),
        lost,
        campus="1110", term="4051",
    )  # fmt: skip
    data.sync(student(40011003, firstname="=cmd|", familyname="رضایی"), campus="1120", term="4042")
    data.close_books()
    faculty = Destination(path, stream("faculty"))
    faculty.sync(*({"id": n, "name": "سارا", "family": f"کیانی {n}", "nationalcode": CODE} for n in (1, 2)))
    faculty.close_books()
    faculty.db.close()
    with writing(rows) as session:
        now = utcnow()
        session.add(Campus(pardis_code="1110", name="پردیس مرکز", active=True))
        for number, key in enumerate(("faculty", "students"), 1):
            sync = DataSync(key=key, fetcher=key, settings={}, created_at=now, updated_at=now)
            session.add(sync)
            session.flush()
            session.add(
                SyncRun(
                    id=number, uuid=f"run-{number}", sync_id=sync.id, status="success", triggered_by="cli",
                    requested_at=now, not_before=now, finished_at=now, read=34, rejected=1,
                )
            )  # fmt: skip
            session.flush()
            sync.last_run_id, sync.records = number, 34
    yield data
    data.db.close()
    destination.let_go()


def kinds(page: str) -> set[str]:
    return set(re.findall(r'<tr data-kind="([^"]+)"', page))


def reasons(page: str) -> list[str]:
    return re.findall(r'<tr data-reason="(\w+)"', page)


def test_kinds_are_counted_with_what_they_mean_and_what_to_do(sara: FlaskClient, noted: Destination) -> None:
    page = read(sara, "/quality/?source=students")
    assert kinds(page) == {
        "bad_date:birthdate", "unknown_province:province", "bad_phone:phonenum", "other_campus:code_Markaz",
        "no_key:studentnum", "two_names:familyname", "unequal_duplicate:",
    }  # fmt: skip
    assert (
        "Enter the right day at the source, written like 1402/07/01." in page
        and "rejected until it is mended" in page
    )
    assert kinds(read(sara, "/quality/?source=faculty")) == {
        "two_ids:nationalcode",
        "bad_checksum:nationalcode",
    }
    assert kinds(read(sara, "/quality/")) > {"two_ids:nationalcode", "bad_date:birthdate"}
    persian = read(sara, "/quality/?source=students&lang=fa")
    for text in ("کیفیت داده", "روزی از تقویم نیست", "در سامانه چه باید کرد", "تاریخ تولد", "٪"):
        assert text in persian, text


def test_campuses_have_their_counts_and_their_names(sara: FlaskClient, noted: Destination) -> None:
    page = read(sara, "/quality/")
    assert set(re.findall(r'data-campus="(\d+)"', page)) == {"1110", "1120"}
    assert "پردیس مرکز" in page
    cell = re.search(r'href="(/quality/rows\?[^"]*reason=bad_date[^"]*campus=1110[^"]*)"', page)
    assert cell is not None
    assert reasons(read(sara, cell.group(1).replace("&amp;", "&"))) == ["bad_date"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("source=students&reason=bad_phone", ["bad_phone"]),
        ("source=students&field=province", ["unknown_province"]),
        ("campus=1120", ["two_names"]),
        ("kept=0", ["no_key"]),
        ("search=۴۰۰۱۱۰۰۳", ["two_names", "two_names"]),
        ("key=40011001&reason=bad_date", ["bad_date"]),
        ("run=1&reason=bad_date", ["bad_date"]),
        ("run=2&reason=bad_date", []),
        ("run=no&reason=bad_date", ["bad_date"]),
        ("reason=nonsense", []),
        ("source=faculty&reason=two_ids", ["two_ids", "two_ids"]),
    ],
)
def test_the_rows_are_filtered(
    sara: FlaskClient, noted: Destination, query: str, expected: list[str]
) -> None:
    assert reasons(read(sara, f"/quality/rows?{query}")) == expected


def test_a_row_says_who_it_is_and_leads_to_the_person(sara: FlaskClient, noted: Destination) -> None:
    page = read(sara, "/quality/rows?reason=unknown_province")
    for text in (
        "نیلوفر کریمی 40011001",
        "ناکجاآباد",
        "Province",
        "پردیس مرکز",
        "4051",
        "/data/Students/row?",
    ):
        assert text in page, text
    person = read(sara, "/data/Students/row?studentnum=40011001")
    assert set(reasons(person)) >= {"bad_date", "unknown_province"}
    assert reasons(read(sara, "/data/Students/row?studentnum=40011020")) == []


@pytest.mark.parametrize("lang", ["fa", "en"])
@pytest.mark.parametrize(
    "path", ["/quality/", "/quality/rows", "/data/Students/row?studentnum=40011001", "/data/faculty/row?id=1"]
)
def test_no_personal_value_is_on_a_page_but_for_administrators(
    sara: FlaskClient, reza: FlaskClient, noted: Destination, path: str, lang: str
) -> None:
    for client in (sara, reza):
        page = read(client, f"{path}{'&' if '?' in path else '?'}lang={lang}")
        assert [value for value in PERSONAL if value in page] == []


def test_administrators_see_them(maryam: FlaskClient, noted: Destination) -> None:
    page = read(maryam, "/quality/rows")
    assert [value for value in PERSONAL if value not in page] == []


def test_a_record_that_was_left_out_is_taken_apart_and_masked_field_by_field(
    sara: FlaskClient, maryam: FlaskClient, noted: Destination
) -> None:
    page = read(sara, "/quality/rows?kept=0")
    assert "=HYPERLINK(1)" in page and "نیلوفر" in page and "••••" in page
    assert "پنهان" not in page, "a field that nobody declares may hold anything"
    for client in (sara, maryam):
        whole = read(client, "/quality/rows?kept=0")
        assert '{"studentnum"' not in whole and "&#34;studentnum&#34;" not in whole


def cells(answer: bytes, sheet: int = 1) -> tuple[str, str]:
    """A sheet's XML, and every text in it."""
    with zipfile.ZipFile(io.BytesIO(answer)) as file:
        xml = file.read(f"xl/worksheets/sheet{sheet}.xml").decode()
    return xml, "\n".join(text for text in ElementTree.fromstring(xml).itertext())


def export(client: FlaskClient, **form: str) -> Any:
    client.get("/quality/rows?lang=fa")
    form = {"csrf_token": csrf_token(client, "/quality/rows?lang=fa"), **form}
    answer = client.post("/quality/export", data=form)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer


def test_the_excel_file_is_right_to_left_with_real_numbers_and_no_formula(
    maryam: FlaskClient, reza: FlaskClient, noted: Destination
) -> None:
    for client, sees in ((maryam, True), (reza, False)):
        answer = export(client).get_data()
        xml, text = cells(answer)
        assert 'rightToLeft="1"' in xml and "<f>" not in xml
        assert (
            "40011001" in text and "=cmd|" in text and "پردیس مرکز" in text and "روزی از تقویم نیست" in text
        )
        assert re.search(r"۱[۴-۵]\d\d/\d\d/\d\d", text) or re.search(r"۱۴[۰-۹]{2}/", text), "a Jalali day"
        for value in PERSONAL:
            assert (value in text) is sees, value
        xml, _ = cells(answer, 2)
        assert re.search(r"<c r=\"D2\"[^>]*><v>\d+</v>", xml), "a count is a number"


def test_the_csv_is_streamed_masked_and_no_cell_of_it_is_a_formula(
    maryam: FlaskClient, reza: FlaskClient, noted: Destination
) -> None:
    for client, sees in ((maryam, True), (reza, False)):
        text = export(client, **{"as": "csv"}).get_data().decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text)))
        assert len(lines) == 1 + len(reasons(read(client, "/quality/rows")))
        assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "-", "@"))]
        assert "'=cmd|" in text
        for value in PERSONAL:
            assert (value in text) is sees, value


def test_the_file_obeys_the_filters_and_is_written_down(
    reza: FlaskClient, rows: Rows, noted: Destination
) -> None:
    text = export(reza, **{"as": "csv", "source": "students", "reason": "bad_phone"}).get_data().decode()
    assert len(text.strip().splitlines()) == 2
    export(reza, reason="two_ids")
    with rows() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.action == "quality_exported")).all()
        assert [(e.actor, e.subject, (e.details or {})["lines"]) for e in found] == [
            ("reza", "students", 1),
            ("reza", None, 2),
        ]


def test_who_only_looks_takes_no_file(sara: FlaskClient, noted: Destination) -> None:
    page = read(sara, "/quality/rows")
    assert "/quality/export" not in page
    form = {"csrf_token": csrf_token(sara, "/quality/rows")}
    assert sara.post("/quality/export", data=form).status_code == 403


def test_runs_and_sources_lead_there(sara: FlaskClient, noted: Destination) -> None:
    assert 'href="/quality/rows?source=students&amp;kept=0"' in read(sara, "/runs/2")
    assert 'href="/quality/?source=students"' in read(sara, "/")


def test_before_the_first_sync_there_is_nothing_to_say(sara: FlaskClient, rows: Rows) -> None:
    assert "Nothing has been fetched yet." in read(sara, "/quality/")
    assert "Nothing odd" in read(sara, "/quality/rows")


def test_every_reason_says_what_to_do() -> None:
    assert set(MEND) == {*FLAGS, *REJECTS}
