"""The change diary's pages: over all runs, of one run, of one person, as a file; and undo with its preview."""

import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.store import sql
from fetchers.core.store.diary import Diary
from panel import destination, diary
from panel.admin import undoing
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import AuditEntry, DataSync, SyncRun
from tests.fetchers.core.conftest import House as Destination
from tests.panel.admin.conftest import read
from tests.web import ON_BOTH, csrf_token

Rows = sessionmaker[Session]


def stream(source: str) -> Any:
    fetcher = registry.load(source).fetcher
    assert fetcher is not None
    return fetcher.streams()[0]


def student(number: int, **fields: Any) -> dict[str, Any]:
    return {"studentnum": str(number), "firstname": "نیلوفر", "familyname": f"کریمی {number}", **fields}


@pytest.fixture
def data(web_config: Config) -> Iterator[Destination]:
    made = Destination(web_config.data_database_url, stream("students"), ceiling="4051")
    yield made
    made.db.close()


@pytest.fixture
def day(client: FlaskClient, rows: Rows, data: Destination) -> int:
    """Run 1 loads four students; run 2 adds Kayvan, moves 40011002 to Qom with another father, loses 40011003."""
    people = [student(40011000 + n, fathername="حسین") for n in range(1, 5)]
    data.sync(*people, campus="1110", term="4051")
    people[1] = student(40011002, city="قم", fathername="حسن")
    people[2] = student(40011009, firstname="کیوان", familyname="=1+1")
    data.sync(*people, campus="1110", term="4051")
    with writing(rows) as session:
        now = utcnow()
        sync = DataSync(key="students", fetcher="students", settings={}, created_at=now, updated_at=now)
        session.add(sync)
        session.flush()
        for number in (1, 2):
            session.add(
                SyncRun(
                    id=number, uuid=f"run-{number}", sync_id=sync.id, status="success", triggered_by="cli",
                    requested_at=now, not_before=now, finished_at=now, added=1, changed=1, gone=1,
                )
            )  # fmt: skip
    return 2


def kinds(page: str) -> list[str]:
    return re.findall(r'<tr data-kind="(\w+)"', page)


def test_the_pages_say_how_far_the_diary_reaches(
    sara: FlaskClient, day: int, rows: Rows, data: Destination
) -> None:
    assert "reaches back" not in read(sara, "/changes/")
    with data.db:
        since = (utcnow() - timedelta(days=1)).isoformat(timespec="milliseconds")
        data.db.execute(
            "CREATE TABLE IF NOT EXISTS _hamgam_kept (stream TEXT PRIMARY KEY, since TEXT NOT NULL)"
        )
        data.db.execute("INSERT INTO _hamgam_kept VALUES (?, ?)", ("student_terms", since))
    assert "It reaches back to" in read(sara, "/changes/")
    assert "does not reach back to this run" not in read(sara, f"/runs/{day}/changes")
    with writing(rows) as session:
        run = session.get(SyncRun, day)
        assert run is not None
        run.started_at = utcnow() - timedelta(days=2)
    assert "does not reach back to this run" in read(sara, f"/runs/{day}/changes")


@ON_BOTH
def test_the_diary_tells_who_came_left_and_changed_from_what_to_what(sara: FlaskClient, day: int) -> None:
    page = read(sara, "/changes/")
    assert kinds(page) == ["gone", "changed", "added", "loaded"]
    for text in ("کیوان", "نیلوفر کریمی 40011002", "نیلوفر کریمی 40011003", "City", "قم", "4 rows came"):
        assert text in page, text
    persian = read(sara, "/changes/?lang=fa")
    assert "دفتر تغییرات" in persian and "شهر" in persian and "۴ سطر" in persian


@ON_BOTH
def test_personal_fields_are_masked_but_for_administrators(
    sara: FlaskClient, maryam: FlaskClient, day: int
) -> None:
    page = read(sara, "/changes/")
    assert "حسن" not in page and "••••" in page
    assert "حسن" in read(maryam, "/changes/")


@ON_BOTH
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=كيوان", ["added"]),
        ("search=نيلوفر  كريمي 40011003", ["gone"]),
        ("search=٤٠٠١١٠٠٢", ["changed"]),
        ("search=هیچ‌کس", []),
        ("kind=gone", ["gone"]),
        ("field=city", ["changed"]),
        ("field=province", []),
        ("source=students&kind=added", ["added"]),
        ("source=faculty", []),
        ("since=1390/01/01&until=۱۳۹۰/۱۲/۰۱", []),
        ("since=۱۴۰۰/۰۱/۰۱", ["gone", "changed", "added", "loaded"]),
        ("key=40011002", ["changed"]),
    ],
)
def test_the_diary_is_searched(sara: FlaskClient, day: int, query: str, expected: list[str]) -> None:
    assert kinds(read(sara, f"/changes/?{query}")) == expected


def test_a_day_that_is_none_is_said_so(sara: FlaskClient, day: int) -> None:
    page = read(sara, "/changes/?since=1405/13/01")
    assert "is no date" in page


@ON_BOTH
def test_a_run_s_page_leads_to_its_changes(sara: FlaskClient, reza: FlaskClient, day: int) -> None:
    page = read(sara, "/runs/2")
    assert 'href="/runs/2/changes"' in page and "run-undo" not in page
    assert 'id="run-undo"' in read(reza, "/runs/2")
    assert kinds(read(sara, "/runs/2/changes")) == ["gone", "changed", "added"]
    assert kinds(read(sara, "/runs/1/changes")) == ["loaded"]


@ON_BOTH
def test_a_person_s_page_has_their_history_and_every_term(
    sara: FlaskClient, data: Destination, day: int
) -> None:
    for number in range(12):
        term = f"{400 + number // 3}{number % 3 + 1}"
        data.sync(student(40011002, course_name="فیزیک"), campus="1110", term=term)
        data.sync(student(40011002, course_name="شیمی"), campus="1110", term=term)
    page = read(sara, "/data/Students/row?studentnum=40011002")
    assert kinds(page).count("changed") == 13
    assert page.count("/data/student_terms/row?") >= 13
    every = read(sara, "/data/student_terms/row?codePardis=1110&term=4001&studentnum=40011002")
    assert kinds(every).count("changed") == 13


@ON_BOTH
def test_the_file_is_for_excel_right_to_left_and_no_cell_is_a_formula(
    maryam: FlaskClient, reza: FlaskClient, rows: Rows, day: int
) -> None:
    for client, seen in ((maryam, True), (reza, False)):
        form = {"csrf_token": csrf_token(client, "/changes/"), "lang": "fa"}
        client.get("/changes/?lang=fa")
        answer = client.post("/changes/export", data=form)
        assert answer.status_code == 200
        with zipfile.ZipFile(io.BytesIO(answer.get_data())) as file:
            sheet = file.read("xl/worksheets/sheet1.xml").decode()
        assert 'rightToLeft="1"' in sheet and "<f>" not in sheet
        assert "=1+1" not in sheet or "<t" in sheet
        assert "40011003" in sheet and ("حسن" in sheet) is seen
    with rows() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "diary_exported")).all()
        assert [(entry.actor, entry.details["lines"]) for entry in entries] == [("maryam", 4), ("reza", 4)]


@ON_BOTH
def test_the_file_obeys_the_filters(reza: FlaskClient, rows: Rows, day: int) -> None:
    form = {"csrf_token": csrf_token(reza, "/changes/"), "kind": "gone", "run": "2"}
    assert reza.post("/changes/export", data=form).status_code == 200
    with rows() as session:
        [entry] = session.scalars(select(AuditEntry).where(AuditEntry.action == "diary_exported")).all()
        assert entry.details["lines"] == 1


@ON_BOTH
def test_before_undoing_it_shows_what_would_happen(reza: FlaskClient, data: Destination, day: int) -> None:
    data.db.execute("UPDATE student_terms SET city = 'یزد' WHERE studentnum = '40011002'")
    page = read(reza, "/runs/2/undo")
    figures = dict(re.findall(r'data-count="(\w+)"><dt>[^<]+</dt><dd>([^<]+)', page))
    assert figures == {"gone": "1", "added": "1", "changed": "1", "left": "1"}
    assert sorted(kinds(page)) == ["added", "changed", "gone", "left"]
    assert "changed since" in page and "حسن" not in page
    [back] = re.findall(r'<tr data-kind="added">.*?</tr>', page, re.S)
    assert "کریمی 40011003" in back.split("Details")[1], "who comes back is known here"
    assert "The rows" in page and "The first rows" not in page


def test_of_many_rows_an_undo_shows_the_first_ones(
    reza: FlaskClient, day: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "LINES_SHOWN", 2)
    page = read(reza, "/runs/2/undo")
    assert "The first rows" in page and len(kinds(page)) == 2


def test_the_button_asks_for_an_undo_once(reza: FlaskClient, rows: Rows, day: int) -> None:
    form = {"csrf_token": csrf_token(reza, "/runs/2/undo")}
    for _ in range(2):
        answer = reza.post("/runs/2/undo", data=form)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/runs/3")
    with rows() as session:
        made = session.scalars(select(SyncRun).where(SyncRun.mode == "undo")).one()
        assert (made.about_run_id, made.requested_by, made.triggered_by) == (2, "reza", "panel")
        assert [
            e.actor for e in session.scalars(select(AuditEntry).where(AuditEntry.action == "run_undone"))
        ] == ["reza"]
    assert "undo of" in read(reza, "/runs/3")


def test_what_cannot_be_undone_says_why(reza: FlaskClient, rows: Rows, day: int) -> None:
    with writing(rows) as session:
        run = session.get(SyncRun, 2)
        assert run is not None
        now = utcnow()
        session.add(
            SyncRun(
                id=3, uuid="undo-1", sync_id=run.sync_id, status="success", mode="undo", about_run_id=2,
                triggered_by="cli", requested_at=now, not_before=now, finished_at=now, added=1,
            )
        )  # fmt: skip
    page = read(reza, "/runs/2/undo")
    assert "has been undone already" in page and "undo-act" not in page
    page = read(reza, "/runs/2")
    assert "was undone" in page and "run-undo" not in page


def test_who_only_looks_may_not_undo(sara: FlaskClient, day: int) -> None:
    assert sara.get("/runs/2/undo").status_code == 403
    form = {"csrf_token": csrf_token(sara, "/changes/")}
    assert sara.post("/runs/2/undo", data=form).status_code == 403
    assert sara.post("/syncs/students/resume", data=form).status_code == 403
    assert sara.post("/changes/export", data=form).status_code == 403


def test_the_status_page_says_paused_and_offers_to_resume(reza: FlaskClient, rows: Rows, day: int) -> None:
    with writing(rows) as session:
        sync = session.scalars(select(DataSync)).one()
        sync.paused_reason, sync.schedule_kind, sync.interval_minutes = "undo", "interval", 60
    page = read(reza, "/")
    assert "paused after an undo" in page and 'id="resume-students"' in page
    assert "All sources are in step" not in page
    reza.post("/syncs/students/resume", data={"csrf_token": csrf_token(reza, "/")})
    assert "paused after an undo" not in read(reza, "/")
    with rows() as session:
        assert session.scalars(select(DataSync.paused_reason)).one() is None
        assert session.scalars(select(AuditEntry.actor).where(AuditEntry.action == "sync_resumed")).all() == [
            "reza"
        ]


@pytest.fixture
def thousands(data: Destination) -> Destination:
    """Five thousand lines of people who left, and one person with twelve terms."""
    columns = data.stream.columns

    def row(number: int) -> tuple[Any, ...]:
        fields = {"studentnum": str(number), "firstname": "کیوان", "familyname": f"شریفی {number}"}
        return tuple({**fields, "address": "خیابان"}.get(column) for column in columns)

    with data.db:
        Diary(data.db, data.stream, "run-1").changes(
            "campus=1110,term=4051", [], [], [row(number) for number in range(5000)]
        )
    for number in range(12):
        term = f"{400 + number // 3}{number % 3 + 1}"
        data.sync(student(40011002, course_name="فیزیک"), campus="1110", term=term)
        data.sync(student(40011002, course_name="شیمی"), campus="1110", term=term)
    return data


def quickest(look: Callable[[], str]) -> tuple[float, str]:
    """The least of five tries, in ms, and what it gave: other processes slow a try, nothing quickens one."""
    tries = []
    for _ in range(5):
        began = time.perf_counter()
        found = look()
        tries.append((time.perf_counter() - began) * 1000)
    return min(tries), found


@ON_BOTH
def test_five_thousand_changes_are_searched_and_twelve_terms_shown_in_a_moment(
    sara: FlaskClient,
    client: FlaskClient,
    thousands: Destination,
    web_config: Config,
    record_property: Callable[[str, str], None],
) -> None:
    """The aim is 200 ms. The whole page is measured, on a machine that does other things: hence five times that."""
    searching, page = quickest(lambda: read(sara, "/changes/?search=كيوان شريفي 4321"))
    assert kinds(page) == ["gone"]
    showing, person = quickest(lambda: read(sara, "/data/Students/row?studentnum=40011002"))
    assert kinds(person).count("changed") == 12
    assert person.count("/data/student_terms/row?") >= 12
    database = web_config.data_database_url.split(":", 1)[0]
    record_property(
        "summary", f"{database}: 5,000 changes searched {searching:.0f} ms, 12 terms {showing:.0f} ms"
    )
    assert max(searching, showing) < 1000


@ON_BOTH
def test_whoever_reads_the_diary_holds_one_connection_however_many_lines_there_are(
    thousands: Destination, web_config: Config
) -> None:
    """A second one would have to be made anew each time: only one is kept open."""
    url = web_config.data_database_url
    held, most = 0, 0

    def taken(*_: object) -> None:
        nonlocal held, most
        held += 1
        most = max(most, held)

    def given_back(*_: object) -> None:
        nonlocal held
        held -= 1

    engine = destination.reader(url)
    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", given_back)
    lines = list(diary.lines(url, diary.Wanted(), 10_000))
    assert len(lines) == len({line.id for line in lines}) > 5000 > diary.LINES_AT_ONCE
    assert diary.page(url, diary.Wanted(key="40011002")).total == 12
    assert (held, most) == (0, 1)


def test_a_search_reads_the_index_alone(data: Destination) -> None:
    if sql.on_postgresql(data.db):
        pytest.skip("the plan of a table that is nearly empty says nothing there")
    plan = data.rows(
        "EXPLAIN QUERY PLAN SELECT id FROM _hamgam_changes WHERE folded LIKE '%شریفی%' OR key = 'شریفی' LIMIT 10001"
    )
    assert "COVERING INDEX" in str(plan), "the whole lines, with gone rows in them, would be read"
