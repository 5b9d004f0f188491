"""F24: PostgreSQL is restarted at once in the middle of a load; somebody ends the session that holds the lock.

The attempt fails with `E_STORAGE`, which may heal by itself: the next one connects anew and goes on where the ledger
says. Pages meanwhile say that the database does not answer; nothing is stored by half or twice.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import psycopg
import pytest

from fetchers.core.store.postgres import PUBLISHING
from panel import create_app, explain
from panel.config import load
from tests.acceptance.house import House, truth, until
from tests.acceptance.store import KEYS
from tests.faults.injectors import Unavailable
from tests.faults.own_server import OwnServer
from tests.nasty.gateway import ScriptedGateway
from tests.nasty.place import CAMPUSES, OLD_ROWS, Outcome, Place


def test_f24_pages_say_that_the_database_does_not_answer(tmp_path: Path, free_port: int) -> None:
    """Nobody knows then who is signed in, nor which language they chose; a sentence they get all the same."""
    url = f"postgresql://maryam:canary-password@127.0.0.1:{free_port}/panel"
    app = create_app(load({"PANEL_INSTANCE": str(tmp_path), "PANEL_DATABASE_URL": url}))
    client = app.test_client()
    now = int(time.time())
    with client.session_transaction() as session:  # somebody who was signed in
        session |= {"_user_id": "1.1", "began": now, "seen": now, "sid": "x"}
    for path in ("/", "/runs/", "/login"):
        answer = client.get(f"{path}?lang=en")
        page = answer.get_data(as_text=True)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path
        assert "The database does not answer" in page and "see whether PostgreSQL runs" in page
        assert "canary" not in page and "Traceback" not in page
    answer = client.get("/api/v1/syncs", headers={"Authorization": "Bearer hamgam_abcdefgh"})
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "gone")  # type: ignore[index]
    health = client.get("/healthz")
    assert (health.status_code, health.json["status"]) == (503, "database_down")  # type: ignore[index]


@pytest.fixture(scope="module")
def own_server(require_services: Callable[[str], None]) -> Iterator[OwnServer]:
    try:
        server = OwnServer()
    except Unavailable as error:
        require_services(str(error))
        raise
    yield server
    server.close()


@pytest.fixture
def url(own_server: OwnServer) -> Iterator[str]:
    """An empty destination on it."""
    yield own_server.url
    with psycopg.connect(own_server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture
def place(url: str, gateway: ScriptedGateway, tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, gateway, url)
    assert made.sync(campuses=CAMPUSES[:2]).code == 0
    yield made
    made.close()


def told(outcome: Outcome) -> None:
    """It may heal, and says so."""
    error = outcome.error
    assert (outcome.code, error["code"], error["params"]["reason"]) == (1, "E_STORAGE", "gone"), error
    assert error["retryable"]
    words = explain.message(error["code"], error["params"])
    assert "the next attempt connects again" in words and len(words) <= 500


def stored(place: Place) -> dict[str, int]:
    return dict(place.rows('SELECT "codePardis", count(DISTINCT studentnum) FROM student_terms GROUP BY 1'))


@pytest.mark.slow
def test_f24_a_restart_between_two_parts_ends_the_attempt_and_the_next_one_connects(
    place: Place, own_server: OwnServer, gateway: ScriptedGateway
) -> None:
    before = stored(place)
    asked, go_on = threading.Event(), threading.Event()

    def waits(*_: object) -> bytes:
        asked.set()
        go_on.wait(60)
        return gateway.honest(gateway.asked[-1])

    gateway.scripts = {CAMPUSES[2]: [waits, None]}
    child = place.start(place.order(campuses=CAMPUSES[2:3]))
    assert asked.wait(60)
    own_server.restart()
    go_on.set()
    told(place.finish(child))
    assert stored(place) == before
    assert place.sync(campuses=CAMPUSES[:4]).code == 0
    assert stored(place) == dict.fromkeys(CAMPUSES[:4], OLD_ROWS)


@pytest.mark.slow
def test_f24_a_publisher_whose_session_is_ended_inside_its_transaction_leaves_nothing(
    place: Place, url: str
) -> None:
    before = stored(place)
    with psycopg.connect(url) as bystander:
        bystander.execute(
            "LOCK TABLE student_terms IN ACCESS EXCLUSIVE MODE"
        )  # the publisher gets so far, and waits
        child = place.start(place.order(campuses=CAMPUSES[2:5]))
        with psycopg.connect(url, autocommit=True) as keeper:
            holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"
            until(
                lambda: keeper.execute(holders, (PUBLISHING,)).fetchone(), "a publisher that holds the lock"
            )
            # It waits for the table now, inside its transaction.
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'student_terms'::regclass"
            until(lambda: keeper.execute(waits).fetchone(), "a publisher that waits")
            [pid] = keeper.execute(holders, (PUBLISHING,)).fetchone() or (None,)
            assert keeper.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchone() == (True,)
            outcome = place.finish(child)
            assert keeper.execute(holders, (PUBLISHING,)).fetchone() is None, "the lock went with the session"
    told(outcome)
    assert stored(place) == before
    assert place.sync(campuses=CAMPUSES[:5]).code == 0
    assert stored(place) == dict.fromkeys(CAMPUSES[:5], OLD_ROWS)


@pytest.mark.slow
def test_f24_a_house_on_a_server_that_is_restarted_in_mid_run_goes_on_by_itself(
    build_house: Callable[..., House], own_server: OwnServer, url: str
) -> None:
    """Both databases are there: the engine's lease, the run and the data all lose their sessions at once."""
    house = build_house("--size", "tiny", "--latency", "400", database=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS control CASCADE")
        connection.execute("CREATE SCHEMA control")
    house.environ["PANEL_DATABASE_URL"] = f"{url}?options=-csearch_path%3Dcontrol"
    house.up()
    assert house.cli("set", "students", "retry_wait_seconds=1").returncode == 0
    maryam, token = house.browser(), house.token()

    def run_row(run: int) -> tuple[str, int]:
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT status, attempt FROM control.sync_runs WHERE id = %s", (run,))
            return found.fetchone() or ("", 0)

    def published() -> int:
        with psycopg.connect(url) as connection:
            there = connection.execute("SELECT to_regclass('public._hamgam_ledger')").fetchone()
            if there == (None,):
                return 0
            found = connection.execute("SELECT count(*) FROM _hamgam_ledger WHERE kind = 'part'").fetchone()
            return int(found[0]) if found else 0

    run = house.api(token, "syncs/students/runs", {})["run"]["id"]
    until(lambda: published() >= 2, "some published parts")
    own_server.stop()
    answers = set()
    for path in ("/", "/data/faculty", "/runs/"):
        began = time.monotonic()
        try:
            answers.add(maryam.open(path).status)
        except HTTPError as error:
            answers.add(error.code)
            assert int(error.headers["Retry-After"]) > 0
            assert "پایگاه داده پاسخ نمی‌دهد" in error.read().decode()
        assert time.monotonic() - began < 20
    assert answers == {503}
    own_server.start()
    until(lambda: run_row(run)[0] in ("success", "failed", "cancelled"), "the end of the run", 180)
    status, attempt = run_row(run)
    assert status == "success" and attempt > 1
    wanted = {
        tuple(row[key] for key in KEYS["student_terms"]): row for row in truth(house.gateway, "student_terms")
    }
    assert house.data.table("student_terms") == wanted
    until(house.healthy, "an engine that leads")
    with psycopg.connect(url) as connection:
        codes = connection.execute(
            "SELECT DISTINCT error_code FROM control.run_attempts WHERE error_code IS NOT NULL"
        ).fetchall()
    assert {code for (code,) in codes} <= {"E_STORAGE", "E_LOST", "E_INTERRUPTED"}
    house.down()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA control CASCADE")
