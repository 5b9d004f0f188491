"""«گاه‌شمار» and its part on a run's page: words, days, names, and who may see what."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from panel import audit, timeline
from panel.clock import utcnow
from panel.db import writing
from panel.models import AuditEntry, SyncRun
from tests.panel.admin.conftest import read
from tests.panel.admin.test_buttons import press
from tests.panel.admin.test_run_pages import run_id
from tests.web import csrf_token

House = sessionmaker[Session]


def note(
    house: House, actor: str, action: str, subject: str | None, *, ago: float = 0, **details: Any
) -> None:
    """An entry of the trail; ago: in hours."""
    with writing(house) as session:
        entry = audit.record(session, actor, action, subject, "192.0.2.7", **details)
        entry.at = utcnow() - timedelta(hours=ago)


def events(page: str) -> list[str]:
    """What each event says."""
    found = re.findall(r'<li class="event.*?</li>', page, re.S)
    return [" ".join(unescape(re.sub(r"<[^>]*>", " ", one)).split()) for one in found]


def test_a_setting_changed_by_maryam_stands_between_two_runs_with_her_name(
    house: House, maryam: FlaskClient
) -> None:
    note(house, "maryam", "settings_changed", "faculty", ago=2.5, names=["retries", "password"])
    told = events(read(maryam, "/timeline/?source=faculty"))
    place = next(n for n, one in enumerate(told) if "changed settings" in one)
    assert "maryam changed settings" in told[place] and "Gateway password" in told[place]
    assert "Run 4" in told[place - 1] and "Failed" in told[place - 1]
    assert "Run 3" in told[place + 1] and "reza in the panel" in told[place + 1]
    assert "192.0.2.7" not in " ".join(told)


def test_a_secret_that_is_set_on_the_page_of_settings_is_told_by_its_name_alone(
    house: House, maryam: FlaskClient
) -> None:
    form = {"csrf_token": csrf_token(maryam, "/syncs/faculty/settings"), "password": "a-new-secret-word"}
    assert maryam.post("/syncs/faculty/settings", data=form).status_code == 302
    page = read(maryam, "/timeline/?kind=changes")
    assert "Gateway password" in page and "a-new-secret-word" not in page


def test_who_may_not_read_the_trail_sees_runs_and_decisions_alone(
    house: House, sara: FlaskClient, reza: FlaskClient, maryam: FlaskClient
) -> None:
    note(house, "maryam", "settings_changed", "faculty", ago=2.5, names=["retries"])
    note(house, "reza", "hold_rejected", "students", ago=1, run=run_id(house, "held"))
    for person in (sara, reza):
        for path in ("/timeline/", "/timeline/?source=faculty", "/timeline/?kind=changes"):
            page = read(person, path)
            assert "changed settings" not in page and 'value="changes"' not in page
            assert "are shown to administrators" in page
        [decided] = events(read(person, "/timeline/?kind=decisions"))
        assert "reza kept the old data" in decided
    page = read(maryam, "/timeline/")
    assert "changed settings" in page and 'value="changes"' in page and "shown to administrators" not in page


def test_the_audit_trail_stays_closed_on_the_page_of_a_run(
    house: House, sara: FlaskClient, maryam: FlaskClient
) -> None:
    note(house, "maryam", "settings_changed", "faculty", ago=2.5, names=["retries"])
    run = run_id(house, "failed")
    assert "changed settings" in read(maryam, f"/runs/{run}")
    assert "changed settings" not in read(sara, f"/runs/{run}")


def test_the_page_of_a_run_tells_what_led_to_it_and_what_followed(house: House, maryam: FlaskClient) -> None:
    note(house, "maryam", "sync_paused", "faculty", ago=3.5, until=utcnow().isoformat(timespec="minutes"))
    told = events(read(maryam, f"/runs/{run_id(house, 'failed')}"))
    assert [bool(re.search("This run", one)) for one in told].index(True) == 1
    assert "Run 5" in told[0] and "Run 3" in told[2]
    assert "maryam paused automatic sync" in told[3] and "Run 2" in told[4]
    assert len(told) == 5


def test_a_decision_is_told_with_who_made_it(house: House, reza: FlaskClient) -> None:
    held = run_id(house, "held")
    press(reza, f"/runs/{held}/reject")
    told = events(read(reza, f"/runs/{held}"))
    assert any(one.endswith(f"reza kept the old data Run {held}") for one in told)


def test_days_stand_under_weeks_that_begin_on_saturday(house: House, maryam: FlaskClient) -> None:
    moments = {
        1: datetime(2026, 11, 20, 8, 0, tzinfo=UTC),  # Friday, 29 Aban 1405
        2: datetime(2026, 11, 20, 21, 0, tzinfo=UTC),  # half past midnight in Tehran: Saturday
        3: datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
    }
    with writing(house) as session:
        session.execute(
            update(SyncRun).where(SyncRun.id > 3).values(requested_at=moments[3] + timedelta(days=9))
        )
        for number, at in moments.items():
            session.get_one(SyncRun, number).requested_at = at
    page = read(maryam, "/timeline/?until=1405/09/06&lang=fa")
    assert re.findall(r'<p class="week">(.*?)</p>', page) == [
        "هفتهٔ ۳۰ آبان ۱۴۰۵ تا ۶ آذر ۱۴۰۵",
        "هفتهٔ ۲۳ آبان ۱۴۰۵ تا ۲۹ آبان ۱۴۰۵",
    ]
    days = re.findall(r'<section class="day-of">\s*<h2>(.*?)</h2>', page)
    assert days == ["یکشنبه ۱ آذر ۱۴۰۵", "شنبه ۳۰ آبان ۱۴۰۵", "جمعه ۲۹ آبان ۱۴۰۵"]
    assert re.findall(r'<time class="num"[^>]*>(.*?)</time>', page) == ["۱۲:۰۰", "۰۰:۳۰", "۱۱:۳۰"]


def test_a_day_that_there_is_not_is_said_and_nothing_is_shown(house: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/timeline/?since=1404/12/30")
    assert "Esfand 1404 has 29 days" in page and events(page) == []


def test_older_events_are_on_the_next_page_and_filters_stay(
    house: House, maryam: FlaskClient, monkeypatch: Any
) -> None:
    monkeypatch.setattr(timeline, "EVENTS_A_PAGE", 3)
    told: list[str] = []
    path = "/timeline/?source=faculty&kind=runs"
    while path:
        page = read(maryam, path)
        told += [re.findall(r"Run (\d)", one)[0] for one in events(page)]
        older = re.findall(r'rel="next" href="([^"]+)"', page)
        assert all("source=faculty" in one and "kind=runs" in one for one in older)
        path = unescape(older[0]) if older else ""
    assert told == ["5", "4", "3", "2", "1"]


def test_nonsense_in_the_address_is_a_plain_page(house: House, maryam: FlaskClient) -> None:
    whole = events(read(maryam, "/timeline/"))
    for query in ("source=nobody", "kind=x", "after=x", "after=99999999999999999999-1", "page=7"):
        assert events(read(maryam, f"/timeline/?{query}")) == whole
    assert events(read(maryam, "/timeline/?after=0-0")) == []


def test_an_empty_house_says_what_to_do(rows: House, maryam: FlaskClient) -> None:
    with writing(rows) as session:
        session.query(AuditEntry).delete()
    assert "Press “Sync” on the status page." in read(maryam, "/timeline/")


def test_the_pages_of_runs_lead_there(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "failed")
    assert 'href="/timeline/?source=faculty"' in read(sara, f"/runs/{run}")
    assert 'href="/timeline/"' in read(sara, "/runs/")
    assert 'href="/timeline/?source=faculty"' in read(sara, "/runs/?source=faculty")


def test_a_change_by_command_says_nothing_in_english_on_a_persian_page(
    house: House, maryam: FlaskClient
) -> None:
    note(house, "cli", "schedule_changed", "faculty", kind="interval")
    note(house, "engine", "hold_superseded", "faculty", run=3, by=4)
    with writing(house) as session:
        for entry in session.scalars(select(AuditEntry).where(AuditEntry.actor.in_(("cli", "engine")))):
            entry.address = None
    told = events(read(maryam, "/timeline/?kind=changes&lang=fa")) + events(
        read(maryam, "/timeline/?kind=decisions&lang=fa")
    )
    assert len(told) == 2
    assert not re.search("[A-Za-z]", " ".join(told))
