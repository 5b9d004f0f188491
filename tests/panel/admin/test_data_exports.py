"""Files of the data browser's lists: what is seen is what is in them, safe in any spreadsheet, and written down."""

import csv
import io
import re
import shutil
import subprocess
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store import sql
from panel.browse import Wanted
from panel.clock import utcnow
from panel.config import Config
from panel.exports import making, orders
from panel.models import AuditEntry
from tests.panel.admin.conftest import read
from tests.panel.browse.conftest import fill
from tests.web import ON_BOTH, csrf_token

House = sessionmaker[Session]
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
PATIENCE = 120.0
OFFICE = shutil.which("soffice")


@pytest.fixture
def filled(web_config: Config) -> Config:
    fill(web_config.data_database_url)
    return web_config


def ordered(client: FlaskClient, table: str, lang: str = "fa", **form: str) -> str:
    """Order a file; the address of its page."""
    data = {"csrf_token": csrf_token(client, "/data/faculty"), **form}
    answer = client.post(f"/data/{table}/export?lang={lang}", data=data)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return str(answer.location)


def ended(client: FlaskClient, page: str) -> str:
    """Wait until it is no longer being made; what its page says then."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        text = client.get(f"{page}/live?lang=en").get_data(as_text=True)
        if 'data-state="making"' not in text:
            return text
        time.sleep(0.05)
    raise AssertionError(f"not ready in {PATIENCE:.0f} s: {text}")


def file(client: FlaskClient, page: str) -> bytes:
    assert 'data-state="done"' in ended(client, page)
    answer = client.get(f"{page}/file", buffered=True)
    assert answer.status_code == 200
    return answer.data


def cells(book: bytes) -> list[list[object]]:
    """The rows of a workbook: texts as they are, numbers as numbers, days as ("day", serial)."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    rows: list[list[object]] = []
    for row in sheet.iter(f"{SHEET}row"):
        found: list[object] = []
        for cell in row.iter(f"{SHEET}c"):
            place = sum(
                (ord(sign) - 64) * 26**n
                for n, sign in enumerate(reversed(re.sub(r"\d", "", cell.get("r", ""))))
            )
            found += [None] * (place - 1 - len(found))
            assert cell.find(f"{SHEET}f") is None, "a formula"
            text = cell.find(f"{SHEET}is/{SHEET}t")
            number = cell.find(f"{SHEET}v")
            if text is not None:
                found.append(text.text)
            elif number is not None:
                value = float(str(number.text))
                found.append(("day", int(value)) if cell.get("s") == "2" else value)
            else:
                found.append(None)
        rows.append(found)
    return rows


@ON_BOTH
def test_the_file_has_what_the_list_shows_in_its_order_and_with_its_columns(
    filled: Config, reza: FlaskClient
) -> None:
    asked = {
        "f_codePardis": "1110",
        "sort": "studentnum",
        "desc": "1",
        "columns": "studentnum,familyname,term",
    }
    page = ordered(reza, "student_terms", **asked)
    head, *rows = cells(file(reza, page))
    assert head == ["شمارهٔ دانشجویی", "نام خانوادگی", "نیمسال"]
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    shown = re.findall(
        r'<td[^>]*data-label="Student number"><span class="val"><span class="ltr">(\d+)<',
        read(reza, f"/data/student_terms?{query}"),
    )
    assert [row[0] for row in rows][:25] == shown
    assert len(rows) > 25 and len({tuple(row) for row in rows}) == len(rows)


def spoil(url: str) -> None:
    """A name that a spreadsheet would take for a formula, and a code with zeros before it."""
    db = sql.connect(url)
    db.execute("UPDATE faculty SET family = ?, code = ? WHERE id = 7", ("=HYPERLINK(1)", "00071"))
    db.close()


def test_a_workbook_is_right_to_left_and_its_cells_have_their_types(
    filled: Config, reza: FlaskClient
) -> None:
    spoil(filled.data_database_url)
    book = file(reza, ordered(reza, "faculty", columns="id,family,code"))
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert 'rightToLeft="1"' in sheet
    [row] = [row for row in cells(book) if row[0] == 7.0]
    assert row == [7.0, "=HYPERLINK(1)", "00071"]
    book = file(reza, ordered(reza, "faculty", "en", columns="id,family"))
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        assert 'rightToLeft="1"' not in archive.read("xl/worksheets/sheet1.xml").decode()
    assert cells(book)[0] == ["ID", "Family name"]


@pytest.mark.slow
def test_libreoffice_shows_a_workbook_right_to_left_with_zeros_and_no_formula(
    filled: Config, reza: FlaskClient, tmp_path: Path
) -> None:
    """As an office opens it: the whole program, not a reader of ours."""
    if OFFICE is None:
        pytest.skip("there is no LibreOffice here")
    spoil(filled.data_database_url)
    books = {
        lang: file(reza, ordered(reza, "faculty", lang, columns="id,family,code")) for lang in ("fa", "en")
    }
    tables = {}
    for lang, book in books.items():
        path = tmp_path / f"{lang}.xlsx"
        path.write_bytes(book)
        command = [OFFICE, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless"]
        subprocess.run(
            [*command, "--convert-to", "fods", "--outdir", str(tmp_path), str(path)],
            check=True, capture_output=True, timeout=240,
        )  # fmt: skip
        tables[lang] = ElementTree.parse(tmp_path / f"{lang}.fods").getroot()
    assert "rl-tb" in direction(tables["fa"]) and "rl-tb" not in direction(tables["en"])
    [row] = [row for row in opened(tables["fa"]) if row and row[0] == ("float", "7")]
    assert row == [("float", "7"), ("string", "=HYPERLINK(1)"), ("string", "00071")]


OPEN = {
    name: f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}"
    for name in ("table", "office", "style", "text")
}


def direction(document: ElementTree.Element) -> list[str | None]:
    """How the styles of the tables say that their columns go on."""
    return [
        one.get(f"{OPEN['style']}writing-mode") for one in document.iter(f"{OPEN['style']}table-properties")
    ]


def opened(document: ElementTree.Element) -> list[list[tuple[str, str]]]:
    """The cells of an OpenDocument spreadsheet: what kind of value, and what is shown. A formula fails."""
    rows = []
    for row in document.iter(f"{OPEN['table']}table-row"):
        found = []
        for cell in row.iter(f"{OPEN['table']}table-cell"):
            assert cell.get(f"{OPEN['table']}formula") is None, "a formula"
            kind = cell.get(f"{OPEN['office']}value-type")
            if kind is not None:
                found.append(
                    (kind, "".join("".join(one.itertext()) for one in cell.iter(f"{OPEN['text']}p")))
                )
        rows.append(found)
    return rows


def test_a_jalali_date_stands_beside_the_same_day_as_a_real_date(filled: Config, reza: FlaskClient) -> None:
    head, *rows = cells(file(reza, ordered(reza, "Students", columns="studentnum,degsdate")))
    assert head == ["شمارهٔ دانشجویی", "تاریخ شروع مقطع", "تاریخ شروع مقطع (میلادی)"]
    told = {str(row[1]): row[2] for row in rows if len(row) > 1}
    assert len(told) > 10
    year = {day[:4] for day in told}
    assert year == {"1402", "1403", "1404"}
    # 1403/01/01 is 20 March 2024, which Excel counts as 45371.
    for jalali, day in told.items():
        y, m, d = map(int, jalali.split("/"))
        expected = (
            45371
            + {1402: -365, 1403: 0, 1404: 366}[y]
            + sum([31] * min(m - 1, 6) + [30] * max(m - 7, 0))
            + d
            - 1
        )
        assert day == ("day", expected), jalali


def test_csv_opens_in_a_spreadsheet_and_no_cell_of_it_is_a_formula(filled: Config, reza: FlaskClient) -> None:
    spoil(filled.data_database_url)
    page = ordered(reza, "faculty", "en", **{"as": "csv", "columns": "id,family,code"})
    written = file(reza, page)
    assert written.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(written.decode("utf-8-sig")))
    assert head == ["ID", "Family name", "Code"] and len(rows) == 30
    assert ["7", "'=HYPERLINK(1)", "00071"] in rows
    answer = reza.get(f"{page}/file", buffered=True)
    assert re.search(
        r"attachment; filename=hamgam-faculty-1\d{3}-\d\d-\d\d\.csv", answer.headers["Content-Disposition"]
    )


def test_personal_data_are_masked_but_for_administrators(
    filled: Config, reza: FlaskClient, maryam: FlaskClient
) -> None:
    masked = cells(file(reza, ordered(reza, "faculty", columns="id,nationalcode")))
    assert all(len(row) == 1 for row in masked), "who may not see a column cannot choose it either"
    _, *rows = cells(file(maryam, ordered(maryam, "faculty", columns="id,nationalcode")))
    assert all(re.fullmatch(r"999100\d{4}", str(row[1])) for row in rows)
    order = making_order(filled, columns=("id", "nationalcode"), table="faculty")
    place = orders.write(filled, order)
    making.make(order, place, filled.data_database_url, filled.panel_database_url)
    _, *rows = cells(orders.file_of(place, "xlsx").read_bytes())
    assert {row[1] for row in rows} == {"••••"}, "and whatever reaches the file is masked in it"


def test_who_took_how_much_is_in_the_audit_trail(
    filled: Config, rows: House, reza: FlaskClient, maryam: FlaskClient
) -> None:
    file(reza, ordered(reza, "faculty", columns="id,family"))
    with rows() as session:
        [entry] = session.scalars(select(AuditEntry).where(AuditEntry.action == "data_exported")).all()
    assert (entry.actor, entry.subject) == ("reza", "faculty")
    assert entry.details == {"lines": 30, "columns": 2, "file": "xlsx"}
    assert entry.address
    page = read(maryam, "/audit/")
    assert "exported data" in page and "lines: <bdi>30</bdi>" in page
    assert "از داده‌ها فایل گرفت" in read(maryam, "/audit/?lang=fa")


def test_nobody_else_gets_the_file_nor_who_may_no_longer_see_what_is_in_it(
    filled: Config, reza: FlaskClient, maryam: FlaskClient, sara: FlaskClient
) -> None:
    page = ordered(maryam, "faculty")
    file(maryam, page)
    for path in (page, f"{page}/live", f"{page}/file"):
        assert reza.get(path).status_code == sara.get(path).status_code == 404
    assert maryam.get("/data/exports/00000000-0000-0000-0000-000000000000").status_code == 404
    assert "Save as file" not in read(sara, "/data/faculty")
    data = {"csrf_token": csrf_token(sara, "/data/faculty")}
    assert sara.post("/data/faculty/export", data=data).status_code == 403


def making_order(config: Config, **changes: object) -> orders.Order:
    given: dict[str, object] = {
        "name": orders.new_name(),
        "user_id": 2,
        "username": "reza",
        "address": "127.0.0.1",
        "table": "student_terms",
        "wanted": Wanted(),
        "columns": ("studentnum",),
        "kind": "xlsx",
        "locale": "fa",
        "sees_personal": False,
        "total": None,
        "at": utcnow(),
        **changes,
    }
    return orders.Order(**given)  # type: ignore[arg-type]


def made(config: Config, order: orders.Order) -> tuple[Path, orders.State]:
    place = orders.write(config, order)
    return place, making.make(order, place, config.data_database_url, config.panel_database_url)


def test_a_list_longer_than_a_file_is_cut_and_that_is_said(
    filled: Config, reza: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MOST_ROWS", 60)
    order = making_order(filled)
    place, state = made(filled, order)
    assert (state.state, state.rows, state.cut) == ("done", 60, True)
    assert len(cells(orders.file_of(place, "xlsx").read_bytes())) == 61
    page = read(reza, f"/data/exports/{order.name}")
    assert "these are the first 60" in page
    assert "A file has at most 60 rows" in read(reza, "/data/student_terms")
    monkeypatch.setattr(orders, "MOST_ROWS", 10_000)
    _, state = made(filled, making_order(filled))
    assert not state.cut and state.rows > 60


def test_a_file_is_made_no_further_when_its_person_says_so(
    filled: Config, rows: House, monkeypatch: pytest.MonkeyPatch, reza: FlaskClient
) -> None:
    monkeypatch.setattr(making, "TELL_EVERY", 0.0)
    order = making_order(filled)
    place = orders.write(filled, order)
    answer = reza.post(
        f"/data/exports/{order.name}/cancel", data={"csrf_token": csrf_token(reza, "/data/faculty")}
    )
    assert answer.status_code == 302
    state = making.make(order, place, filled.data_database_url, filled.panel_database_url)
    assert state.state == "cancelled"
    assert {path.name for path in place.glob("*")} == {"order.json", "state.json", "stop"}
    assert "Cancelled; no file was made." in read(reza, f"/data/exports/{order.name}")
    with rows() as session:
        assert session.scalars(select(AuditEntry).where(AuditEntry.action == "data_exported")).all() == []


@pytest.mark.parametrize(
    ("trouble", "error", "words"),
    [
        (OSError(28, "No space left on device"), "disk_full", "disk is full"),
        (making.TooLong(), "too_long", "more than ten minutes"),
    ],
)
def test_what_went_wrong_is_said_with_what_to_do(
    filled: Config,
    reza: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
    error: str,
    words: str,
) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(making, "_teller", lambda place: fail)
    order = making_order(filled)
    _, state = made(filled, order)
    assert (state.state, state.error) == ("failed", error)
    page = read(reza, f"/data/exports/{order.name}")
    assert words in page and "Nothing was changed" in page or "data are safe" in page
    assert reza.get(f"/data/exports/{order.name}/file").status_code == 404


def test_a_database_that_goes_away_and_a_process_that_dies_are_told(
    filled: Config, reza: FlaskClient
) -> None:
    order = making_order(filled)
    place = orders.write(filled, order)
    state = making.make(order, place, "sqlite:////nowhere/data.db", filled.panel_database_url)
    assert (state.state, state.error) == ("failed", "database")
    silent = making_order(filled)
    orders.tell(orders.write(filled, silent), orders.State("making", at=utcnow() - orders.SILENT * 2))
    assert "ended before it was ready" in read(reza, f"/data/exports/{silent.name}")


def test_not_more_than_two_are_made_at_once(filled: Config, reza: FlaskClient) -> None:
    for _ in range(orders.AT_ONCE):
        orders.write(filled, making_order(filled))
    data = {"csrf_token": csrf_token(reza, "/data/faculty")}
    answer = reza.post("/data/faculty/export?lang=en", data=data, follow_redirects=True)
    assert "too many at once" in answer.get_data(as_text=True) or "کند می‌شود" in answer.get_data(as_text=True)


def test_files_go_after_two_hours_and_are_listed_until_then(filled: Config, reza: FlaskClient) -> None:
    order = making_order(filled, table="faculty", columns=("id",))
    place, _ = made(filled, order)
    assert order.name in read(reza, "/data/faculty")
    assert orders.forget_old(filled, utcnow()) == 0
    assert orders.forget_old(filled, utcnow() + orders.KEPT + timedelta(minutes=1)) == 1
    assert not place.exists() and order.name not in read(reza, "/data/faculty")
    assert reza.get(f"/data/exports/{order.name}").status_code == 404


def test_nobody_else_on_the_server_can_read_what_is_in_them(filled: Config, reza: FlaskClient) -> None:
    page = ordered(reza, "faculty")
    file(reza, page)
    place = orders.folder(filled) / page.rsplit("/", 1)[1]
    assert place.stat().st_mode & 0o077 == 0
    assert orders.file_of(place, "xlsx").stat().st_mode & 0o077 == 0
