"""F19: twenty writers at the control database, and one that holds it for thirty seconds.

What people want to save meanwhile is answered with 503 and when to come back, never with 500; pages can be read; the
engine's lease survives, so no run is declared lost for a late heartbeat.
"""

import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.error import HTTPError

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from panel import db
from panel.config import Config
from tests.acceptance.house import House, ask, until
from tests.web import add_sync, bearer, csrf_token

Rows = sessionmaker[Session]

HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
WRITER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
end = time.monotonic() + float(sys.argv[2])
done = 0
while time.monotonic() < end:
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO storm VALUES (1)")
        db.execute("COMMIT")
        done += 1
    except sqlite3.OperationalError as error:
        assert "locked" in str(error), error
print(done)
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits ten seconds for the database. Before the panel opens it."""
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 200)


@pytest.fixture
def held(impatient: None, web_config: Config, rows: Rows, maryam: FlaskClient) -> Iterator[None]:
    """Maryam is signed in, and another process holds the control database."""
    add_sync(rows)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(web_config.instance / "panel.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    yield
    holder.stdin.close()
    holder.wait(10)
    holder.stdout.close()


@pytest.mark.slow
def test_f19_what_cannot_be_saved_now_says_when_to_come_back(
    rows: Rows, maryam: FlaskClient, client: FlaskClient, request: pytest.FixtureRequest
) -> None:
    token = bearer(rows, "reza")
    request.getfixturevalue("held")
    for path in ("/", "/runs/", "/users/", "/syncs/students/settings"):
        assert maryam.get(path).status_code == 200, path
    assert client.get("/healthz").status_code == 200
    assert client.get("/api/v1/syncs", headers=token).status_code == 200
    sent = {"csrf_token": csrf_token(maryam, "/"), "locale": "en"}
    page = maryam.post("/locale?lang=en", data=sent)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    words = page.get_data(as_text=True)
    assert "The database is busy" in words and "Nothing was changed" in words
    answer = client.post("/api/v1/syncs/students/runs", headers=token, json={})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json["error"]["code"] == "busy"  # type: ignore[index]


@pytest.mark.slow
def test_f19_no_run_is_lost_and_no_page_breaks_in_a_storm_of_writers(
    build_house: Callable[..., House],
) -> None:
    house = build_house("--size", "tiny", "--latency", "3000")
    path = house.instance / "panel.db"
    house.up()
    maryam, token = house.browser(), house.token()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE storm (n)")
    for key in ("students", "faculty"):
        assert house.cli("set", key, "requests_per_second=1").returncode == 0
    run = house.api(token, "syncs/students/runs", {})["run"]["id"]
    until(lambda: house.child(), "a run under way")

    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    began = time.monotonic()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), "45"], stdout=subprocess.PIPE)
        for _ in range(20)
    ]
    answers: Counter[int] = Counter()
    read: Counter[int] = Counter()

    def save() -> None:
        while time.monotonic() - began < 45:
            try:
                maryam.post("/locale", locale="en")
                answers[200] += 1
            except HTTPError as error:
                answers[error.code] += 1
                assert error.code != 503 or int(error.headers["Retry-After"]) > 0

    clicks = [threading.Thread(target=save) for _ in range(3)]
    for click in clicks:
        click.start()
    while time.monotonic() - began < 30:
        read[maryam.open("/").status] += 1
        assert ask(f"{house.url}/healthz")["engine"] == "up"
        time.sleep(0.5)
    holder.stdin.close()
    holder.wait(10)
    holder.stdout.close()
    for click in clicks:
        click.join(60)
    written = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    assert sum(written) > 0
    assert set(read) == {200}
    assert answers[503] > 0 and set(answers) <= {200, 503}, answers
    until(lambda: house.run_status(run) not in ("pending", "running"), "the end of the run", 240)
    [(status, attempt, code)] = house.rows(
        "panel.db", f"SELECT status, attempt, error_code FROM sync_runs WHERE id = {run}"
    )
    assert (status, attempt, code) == ("success", 1, None)
    said = (house.instance.parent / "up.log").read_text(encoding="utf-8")
    assert "leadership lost" not in said and "was left behind" not in said
