"""The list of runs, and one run."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from panel.admin import run_page
from panel.clock import utcnow
from panel.db import writing
from panel.models import RunLog, RunPartition, SyncRun
from tests.panel.admin.conftest import read

House = sessionmaker[Session]


def run_id(house: House, status: str) -> int:
    with house() as session:
        found = session.scalar(select(SyncRun.id).where(SyncRun.status == status).order_by(SyncRun.id.desc()))
        assert found
        return found


def test_a_running_run_says_parts_speed_time_left_and_why_it_waits(house: House, sara: FlaskClient) -> None:
    page = read(sara, f"/runs/{run_id(house, 'running')}")
    assert "14 of 40" in page and "1 failed" in page
    assert "records a second" in page and re.search(r"About [^<]+ left<", page)
    assert "The gateway asks us to wait; goes on at " in page


def test_counts_stand_in_their_fixed_order(house: House, sara: FlaskClient) -> None:
    page = read(sara, f"/runs/{run_id(house, 'success')}")
    order = ["read", "added", "changed", "unchanged", "gone", "rejected", "duplicates"]
    assert re.findall(r'data-count="(\w+)"', page) == order


def test_failed_parts_come_first_with_their_cause(house: House, sara: FlaskClient) -> None:
    page = read(sara, f"/runs/{run_id(house, 'running')}")
    parts = re.findall(r'class="badge s-(failed|planned|done)"', page.split('id="parts"')[1])
    assert parts[0] == "failed" and "planned" in parts
    assert "The gateway has a fault of its own (status 503)." in page


def test_parts_are_filtered_and_paged(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "running")
    done = read(sara, f"/runs/{run}?state=done")
    assert done.count('class="badge s-done"') == 14 and 'class="badge s-planned"' not in done
    assert read(sara, f"/runs/{run}?parts_page=2").count('<td data-label="Part">') == 40 - 25
    assert "campus 1113" in read(sara, f"/runs/{run}?state=nonsense&parts_page=99999999999999999999")


def test_attempts_are_told_with_their_causes(house: House, sara: FlaskClient) -> None:
    page = read(sara, f"/runs/{run_id(house, 'running')}")
    assert "E_LOST" in page and "closed without a word" in page


def test_a_failure_says_what_happened_that_the_data_are_safe_and_what_to_do(
    house: House, sara: FlaskClient
) -> None:
    run = run_id(house, "failed")
    page = read(sara, f"/runs/{run}")
    assert "2 of 40 parts could not be fetched." in page
    assert "Your data are safe" in page and "it asks only for what is missing" in page
    persian = read(sara, f"/runs/{run}?lang=fa")
    assert "۲ از ۴۰ بخش دریافت نشد." in persian and "داده‌های شما امن است" in persian


def test_a_cancelled_run_says_who_cancelled_it(house: House, sara: FlaskClient) -> None:
    assert "reza cancelled this run." in read(sara, f"/runs/{run_id(house, 'cancelled')}")


def test_the_log_goes_on_after_the_last_line_that_the_page_has(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "running")
    lines = sara.get(f"/runs/{run}/log").json["lines"]
    assert [line["level"] for line in lines] == ["info", "info", "warning", "error"]
    rest = sara.get(f"/runs/{run}/log?after={lines[1]['id']}").json
    assert rest["lines"] == lines[2:] and rest["ended"] is False
    assert sara.get(f"/runs/{run}/log?after=x").status_code == 400


def test_a_gateway_s_text_in_the_log_is_text(house: House, sara: FlaskClient) -> None:
    from panel.clock import utcnow
    from panel.db import writing
    from panel.models import RunLog

    run = run_id(house, "failed")
    with writing(house) as session:
        session.add(RunLog(run_id=run, at=utcnow(), level="info", message="<script>alert(1)</script>"))
    page = read(sara, f"/runs/{run}")
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page


def test_the_list_is_filtered_by_source_and_status(house: House, sara: FlaskClient) -> None:
    assert read(sara, "/runs/").count('class="badge s-') == 8
    assert read(sara, "/runs/?source=students").count('class="badge s-') == 3
    held = read(sara, "/runs/?source=students&status=held")
    assert held.count('class="badge s-') == 1 and "8,123 of 81,234 would vanish" in held
    assert "No run fits." in read(sara, "/runs/?source=students&status=cancelled")


def test_a_nonsense_page_or_filter_is_a_plain_page(house: House, sara: FlaskClient) -> None:
    for query in ("page=100000000000000000000", "page=-1", "page=x", "source=nobody&status='--", "page=²"):
        read(sara, f"/runs/?{query}")


def test_an_unknown_run_is_not_found(house: House, sara: FlaskClient) -> None:
    for run in ("77777", "99999999999999999999999999"):
        read(sara, f"/runs/{run}", status=404)


def test_a_run_whose_log_went_with_its_age_says_so(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "success")
    with writing(house) as session:
        session.execute(delete(RunLog).where(RunLog.run_id == run))
    assert "Nothing was written to the log of this run." in read(sara, f"/runs/{run}")
    with writing(house) as session:
        session.get_one(SyncRun, run).requested_at = utcnow() - timedelta(days=31)
    assert "are kept for 30 days; its counts and its changes stay" in read(sara, f"/runs/{run}")


def test_parts_that_an_earlier_attempt_finished_do_not_make_the_rest_look_quick(
    house: House, sara: FlaskClient
) -> None:
    run = run_id(house, "running")
    with house() as session:
        before = run_page.progress(session.get_one(SyncRun, run), session, utcnow())
        after = run_page.progress(session.get_one(SyncRun, run), session, utcnow(), taken_over=12)
        assert before.left and after.left
        assert after.left == pytest.approx(before.left * 15 / 3, rel=0.01)
        few = run_page.progress(session.get_one(SyncRun, run), session, utcnow(), taken_over=13)
        assert few.left is None
    with writing(house) as session:
        mine = (RunPartition.run_id == run, RunPartition.state == "done")
        session.execute(update(RunPartition).where(*mine).values(state="resumed"))
    assert not re.search(r"About [^<]+ left<", read(sara, f"/runs/{run}"))
