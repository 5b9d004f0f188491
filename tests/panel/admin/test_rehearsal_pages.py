"""A rehearsal on the pages: marked as one everywhere, telling what would change, and done for real by one press."""

import io
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from panel import destination, rehearsals
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import AuditEntry, DataSync, SyncRun
from tests.panel.admin.conftest import read
from tests.panel.admin.test_buttons import press
from tests.panel.rehearsed_run import rehearse, run_of
from tests.web import csrf_token

House = sessionmaker[Session]


@pytest.fixture
def rehearsal(house: House, web_config: Config) -> Iterator[int]:
    with writing(house) as session:  # the example's active run would hide what can be done now
        for run in session.scalars(select(SyncRun).where(SyncRun.status == "running")):
            session.delete(run)
    yield rehearse(house, web_config, utcnow())
    destination.let_go()


def newest(house: House) -> SyncRun:
    with house() as session:
        run = session.scalars(select(SyncRun).order_by(SyncRun.id.desc())).first()
        assert run
        return run


def test_the_button_asks_for_a_rehearsal_and_the_trail_says_so(house: House, reza: FlaskClient) -> None:
    answer = press(reza, "/syncs/faculty/run?lang=en", dry_run="1", then="run")
    assert answer.json["message"] == "The rehearsal for Faculty begins; nothing will be written."
    run = newest(house)
    assert (run.dry_run, run.status, answer.json["go"]) == (True, "pending", f"/runs/{run.id}")
    with house() as session:
        trail = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert trail and (trail.actor, trail.action) == ("reza", "rehearsal_requested")
    page = read(reza, "/")
    assert "This is a rehearsal: nothing was written, and nothing is lost." in page
    busy = press(reza, "/syncs/faculty/run?lang=en").json["message"]
    assert busy == "Faculty is busy with another run; ask again when it has ended."


def test_who_may_not_sync_may_not_rehearse(house: House, sara: FlaskClient) -> None:
    assert 'id="try-faculty"' not in read(sara, "/")
    assert press(sara, "/syncs/faculty/run", dry_run="1").status_code == 403


def test_the_status_page_shows_the_sync_before_it(rehearsal: int, reza: FlaskClient) -> None:
    page = read(reza, "/")
    assert f"/runs/{rehearsal}" not in page
    assert 'data-source="students"' in page and 'data-status="held"' in page
    assert 'id="try-students"' in page


def test_the_list_of_runs_marks_it(rehearsal: int, reza: FlaskClient) -> None:
    page = read(reza, "/runs/?source=students")
    row = page.split(f'href="/runs/{rehearsal}"')[2].split("</tr>")[0]
    assert "Rehearsal" in row and "Would need approval" in row and "Successful" not in row


def test_the_timeline_colours_it_by_what_the_real_run_would_come_to(
    rehearsal: int, house: House, reza: FlaskClient
) -> None:
    def marked() -> str:
        before = read(reza, "/timeline/?source=students").split(f'href="/runs/{rehearsal}"')[0]
        return before.rsplit('<li class="event ', 1)[1].split('"')[0]

    assert marked() == "e-held"
    with writing(house) as session:
        session.execute(update(SyncRun).where(SyncRun.id == rehearsal).values(partitions_held=0))
    assert marked() == "e-success"


def test_its_page_says_what_the_real_run_would_do(rehearsal: int, reza: FlaskClient) -> None:
    page = read(reza, f"/runs/{rehearsal}")
    assert "This was a rehearsal: nothing was written." in page
    assert "The real run would be held:" in page and "2 of 4 would vanish" in page
    assert "What would change" in page and "run-undo" not in page
    assert f'name="rehearsed" value="{rehearsal}"' in page and "Run for real" in page


def test_what_would_change_is_listed_named_and_masked(
    rehearsal: int, reza: FlaskClient, maryam: FlaskClient
) -> None:
    page = read(reza, f"/runs/{rehearsal}/changes")
    assert "From a rehearsal: none of this was written." in page
    assert page.count("What would happen") > 2 and "What happened" not in page
    assert "رویا بهرامی" in page and "40011009" in page
    assert "تهران" in page and "شیراز" in page
    assert "حسن" not in page and "••••" in page
    assert "حسن" in read(maryam, f"/runs/{rehearsal}/changes")
    found = read(reza, f"/runs/{rehearsal}/changes?search=بهرامي")
    assert "40011009" in found and "40011003" not in found
    assert "40011009" not in read(reza, "/changes/")


def test_one_that_would_be_held_does_not_say_that_nothing_would_change(
    rehearsal: int, house: House, reza: FlaskClient, web_config: Config
) -> None:
    with house() as session:
        run = session.get(SyncRun, rehearsal)
        assert run and run.partitions_held
        path = rehearsals.diary_url(web_config, run).removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as file, file:  # all of it is held, so there is no other change
        file.execute("DELETE FROM _hamgam_changes")
    page = read(reza, f"/runs/{rehearsal}/changes")
    assert "Nothing would change." not in page and f'href="/runs/{rehearsal}/held"' in page
    assert "What would change" not in read(reza, f"/runs/{rehearsal}")
    with writing(house) as session:
        session.execute(update(SyncRun).where(SyncRun.id == rehearsal).values(partitions_held=0))
    assert "Nothing would change." in read(reza, f"/runs/{rehearsal}/changes")


def test_what_would_change_is_saved_as_a_file(rehearsal: int, reza: FlaskClient) -> None:
    form = {"csrf_token": csrf_token(reza, "/"), "run": str(rehearsal)}
    answer = reza.post("/changes/export", data=form)
    sheet = zipfile.ZipFile(io.BytesIO(answer.data)).read("xl/worksheets/sheet1.xml").decode()
    assert "40011009" in sheet and "شیراز" in sheet


def test_who_would_vanish_is_listed_as_of_a_hold(rehearsal: int, reza: FlaskClient) -> None:
    page = read(reza, f"/runs/{rehearsal}/held")
    assert "نیلوفر" in page and "40011001" in page and "decide-" not in page


def test_now_for_real_is_the_same_run_without_the_rehearsal(
    rehearsal: int, house: House, reza: FlaskClient
) -> None:
    assert press(reza, "/syncs/students/run", rehearsed=str(rehearsal), then="run").json["ok"]
    run, tried = newest(house), run_of(house, rehearsal)
    assert (run.dry_run, run.mode, run.partitions_wanted) == (False, tried.mode, tried.partitions_wanted)


@pytest.mark.parametrize("number", ["1", "999999", "-1", "x", "9" * 40])
def test_what_is_no_rehearsal_of_this_source_cannot_be_done_for_real(
    rehearsal: int, house: House, reza: FlaskClient, number: str
) -> None:
    assert press(reza, "/syncs/students/run", rehearsed=number).status_code == 404
    assert press(reza, "/syncs/faculty/run", rehearsed=str(rehearsal)).status_code == 404
    assert newest(house).id == rehearsal


def test_a_rehearsal_whose_file_is_gone_says_so(
    rehearsal: int, house: House, web_config: Config, reza: FlaskClient
) -> None:
    for path in rehearsals.folder(web_config).rglob("*.db"):
        path.unlink()
    gone = "no longer kept"
    page = read(reza, f"/runs/{rehearsal}")
    assert gone in page and "The real run would be held:" in page
    assert gone in read(reza, f"/runs/{rehearsal}/changes")
    assert "there is no list" in read(reza, f"/runs/{rehearsal}/held")


def test_an_error_of_a_rehearsal_does_not_speak_of_published_parts(
    rehearsal: int, house: House, reza: FlaskClient
) -> None:
    with writing(house) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == "faculty")).one()
        now = utcnow()
        failed = SyncRun(
            uuid="0a", sync_id=sync.id, status="failed", dry_run=True, triggered_by="panel", requested_at=now,
            not_before=now, error_code="E_PARTIAL", error_params={"failed": 1, "planned": 2},
        )  # fmt: skip
        session.add(failed)
        session.flush()
        number = failed.id
    page = read(reza, f"/runs/{number}")
    assert "1 of 2 parts could not be fetched." in page
    assert "the other parts are published" not in page
