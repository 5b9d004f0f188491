"""The card at the top of the home page: what needs a person now, and one way to what can be done about it."""

import os
import re
from datetime import timedelta
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.wire.courtesy import Cause
from panel import clock, holidays, persian, storage
from panel.admin import attention_card, sources
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.engine import windows
from panel.engine.windows import Typed
from panel.models import DataSync, EngineLease, SyncRun
from tests.panel import gateway_states
from tests.panel.admin.conftest import read
from tests.panel.admin.test_many_sources import add_sources, change
from tests.panel.admin.test_status import row
from tests.statements import listening

Rows = sessionmaker[Session]
HOUR = timedelta(hours=1)


@pytest.fixture
def led(rows: Rows, web_config: Config) -> Rows:
    """Three sources that are in step, and an engine that leads."""
    add_sources(rows, web_config, 1, 3)
    now = utcnow()
    with writing(rows) as session:
        session.add(
            EngineLease(
                id=1, owner="an engine elsewhere", epoch=1, until_boottime=clock.boottime() + 600,
                boot_id=clock.boot_id(), until_at=now + HOUR, heartbeat_at=now, pid=os.getpid(),
            )
        )  # fmt: skip
        for sync in session.scalars(select(DataSync)):
            sync.data_as_of = now - HOUR
    return rows


def card(page: str) -> str:
    found = re.search(r'<section class="card needs.*?</section>', page, re.S)
    assert found, "there is no card"
    return found.group()


def lines(page: str) -> list[tuple[str, str, str | None]]:
    """Of each line: its kind, its words, where it leads to."""
    found = []
    for kind, html in re.findall(r'<li data-need="(\w+)">(.*?)</li>', card(page), re.S):
        link = re.search(r'<a href="([^"]*)"', html)
        words = " ".join(re.sub(r'<span class="sr-only">.*?</span>|<[^>]+>', " ", html).split())
        found.append((kind, words, link[1] if link else None))
    return found


def set_(rows: Rows, key: str, **columns: object) -> None:
    with writing(rows) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
        for name, value in columns.items():
            setattr(sync, name, value)


def test_nothing_to_do_is_one_calm_sentence_with_the_age_of_the_data(led: Rows, sara: FlaskClient) -> None:
    set_(led, "campus-002", data_as_of=utcnow() - 5 * HOUR)
    page = read(sara, "/")
    assert 'data-needs="0"' in card(page) and 's-success"' in card(page)
    assert "All sources are in step." in card(page)
    assert "The data are as of:" in card(page) and "5 hours ago" in card(page), "the oldest of them"
    persian_page = sara.get("/?lang=fa").get_data(as_text=True)
    assert "۵ ساعت پیش" in card(persian_page) and not re.search(r">[^<]*[a-zA-Z][^<]*<", card(persian_page))


def test_without_a_source_there_is_no_card(rows: Rows, sara: FlaskClient) -> None:
    assert "card needs" not in read(sara, "/") or 'data-need="engine"' in card(read(sara, "/"))


def test_a_hold_leads_to_who_would_vanish_and_a_failure_to_what_to_do(led: Rows, sara: FlaskClient) -> None:
    change(led, "campus-001", "failed", error_code="E_AUTH", finished_at=utcnow() - 2 * HOUR)
    change(led, "campus-002", "held", error_code="E_SHRUNK", finished_at=utcnow() - 3 * HOUR)
    page = read(sara, "/")
    (first, said, to_held), (second, failed, to_run) = lines(page)
    assert (first, said) == ("held", "Needs your decision Faculty 3 hours ago Who would vanish")
    assert to_held and re.fullmatch(r"/runs/\d+/held", to_held)
    # Two sources are called Students, so the key is told too.
    assert (second, failed) == ("failed", "Failed Students (\u2068campus-001\u2069) 2 hours ago What to do")
    assert to_run and re.fullmatch(r"/runs/\d+", to_run)
    assert "Sources that need you: 2 of 3." in card(page)
    assert read(sara, to_run) and read(sara, to_held)


def test_a_failure_that_heals_is_told_apart_and_its_row_is_quieter(led: Rows, sara: FlaskClient) -> None:
    soon = {"schedule_kind": "interval", "interval_minutes": 60, "next_run_at": utcnow() + HOUR}
    set_(led, "campus-002", **soon)
    change(led, "campus-002", "failed", error_code="E_SERVER", finished_at=utcnow())
    page = read(sara, "/")
    assert lines(page) == []
    assert "Nothing to do now." in card(page) and "These go on by themselves: Faculty" in card(page)
    assert "Will be tried again" in row(page, "campus-002") and "s-failed" not in row(page, "campus-002")
    assert row(page, "campus-002").count("line-todo") == 1, "why, in a quiet colour"
    change(led, "campus-002", "failed", error_code="E_AUTH", finished_at=utcnow())
    page = read(sara, "/")
    assert [kind for kind, _, _ in lines(page)] == ["failed"] and "s-failed" in row(page, "campus-002")


def test_missing_settings_lead_an_administrator_to_them_and_others_to_the_row(
    led: Rows, maryam: FlaskClient, sara: FlaskClient
) -> None:
    set_(led, "campus-001", secrets=None)
    [(kind, _, link)] = lines(read(maryam, "/"))
    assert (kind, link) == ("missing", "/syncs/campus-001/settings")
    [(_, words, link)] = lines(read(sara, "/"))
    assert link == "#source-campus-001" and words.endswith("Show it")


def test_what_is_overdue_old_or_stuck_leads_to_its_row(led: Rows, sara: FlaskClient) -> None:
    now = utcnow()
    every = {"schedule_kind": "interval", "interval_minutes": 60}
    set_(led, "campus-001", **every, next_run_at=now - 3 * HOUR)
    set_(led, "campus-002", fresh_hours=2, data_as_of=now - 9 * HOUR)
    set_(led, "campus-003", **every, next_run_at=now + HOUR, paused_reason="undo")
    told = lines(read(sara, "/"))
    assert [(kind, link) for kind, _, link in told] == [
        ("overdue", "#source-campus-001"),
        ("stale", "#source-campus-002"),
        ("paused", "#source-campus-003"),
    ]
    assert "3 hours ago" in told[0][1] and "7 hours ago" in told[1][1]


def test_an_engine_that_is_down_is_told_once_and_what_only_waits_for_it_is_not(
    led: Rows, sara: FlaskClient
) -> None:
    set_(
        led, "campus-001", schedule_kind="interval", interval_minutes=60, next_run_at=utcnow() - 3 * HOUR
    )  # fmt: skip
    with writing(led) as session:
        session.get_one(EngineLease, 1).until_boottime = 0.0
    page = read(sara, "/")
    assert [kind for kind, _, _ in lines(page)] == ["engine"] and "python -m panel up" in card(page)
    assert "Sources that need you: 1 of 3." in card(page), "the row says what"
    assert "Overdue: it should have begun" in row(page, "campus-001")
    told = sara.get("/status/rows?lang=en").headers["X-Announce"]
    assert "Engine is down" in [unquote(one) for one in told.split(",")]


def test_a_gateway_that_is_down_leads_to_the_letter_once(
    led: Rows, sara: FlaskClient, web_config: Config
) -> None:
    gateway_states.down(web_config)
    page = read(sara, "/")
    [(kind, words, link)] = lines(page)
    assert kind == "gateway" and gateway_states.ADDRESS in words and "5 minutes ago" in words
    assert link and link.startswith("/gateways/letter?of=")
    assert page.count("/gateways/letter") == 1
    gateway_states.put(web_config, open_until=None, failures=4, cause=Cause("E_SERVER", {"status": 503}))
    assert lines(read(sara, "/")) == [] and "/gateways/letter" in read(sara, "/"), "beside the lamp"


def test_a_disk_that_takes_nothing_more_is_told(
    led: Rows, sara: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = storage.Trouble(storage.FULL, {"folder": "/srv/hamgam", "free": "0.4"})
    monkeypatch.setattr(attention_card.storage, "of_disks", lambda _config: full)
    [(kind, words, link)] = lines(read(sara, "/"))
    assert (kind, link) == ("disk", None)
    assert (
        "disk is full" in words
        and "your data are safe" in words
        and "0.4 MB are free in /srv/hamgam" in words
    )
    persian_card = card(sara.get("/?lang=fa").get_data(as_text=True))
    assert "۰.۴" in persian_card or "۰٫۴" in persian_card


def test_a_calendar_that_ends_is_told_with_the_way_to_it(led: Rows, maryam: FlaskClient) -> None:
    rules = windows.read(Typed(at="02:30", on="all")).to_json()
    set_(led, "campus-001", schedule_kind="calendar", calendar_rules=rules, next_run_at=utcnow() + HOUR)
    soon = persian.tehran(utcnow()).date() + timedelta(days=9)
    with writing(led) as session:
        holidays.write(session, [holidays.Line("holiday", soon, soon)], keep=True)
    [(kind, words, link)] = lines(read(maryam, "/"))
    assert (kind, link) == ("calendar", "/calendar/") and "The list of holidays ends on" in words


def test_of_very_many_the_first_ten_are_named_and_the_rest_are_on_a_list(
    rows: Rows, web_config: Config, led: Rows, sara: FlaskClient
) -> None:
    add_sources(rows, web_config, 4, sources.SOURCES_A_PAGE + 5)
    for number in range(1, 16):
        change(rows, f"campus-{number:03}", "failed", error_code="E_AUTH", finished_at=utcnow())
    page = read(sara, "/")
    assert len(lines(page)) == attention_card.MOST and "5 more" in card(page)
    assert 'data-needs="15"' in card(page)
    [more] = re.findall(r'<a href="(/\?which=needs)"', card(page))
    assert len(re.findall('<tr id="source-', read(sara, more))) == 15


def test_a_source_on_another_page_is_led_to_by_its_key(
    rows: Rows, web_config: Config, led: Rows, sara: FlaskClient
) -> None:
    add_sources(rows, web_config, 4, sources.SOURCES_A_PAGE + 5)
    set_(rows, "campus-001", fresh_hours=1, data_as_of=utcnow() - 9 * HOUR)
    [(_, _, link)] = lines(read(sara, "/?page=2"))
    assert link == "/?search=campus-001#source-campus-001"
    assert 'id="source-campus-001"' in read(sara, link.partition("#")[0])


def test_a_small_house_that_was_searched_can_be_shown_whole_again(led: Rows, sara: FlaskClient) -> None:
    assert 'id="s-search"' not in read(sara, "/")
    assert 'id="s-search"' in read(sara, "/?which=needs") and "Clear" in read(sara, "/?which=needs")


def test_each_line_costs_no_statement_of_its_own(
    rows: Rows, web_config: Config, led: Rows, sara: FlaskClient
) -> None:
    def asked() -> int:
        read(sara, "/")
        with listening() as said:
            read(sara, "/")
        return len(said)

    add_sources(rows, web_config, 4, 40)
    for number in range(1, 3):
        change(rows, f"campus-{number:03}", "failed", error_code="E_AUTH", finished_at=utcnow())
        set_(rows, f"campus-{number + 2:03}", fresh_hours=1, data_as_of=utcnow() - 9 * HOUR)
    few = asked()
    for number in range(5, 20):
        change(rows, f"campus-{number:03}", "failed", error_code="E_AUTH", finished_at=utcnow())
        set_(rows, f"campus-{number + 16:03}", fresh_hours=1, data_as_of=utcnow() - 9 * HOUR)
    assert asked() == few


def test_an_open_page_in_which_nothing_moves_is_answered_with_nothing_until_a_run_begins(
    led: Rows, sara: FlaskClient
) -> None:
    first = sara.get("/status/rows")
    newest = first.headers["X-Newest"]
    assert f'data-newest="{newest}"' in read(sara, "/")
    again = sara.get("/status/rows", headers={"X-Newest": newest})
    assert (again.status_code, again.data) == (204, b"")
    change(led, "campus-001", "running", started_at=utcnow())
    moved = sara.get("/status/rows", headers={"X-Newest": newest})
    assert moved.status_code == 200 and 'data-status="running"' in moved.get_data(as_text=True)
    assert "X-Newest" not in moved.headers, "what moves is drawn each time"
    assert "data-newest" not in read(sara, "/")


def test_what_is_announced_comes_piece_by_piece(led: Rows, sara: FlaskClient) -> None:
    told = [unquote(one) for one in sara.get("/status/rows?lang=en").headers["X-Announce"].split(",")]
    assert told == [
        "All sources are in step.",
        "Students: Successful",
        "Faculty: Successful",
        "Students: Successful",
    ]
    change(led, "campus-002", "held", error_code="E_SHRUNK", finished_at=utcnow())
    told = [unquote(one) for one in sara.get("/status/rows?lang=en").headers["X-Announce"].split(",")]
    assert told[0] == "Sources that need you: 1 of 3." and "Faculty: Needs approval" in told


# -- habits of the status table -------------------------------------------------------------------------------


def test_a_button_that_cannot_be_pressed_says_why_in_sight(led: Rows, reza: FlaskClient) -> None:
    set_(led, "campus-001", secrets=None)
    found = row(read(reza, "/"), "campus-001")
    assert re.search(r'id="act-campus-001" disabled title="[^"]+" aria-describedby="why-campus-001"', found)
    assert re.search(r'id="why-campus-001">The settings must be completed first\.<', found)
    assert 'id="why-' not in row(read(reza, "/"), "campus-002")


def test_a_zero_is_explained_and_nothing_read_yet_is_no_zero(led: Rows, sara: FlaskClient) -> None:
    set_(led, "campus-001", records=0, records_delta=0)
    found = row(read(sara, "/"), "campus-001")
    assert "the last whole sync found none" in found and "no change" in found
    change(led, "campus-002", "running", started_at=utcnow())
    found = row(read(sara, "/"), "campus-002")
    assert "nothing has been read yet" in found and "0 records so far" not in found
    with writing(led) as session:
        session.scalars(select(SyncRun).where(SyncRun.status == "running")).one().read = 12
    assert "12 records so far" in row(read(sara, "/"), "campus-002")


def test_a_failure_has_the_log_one_click_away(led: Rows, sara: FlaskClient) -> None:
    change(led, "campus-001", "failed", error_code="E_AUTH", finished_at=utcnow())
    found = re.search(r'href="(/runs/\d+)#log"', row(read(sara, "/"), "campus-001"))
    assert found and 'id="log"' in read(sara, found[1])


def test_late_and_old_are_told_in_relative_time_with_the_moment_behind_it(
    led: Rows, sara: FlaskClient
) -> None:
    set_(
        led, "campus-001", schedule_kind="interval", interval_minutes=60, next_run_at=utcnow() - 3 * HOUR,
        renewal_due_at=utcnow() - 3 * HOUR,
    )  # fmt: skip
    found = row(read(sara, "/"), "campus-001")
    late = re.search(r'data-late="campus-001">(.*?)</span></span>', found, re.S)
    assert late and 'class="moment"' in late[1] and "data-exact=" in late[1] and "3 hours ago" in late[1]
