"""The status table: what each row says, and what may be pressed."""

import os
import re
from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import clock
from panel.clock import utcnow
from panel.db import writing
from panel.models import DataSync, EngineLease, SyncRun
from tests.panel.admin.conftest import read

House = sessionmaker[Session]


def row(page: str, key: str) -> str:
    found = re.search(rf'<tr id="source-{key}".*?</tr>', page, re.S)
    assert found, f"{key} is not in the table"
    return found.group()


def test_a_row_says_status_last_and_next_sync_count_and_who_started_it(
    house: House, sara: FlaskClient
) -> None:
    faculty = row(read(sara, "/"), "faculty")
    assert "Successful" in faculty and "57 minutes ago" in faculty
    assert "in 37 minutes" in faculty
    assert "1,243" in faculty and "▲" in faculty and ">12<" in faculty
    assert "automatically" in faculty
    assert faculty.count("/runs/") == 1 + 5, "the badge and a bar per run lead to the runs"


def test_a_running_row_says_how_far_it_is(house: House, sara: FlaskClient) -> None:
    students = row(read(sara, "/"), "students")
    assert "Running" in students and "31,200 records so far" in students
    assert '<progress aria-label="Progress" max="40" value="15">' in students
    assert "usually 15 min" in students


def test_persian_is_the_first_language_with_its_own_digits_and_direction(
    house: House, sara: FlaskClient
) -> None:
    page = sara.get("/").get_data(as_text=True)
    assert '<html lang="fa" dir="rtl" ' in page and "bootstrap.rtl.css" in page
    assert "۱٬۲۴۳" in row(page, "faculty") and "موفق" in row(page, "faculty")


def test_rows_ask_again_quickly_only_while_something_is_active(house: House, sara: FlaskClient) -> None:
    assert sara.get("/status/rows").headers["X-Poll-Seconds"] == "2"
    with writing(house) as session:
        run = session.scalar(select(SyncRun).where(SyncRun.status == "running"))
        assert run
        run.status, run.finished_at = "success", utcnow()
    assert sara.get("/status/rows").headers["X-Poll-Seconds"] == "15"


def test_a_viewer_has_nothing_to_press(house: House, sara: FlaskClient) -> None:
    page = read(sara, "/")
    assert "/syncs/" not in page and "/cancel" not in page


def test_an_operator_syncs_and_cancels_but_does_not_set_up(house: House, reza: FlaskClient) -> None:
    page = read(reza, "/")
    assert 'action="/syncs/faculty/run"' in row(page, "faculty")
    assert re.search(r'action="/runs/\d+/cancel"', row(page, "students")), "sync becomes cancel"
    assert "/settings" not in page


def test_what_is_missing_is_named_and_the_button_says_why_it_cannot_be_pressed(
    house: House, maryam: FlaskClient
) -> None:
    with writing(house) as session:
        for sync in session.scalars(select(DataSync)):
            sync.secrets, sync.settings = None, {}
    page = read(maryam, "/")
    assert re.search(r'id="parts-students" disabled title="[^"]+"', row(page, "students"))
    faculty = row(page, "faculty")
    assert "Settings are missing:" in faculty and 'href="/syncs/faculty/settings"' in faculty
    assert re.search(r'id="act-faculty" disabled title="[^"]+"', faculty)


def test_a_fetcher_that_cannot_be_loaded_shows_its_error_and_harms_nobody(
    house: House, maryam: FlaskClient
) -> None:
    now = utcnow()
    with writing(house) as session:
        session.add(DataSync(key="nowhere", fetcher="nowhere", settings={}, created_at=now, updated_at=now))
    page = read(maryam, "/")
    assert "there is no file fetchers/nowhere.py" in row(page, "nowhere")
    assert "Successful" in row(page, "faculty")
    assert "there is no file" in read(maryam, "/syncs/nowhere/settings")


def test_a_failure_is_one_line_with_a_way_to_what_to_do(house: House, sara: FlaskClient) -> None:
    with writing(house) as session:
        sync = session.scalar(select(DataSync).where(DataSync.key == "faculty"))
        failed = session.scalar(select(SyncRun).where(SyncRun.status == "failed"))
        assert sync and failed
        session.query(SyncRun).filter(SyncRun.sync_id == sync.id, SyncRun.id > failed.id).delete()
        sync.last_run_id = failed.id
    faculty = row(read(sara, "/"), "faculty")
    assert "2 of 40 parts could not be fetched." in faculty
    assert "What to do" in faculty and "The data are as of:" in faculty


def test_a_turn_that_did_not_come_and_data_that_are_too_old_are_said_without_an_engine(
    house: House, sara: FlaskClient
) -> None:
    now = utcnow()
    page = read(sara, "/")
    assert "Sources that need you: 1 of 2." in page, "what is held"
    assert "data-late" not in page and "should have been renewed" not in page
    with writing(house) as session:
        faculty = session.scalar(select(DataSync).where(DataSync.key == "faculty"))
        assert faculty
        faculty.next_run_at = faculty.renewal_due_at = now - timedelta(minutes=20)
    late = row(read(sara, "/"), "faculty")
    assert "Late: it should have begun" in late and "20 minutes ago" in late
    assert 'data-need="engine"' in page, "why, is said once for all"
    assert "should have been renewed" not in late
    health = sara.get("/healthz").get_json()
    assert (health["status"], health["overdue"], health["stale"]) == ("ok", 0, 0)
    with writing(house) as session:
        faculty = session.scalar(select(DataSync).where(DataSync.key == "faculty"))
        assert faculty
        faculty.next_run_at = faculty.renewal_due_at = now - timedelta(hours=3)
    page = read(sara, "/")
    assert "Overdue: it should have begun" in row(page, "faculty")
    assert "They should have been renewed" in row(page, "faculty")
    assert "Sources that need you: 2 of 2." in page
    health = sara.get("/healthz").get_json()
    assert (health["overdue"], health["stale"]) == (1, 1)


def test_a_run_that_is_far_from_usual_is_marked_wherever_it_is_shown(house: House, sara: FlaskClient) -> None:
    with writing(house) as session:
        faculty = session.scalar(select(DataSync).where(DataSync.key == "faculty"))
        assert faculty and faculty.last_run_id
        session.get_one(SyncRun, faculty.last_run_id).unusual = "short"
        number = faculty.last_run_id
    assert "far shorter than usual" in row(read(sara, "/"), "faculty")
    assert read(sara, "/runs/").count("far shorter than usual") == 1
    assert 'data-unusual="short"' in read(sara, f"/runs/{number}")
    assert "data-unusual" not in read(sara, f"/runs/{number - 1}")


def test_an_engine_that_is_down_is_said_on_every_page_and_an_open_page_learns_it(
    house: House, sara: FlaskClient
) -> None:
    told = '<div class="strip strip-down" id="engine-down" role="alert">'
    for path in ("/runs/", "/data/faculty"):
        assert told in read(sara, path)
    home = read(sara, "/")
    assert home.count("until it starts") == home.count('data-need="engine"') == 1, (
        "there the card says it, once"
    )
    assert sara.get("/status/rows").headers["X-Engine"] == "down"
    with writing(house) as session:
        session.add(
            EngineLease(
                id=1,
                owner="an engine elsewhere",
                epoch=1,
                until_boottime=clock.boottime() + 60,
                boot_id=clock.boot_id(),
                until_at=utcnow() + timedelta(minutes=1),
                heartbeat_at=utcnow(),
                pid=os.getpid(),
            )
        )
    assert told not in read(sara, "/runs/") and 'data-need="engine"' not in read(sara, "/")
    assert sara.get("/status/rows").headers["X-Engine"] == "up"


def test_nothing_of_the_demonstration_is_seen_in_a_real_house(house: House, maryam: FlaskClient) -> None:
    for path in ("/", "/runs/", "/syncs/faculty/settings"):
        assert "demonstration" not in read(maryam, path)
