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
from panel.models import DataSync, RunLog, RunPartition, SyncRun
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


def test_the_bar_and_the_list_of_parts_say_the_same(house: House, sara: FlaskClient) -> None:
    """The run's own figures come twice a second, those of its parts at once: "24 of 36" stood above "Done 29"."""
    run = run_id(house, "running")
    with writing(house) as session:
        session.execute(update(SyncRun).where(SyncRun.id == run).values(partitions_done=9))
    for path in (f"/runs/{run}", f"/runs/{run}/live", f"/runs/{run}?state=failed"):
        page = read(sara, path)
        assert "14 of 40" in page and 'max="40" value="15"' in page
        assert re.search(r'Done <span class="num">14<', page)
    with writing(house) as session:  # its parts are forgotten one day, and the figures stay
        session.execute(delete(RunPartition).where(RunPartition.run_id == run))
    assert "9 of 40" in read(sara, f"/runs/{run}")


@pytest.mark.parametrize(("code", "untold"), [("E_AUTH", False), ("E_LOST", True), ("E_TIMEOUT", True)])
def test_a_failure_that_finished_no_part_says_that_nothing_was_replaced(
    house: House, sara: FlaskClient, code: str, untold: bool
) -> None:
    """Unless its program was ended from outside: that may have published a part and not told of it."""
    run = run_id(house, "failed")
    failed = {"error_code": code, "error_params": {}, "partitions_done": 0}
    with writing(house) as session:
        session.execute(delete(RunPartition).where(RunPartition.run_id == run))
        session.execute(update(SyncRun).where(SyncRun.id == run).values(**failed))
    page = read(sara, f"/runs/{run}")
    assert ("nothing was replaced" in page, "parts already finished are published" in page) == (
        not untold,
        untold,
    )
    with writing(house) as session:
        session.add(RunPartition(run_id=run, part="", position=0, state="done"))
    assert "parts already finished are published" in read(sara, f"/runs/{run}")


def test_a_failure_that_is_mended_in_the_settings_leads_there(
    house: House, maryam: FlaskClient, reza: FlaskClient
) -> None:
    run = run_id(house, "failed")
    with writing(house) as session:
        session.get_one(SyncRun, run).error_code = "E_AUTH"
    link = 'id="run-settings" href="/syncs/faculty/settings"'
    assert link in read(maryam, f"/runs/{run}")
    assert link not in read(reza, f"/runs/{run}"), "the settings are for administrators"
    with writing(house) as session:
        session.get_one(SyncRun, run).error_code = "E_SERVER"
    assert link not in read(maryam, f"/runs/{run}")


def test_what_is_counted_afterwards_is_called_by_its_name(house: House, sara: FlaskClient) -> None:
    """Of the students that is people, where the counts beside it are of their terms."""
    with writing(house) as session:
        students = session.scalars(select(SyncRun).join(SyncRun.sync).where(DataSync.key == "students")).all()
        run = students[0].id
        students[0].records = 4103
    assert "<dt>Students afterwards</dt>" in read(sara, f"/runs/{run}")
    assert "<dt>دانشجویان پس از اجرا</dt>" in read(sara, f"/runs/{run}?lang=fa")
    assert "<dt>Faculty afterwards</dt>" in read(sara, "/reports/?source=faculty")
    assert "<dt>Students afterwards</dt>" in read(sara, "/reports/?source=students")


def test_the_list_of_parts_has_every_count(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "running")
    counts = {
        "read": 206,
        "added": 205,
        "changed": 0,
        "unchanged": 0,
        "gone": 0,
        "rejected": 0,
        "duplicates": 1,
    }
    with writing(house) as session:
        mine = (RunPartition.run_id == run, RunPartition.state == "done")
        session.execute(update(RunPartition).where(*mine).values(counts=counts))
    page = read(sara, f"/runs/{run}?state=done")
    row = page.split('class="grid tight as-cards parts"')[1].split("<tbody>")[1].split("</tr>")[0]
    assert re.findall(r'<span class="val num">(\d+)</span>', row) == [str(n) for n in counts.values()]


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
        states = {"done": 2, "failed": 1, "resumed": 12, "planned": 25}
        after = run_page.progress(session.get_one(SyncRun, run), session, utcnow(), states)
        assert before.left and after.left
        assert after.left == pytest.approx(before.left * 15 / 3, rel=0.01)
        states |= {"done": 1, "resumed": 13}
        few = run_page.progress(session.get_one(SyncRun, run), session, utcnow(), states)
        assert few.left is None
    with writing(house) as session:
        mine = (RunPartition.run_id == run, RunPartition.state == "done")
        session.execute(update(RunPartition).where(*mine).values(state="resumed"))
    assert not re.search(r"About [^<]+ left<", read(sara, f"/runs/{run}"))
