"""The buttons of a run's page: what they say before they do it, and why they cannot be pressed."""

import re
from html import unescape

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel.clock import utcnow
from panel.db import writing
from panel.models import DataSync, SyncRun
from tests.panel.admin.conftest import read
from tests.panel.admin.test_buttons import press
from tests.panel.admin.test_run_pages import run_id

House = sessionmaker[Session]


def change(house: House, run: int, **columns: object) -> None:
    with writing(house) as session:
        for name, value in columns.items():
            setattr(session.get_one(SyncRun, run), name, value)


def question(page: str) -> str:
    """What the page's first button says before it does it."""
    head = page.split('id="run-live"')[1].split('class="does"')[1]
    return unescape(re.findall(r'data-confirm="([^"]*)"', head)[0])


def why_not(page: str) -> str:
    found = re.findall(r'id="run-cannot">(.*?)</p>', page, re.S)
    return re.sub(r"<[^>]*>", "", found[0]).strip() if found else ""


def test_cancelling_says_what_stays_and_what_the_next_sync_asks_for(house: House, reza: FlaskClient) -> None:
    run = run_id(house, "running")
    asked = question(read(reza, f"/runs/{run}"))
    assert "31,200 records were read so far. Finished parts stay published" in asked
    assert "A sync that begins within a day asks only for what is missing." in asked


def test_cancelling_what_has_not_begun_an_undo_and_a_rehearsal_loses_nothing(
    house: House, reza: FlaskClient
) -> None:
    run = run_id(house, "running")
    change(house, run, mode="undo")
    assert "An undo happens in one step" in question(read(reza, f"/runs/{run}"))
    change(house, run, mode="incremental", dry_run=True)
    assert "nothing was written, and nothing is lost" in question(read(reza, f"/runs/{run}"))
    change(house, run, dry_run=False, status="pending", read=0)
    assert "Nothing was fetched yet" in question(read(reza, f"/runs/{run}"))


def test_a_run_that_is_being_stopped_says_who_asked_for_it(house: House, reza: FlaskClient) -> None:
    run = run_id(house, "running")
    press(reza, f"/runs/{run}/cancel")
    page = read(reza, f"/runs/{run}")
    assert re.search(r'<button[^>]*id="run-act" disabled aria-describedby="run-cannot"', page)
    assert why_not(page).startswith("reza asked for the end of this run")
    change(house, run, stop_requested_by=None, stop_reason="E_TIMEOUT")
    assert why_not(read(reza, f"/runs/{run}")) == "This run has taken too long; it is being stopped."


def test_a_button_that_cannot_be_pressed_says_why_in_words(
    house: House, reza: FlaskClient, maryam: FlaskClient
) -> None:
    with writing(house) as session:
        session.scalars(select(DataSync).where(DataSync.key == "faculty")).one().secrets = None
    run = run_id(house, "failed")
    page = read(reza, f"/runs/{run}")
    assert re.search(r'id="run-act" disabled aria-describedby="run-cannot"', page)
    assert why_not(page) == "The settings must be completed first."
    assert 'href="/syncs/faculty/settings"' in read(maryam, f"/runs/{run}").split('id="run-cannot"')[1][:300]


def test_while_another_run_is_active_the_page_leads_there_and_says_so(
    house: House, reza: FlaskClient
) -> None:
    with house() as session:
        old = session.scalars(
            select(SyncRun.id)
            .join(DataSync, SyncRun.sync_id == DataSync.id)
            .where(DataSync.key == "students", SyncRun.status == "success")
        ).first()
    page = read(reza, f"/runs/{old}")
    assert f'href="/runs/{run_id(house, "running")}">To the active run' in page
    assert why_not(page) == "Another run of this source is active; wait until it has ended."


def test_a_viewer_is_told_whom_to_ask(house: House, sara: FlaskClient) -> None:
    page = read(sara, f"/runs/{run_id(house, 'running')}")
    assert 'id="run-act"' not in page and "ask somebody who operates Hamgam" in why_not(page)


def test_run_again_says_what_a_failed_run_s_parts_are_good_for(house: House, reza: FlaskClient) -> None:
    run = run_id(house, "failed")
    assert "need not be fetched once more" not in question(
        read(reza, f"/runs/{run}")
    )  # a success has followed
    change(house, run, partitions_done=38, partitions_planned=40, started_at=utcnow())
    assert "Parts that are done already need not be fetched once more." in question(
        read(reza, f"/runs/{run}")
    )


def test_run_again_of_an_undo_says_that_it_comes_back(house: House, reza: FlaskClient) -> None:
    run = run_id(house, "success")
    change(house, run, mode="undo", sync_id=1)
    assert question(read(reza, f"/runs/{run}")).startswith("What this run took back comes back")


def test_run_again_does_the_same_once_more(house: House, reza: FlaskClient) -> None:
    run = run_id(house, "failed")
    wanted = [{"campus": "1110", "term": "4051"}, {"campus": "1110", "term": "4042"}]
    change(house, run, mode="full", partitions_wanted=wanted)
    asked = question(read(reza, f"/runs/{run}"))
    assert "The same 2 parts are fetched once more" in asked and "Every row is compared anew" in asked
    page = read(reza, f"/runs/{run}")
    assert f'name="again" value="{run}"' in page
    go = press(reza, "/syncs/faculty/run", then="run", again=str(run)).json["go"]
    with house() as session:
        made = session.get_one(SyncRun, int(go.rpartition("/")[2]))
        assert (made.mode, made.partitions_wanted, made.dry_run) == ("full", wanted, False)


def test_an_undo_is_not_done_once_more_but_followed_by_an_ordinary_run(
    house: House, reza: FlaskClient
) -> None:
    run = run_id(house, "failed")
    change(house, run, mode="undo")
    go = press(reza, "/syncs/faculty/run", then="run", again=str(run)).json["go"]
    with house() as session:
        made = session.get_one(SyncRun, int(go.rpartition("/")[2]))
        assert (made.mode, made.about_run_id, made.partitions_wanted) == ("incremental", None, None)


def test_only_a_run_of_this_source_can_be_repeated(house: House, reza: FlaskClient) -> None:
    other = run_id(house, "held")  # of the students
    for again in (str(other), "77777", "x", "9" * 30, "²"):
        assert press(reza, "/syncs/faculty/run", again=again).status_code == 404


def test_a_run_that_cannot_be_undone_says_why(house: House, reza: FlaskClient) -> None:
    run = run_id(house, "success")
    page = read(reza, f"/runs/{run}")
    assert 'id="run-undo"' not in page and "The change diary has nothing of this run" in page
    change(house, run, added=0, changed=0, gone=0)
    assert "This run changed nothing, so there is nothing to undo." in read(reza, f"/runs/{run}")
