"""A house with many sources and runs: a page costs as many statements as in a small one, and indexes answer them."""

import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select
from sqlalchemy.orm import Session, sessionmaker

from panel import settings
from panel.admin import sources
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import Campus, DataSync, SyncRun
from tests.panel.admin.conftest import read
from tests.panel.admin.test_status import row
from tests.statements import listening, plans

Rows = sessionmaker[Session]
RUNS = 20  # of each source


def add_sources(rows: Rows, config: Config, first: int, last: int) -> None:
    """Sources of one fetcher, each with runs, the newest a success."""
    now = utcnow()
    sealed = settings.vault(config).seal({"password": "not-a-real-password"})
    with writing(rows) as session:
        for number in range(first, last + 1):
            sync = DataSync(
                key=f"campus-{number:03}",
                fetcher="students" if number % 2 else "faculty",
                settings={"base_url": "https://gateway.example.ac.ir", "username": f"user{number}"},
                secrets=sealed,
                created_at=now,
                updated_at=now,
            )
            session.add(sync)
            session.flush()
            ids = session.scalars(insert(SyncRun).returning(SyncRun.id), _runs(sync.id, now)).all()
            sync.last_run_id, sync.status = max(ids), "success"


def _runs(sync_id: int, now: datetime) -> list[dict[str, object]]:
    return [
        {
            "uuid": str(uuid4()),
            "sync_id": sync_id,
            "status": "failed" if number % 7 == 3 else "success",
            "triggered_by": "schedule",
            "requested_at": now - timedelta(hours=RUNS - number),
            "not_before": now - timedelta(hours=RUNS - number),
            "started_at": now - timedelta(hours=RUNS - number),
            "finished_at": now - timedelta(hours=RUNS - number),
            "duration_seconds": 10.0 + number,
            "error_code": "E_SERVER" if number % 7 == 3 else None,
        }
        for number in range(RUNS)
    ]


def change(rows: Rows, key: str, status: str, **columns: object) -> None:
    """Let the newest run of a source be this way."""
    with writing(rows) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
        run = SyncRun(
            uuid=str(uuid4()),
            sync_id=sync.id,
            status=status,
            triggered_by="panel",
            requested_at=utcnow(),
            not_before=utcnow(),
            **columns,
        )
        session.add(run)
        session.flush()
        sync.last_run_id, sync.status = run.id, status


def shown(page: str) -> list[str]:
    """The keys of the sources in the table."""
    return re.findall(r'<tr id="source-([^"]+)"', page)


PAGES = [
    "/",
    "/status/rows",
    "/runs/",
    "/runs/?source=campus-002",
    "/runs/?status=failed",
    "/runs/?source=campus-002&status=success",
    "/timeline/",
    "/timeline/?source=campus-002",
    "/runs/41",
    "/api/v1/runs",
    "/api/v1/syncs",
    "/api/v1/gateways",
    "/quality/rows",
]


def test_a_page_asks_as_much_of_the_database_whether_there_are_few_sources_or_many(
    rows: Rows, web_config: Config, maryam: FlaskClient, maryams_token: dict[str, str]
) -> None:
    def asked(path: str) -> int:
        headers = maryams_token if path.startswith("/api/") else {}
        assert maryam.get(path, headers=headers).status_code == 200  # what only the first look costs
        with listening() as said:
            maryam.get(path, headers=headers)
        return len(said)

    add_sources(rows, web_config, 1, 4)
    with writing(rows) as session:
        session.add(Campus(pardis_code="1110", name="پردیس مرکز", active=True))
    few = {path: asked(path) for path in PAGES}
    add_sources(rows, web_config, 5, 60)
    many = {path: asked(path) for path in PAGES}
    many["/"] += 1  # a house with few sources has charts there, and asks once which have two points
    assert many == few


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/runs/?source=campus-002",
        "/runs/?status=failed",
        "/runs/?source=campus-002&status=held",
        "/timeline/?source=campus-002",
        "/runs/41",
    ],
)
def test_no_list_reads_runs_that_it_does_not_show(
    path: str, rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    add_sources(rows, web_config, 1, 4)
    with listening() as said:
        maryam.get(path)
    steps = plans(said, rows, "sync_runs")
    assert steps
    assert not [step for step in steps if step.startswith("SCAN sync_runs")], "\n".join(steps)
    of_the_list = [step for step in steps if "ORDER BY sync_runs.id DESC" in step]
    assert not [step for step in of_the_list if "TEMP B-TREE" in step], "\n".join(of_the_list)


def test_a_missing_index_would_be_seen(rows: Rows, web_config: Config, maryam: FlaskClient) -> None:
    add_sources(rows, web_config, 1, 4)
    with writing(rows) as session:
        for name in ("ix_sync_runs_status_id", "ix_sync_runs_status_not_before"):
            session.connection().exec_driver_sql(f"DROP INDEX {name}")
    with listening() as said:
        maryam.get("/runs/?status=failed")
    assert [step for step in plans(said, rows, "sync_runs") if step.startswith("SCAN sync_runs")]


def test_few_sources_stand_in_their_usual_order_without_search_or_pages(
    rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    add_sources(rows, web_config, 1, 3)
    change(rows, "campus-002", "failed", error_code="E_SERVER")
    page = read(maryam, "/")
    assert shown(page) == ["campus-001", "campus-002", "campus-003"]
    assert 'id="s-search"' not in page and 'class="pager"' not in page


def test_of_many_sources_those_that_need_a_person_come_first_and_all_are_counted(
    rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    last = sources.SOURCES_A_PAGE + 5
    add_sources(rows, web_config, 1, last)
    change(rows, "campus-024", "failed", error_code="E_SERVER")
    change(rows, "campus-022", "held", error_code="E_SHRUNK")
    page = read(maryam, "/")
    assert shown(page)[:3] == ["campus-022", "campus-024", "campus-001"]
    assert len(shown(page)) == sources.SOURCES_A_PAGE
    assert f"Sources that need you: 2 of {last}." in page and f"{last} in all" in page
    assert 'href="/?page=2&amp;lang=en"' in page or 'href="/?lang=en&amp;page=2"' in page
    rest = read(maryam, "/?page=2")
    assert len(shown(rest)) == 5 and not set(shown(rest)) & set(shown(page))


def test_rows_that_refresh_themselves_stay_on_their_page_and_lead_to_pages_not_to_fragments(
    rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    add_sources(rows, web_config, 1, sources.SOURCES_A_PAGE + 5)
    page = read(maryam, "/?page=2&search=campus")
    live = re.search(r'data-live="([^"]+)"', page)
    assert live
    again = read(maryam, live[1].replace("&amp;", "&"))
    assert shown(again) == shown(page)
    assert 'rel="prev" href="/?' in again and "/status/rows" not in again


def test_many_sources_are_searched_by_name_and_key_and_chosen_by_what_they_need(
    rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    add_sources(rows, web_config, 1, sources.SOURCES_A_PAGE + 5)
    change(rows, "campus-024", "failed", error_code="E_SERVER")
    change(rows, "campus-003", "running", started_at=utcnow())
    assert shown(read(maryam, "/?search=CAMPUS-024")) == ["campus-024"]
    assert shown(read(maryam, "/?search=دانشجويان 023&lang=fa")) == ["campus-023"], "Arabic letters too"
    assert shown(read(maryam, "/?which=needs")) == ["campus-024"]
    assert shown(read(maryam, "/?which=active")) == ["campus-003"]
    assert len(shown(read(maryam, "/?which=nonsense&page=nonsense"))) == sources.SOURCES_A_PAGE
    nothing = read(maryam, "/?search=nothing")
    assert "No source fits." in nothing and 'href="/"' in nothing


def test_what_is_missing_is_told_anew_when_the_settings_change(
    rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    add_sources(rows, web_config, 1, 2)
    assert "Settings are missing" not in read(maryam, "/")
    with writing(rows) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == "campus-001")).one()
        sync.secrets = None
    page = read(maryam, "/")
    assert (
        page.count("Settings are missing: Gateway password") == 1 and "Sources that need you: 1 of 2." in page
    )
    assert "گذرواژهٔ درگاه" in read(maryam, "/?lang=fa"), "in each language"


def test_a_page_of_many_is_announced_in_one_sentence_and_a_gateway_names_a_few_of_its_sources(
    rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    add_sources(rows, web_config, 1, sources.SOURCES_A_PAGE + 5)
    answer = maryam.get("/status/rows?lang=en")
    assert answer.headers["X-Announce"] == "All%20sources%20are%20in%20step.,Engine%20is%20down"
    page = answer.get_data(as_text=True)
    assert (
        f"campus-005 and {sources.SOURCES_A_PAGE} more" in page
        and "campus-006" not in page.split("<table")[0]
    )


def test_sources_of_one_fetcher_are_told_apart_by_their_keys(
    rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    add_sources(rows, web_config, 1, 3)
    page = read(maryam, "/runs/")
    assert "Students (\u2068campus-001\u2069)" in page and "Students (\u2068campus-003\u2069)" in page
    assert ">Faculty</option>" in page, "the only one of its fetcher needs no key"


def test_a_run_says_how_many_are_before_it_once_all_places_are_taken(
    rows: Rows, web_config: Config, maryam: FlaskClient
) -> None:
    add_sources(rows, web_config, 1, 8)
    change(rows, "campus-001", "pending")
    assert "starts in a moment" in read(maryam, "/") and "waits its turn" not in read(maryam, "/")
    for number in range(2, 2 + web_config.runs_at_once):
        change(rows, f"campus-{number:03}", "running", started_at=utcnow())
    change(rows, "campus-008", "pending")
    page = read(maryam, "/")
    assert "starts in a moment" not in page
    assert "waits its turn; 4 other runs are before it" in row(page, "campus-001")
    assert "waits its turn; 5 other runs are before it" in row(page, "campus-008")
    run = re.search(r'data-run="(\d+)"', row(page, "campus-008"))
    assert run and "5 other runs are before it" in read(maryam, f"/runs/{run[1]}")
