"""F15: the disk of the destination is full, before a run and in the middle of it; then the disk of everything.

The run fails with `E_STORAGE`, says that the disk is full and how many bytes are free, and stores each part wholly or
not at all. The pages can be read meanwhile, what they cannot save is told in a sentence; and with room on the disk the
next run succeeds with no hand work.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from panel import destination, explain
from panel.config import Config, load
from tests.acceptance.house import House, ask, truth, until
from tests.faults.injectors import Disk
from tests.nasty.gateway import ScriptedGateway, student
from tests.nasty.place import CAMPUSES, Outcome, Place
from tests.web import add_sync, bearer, csrf_token, person

Rows = sessionmaker[Session]

MANY = 400  # rows of a campus: about 300 kB with what is kept beside them


def told(outcome: Outcome, reason: str) -> str:
    """The error as a person reads it; with its code, its reason, and short enough."""
    error = outcome.error
    assert (outcome.code, error["code"], error["params"]["reason"]) == (1, "E_STORAGE", reason), error
    words = explain.message(error["code"], error["params"])
    assert len(words) <= 500 and "Your data are safe" in words
    return words


@pytest.fixture
def small(
    disk: Callable[..., Disk], gateway: ScriptedGateway, tmp_path: Path
) -> Iterator[tuple[Disk, Place]]:
    """A destination alone on a disk of 4 MB; every campus has many students."""
    mounted = disk("data")
    for place, campus in enumerate(CAMPUSES):
        gateway.rows[campus] = [student(place * 1000 + n, campus) for n in range(MANY)]
    place = Place(tmp_path, gateway, f"sqlite:///{mounted.path / 'data.db'}")
    yield mounted, place
    place.close()


def stored(place: Place) -> dict[str, int]:
    return dict(place.rows("SELECT codePardis, count(DISTINCT studentnum) FROM student_terms GROUP BY 1"))


def test_f15_a_full_disk_ends_a_run_and_the_next_one_heals(small: tuple[Disk, Place]) -> None:
    disk, place = small
    assert place.sync("faculty").code == place.sync(campuses=CAMPUSES[:1]).code == 0
    before = place.picture()
    disk.fill()
    words = told(outcome := place.sync(campuses=CAMPUSES[:3]), "disk_full")
    assert f"0 MB are free in {disk.path}" in words
    assert outcome.error["params"]["free"] == 0 and not outcome.error["retryable"]
    disk.make_room()
    assert place.picture() == before
    assert place.sync(campuses=CAMPUSES[:3]).code == 0
    assert stored(place) == dict.fromkeys(CAMPUSES[:3], MANY)


@pytest.mark.slow
def test_f15_a_disk_that_fills_up_in_mid_run_keeps_whole_parts(small: tuple[Disk, Place]) -> None:
    disk, place = small
    outcome = place.sync(campuses=CAMPUSES)  # more than 4 MB
    told(outcome, "disk_full")
    done = {campus for campus, (state, _) in outcome.states().items() if state == "done"}
    assert 0 < len(done) < len(CAMPUSES)
    assert stored(place) == dict.fromkeys(done, MANY)
    assert place.value("SELECT count(*) FROM _hamgam_ledger WHERE kind = 'part'") == len(done)
    assert place.value("PRAGMA integrity_check") == "ok"
    disk.grow("32m")
    assert place.sync(campuses=CAMPUSES).code == 0
    assert stored(place) == dict.fromkeys(CAMPUSES, MANY)


# -- pages --------------------------------------------------------------------------------------------------


@pytest.fixture
def web_config(disk: Callable[..., Disk]) -> Iterator[Config]:
    """A whole installation on a disk of 4 MB. Overrides the one of tests/web.py."""
    mounted = disk("instance")
    config = load({"PANEL_INSTANCE": str(mounted.path)})
    yield config
    destination.let_go()


@pytest.fixture
def full(web_config: Config, rows: Rows, maryam: FlaskClient) -> Disk:
    """Maryam is signed in, and then the disk fills up to the last byte."""
    add_sync(rows)
    assert maryam.get("/").status_code == 200
    return filled(web_config)


def filled(config: Config) -> Disk:
    """The disk of an installation, full. A write-ahead log that is there would still have room of its own."""
    with closing(sqlite3.connect(config.instance / "panel.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found = Disk.mounted(config.instance)
    found.fill()
    return found


def test_f15_pages_can_be_read_on_a_full_disk_and_what_cannot_be_saved_is_told(
    full: Disk, rows: Rows, app: Flask, maryam: FlaskClient, client: FlaskClient
) -> None:
    for path in ("/", "/runs/", "/changes/", "/data/faculty", "/users/"):
        assert maryam.get(path).status_code == 200, path
    health = client.get("/healthz")
    assert (health.status_code, health.json["status"]) == (503, "disk_full")  # type: ignore[index]
    for language, words in (("en", "The server’s disk is full"), ("fa", "دیسک سرور پر است")):
        token = csrf_token(maryam, "/")
        answer = maryam.post(f"/locale?lang={language}", data={"csrf_token": token, "locale": language})
        page = answer.get_data(as_text=True)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
        assert words in page and str(full.path) in page and "Traceback" not in page
    stranger = client.post(
        "/login?lang=en", data={"username": "sara", "password": "x", "csrf_token": csrf_token(client)}
    )
    page = stranger.get_data(as_text=True)
    assert stranger.status_code == 503 and "The server’s disk is full" in page
    assert str(full.path) not in page, "where our files are is nothing for strangers"
    full.make_room()
    assert client.get("/healthz").json["status"] == "ok"  # type: ignore[index]
    token = csrf_token(maryam, "/")
    assert maryam.post("/locale", data={"csrf_token": token, "locale": "en"}).status_code == 302
    assert person(rows, "maryam").locale == "en"


def test_f15_a_program_that_only_reads_is_let_in_on_a_full_disk(
    web_config: Config, rows: Rows, app: Flask, client: FlaskClient
) -> None:
    """When its token was used last cannot be noted; that closes no door."""
    add_sync(rows)
    token = bearer(rows, "reza")
    disk = filled(web_config)
    assert client.get("/api/v1/syncs", headers=token).status_code == 200
    answer = client.post("/api/v1/syncs/students/runs", headers=token, json={})
    error = answer.json["error"]  # type: ignore[index]
    assert (answer.status_code, error["code"]) == (503, "disk_full")
    assert f"0 MB are free in {disk.path}" in error["message"] and len(error["message"]) <= 500
    disk.make_room()
    assert client.post("/api/v1/syncs/students/runs", headers=token, json={}).status_code == 202


# -- a whole house ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_f15_a_house_whose_one_disk_is_full_goes_on_by_itself_when_there_is_room(
    build_house: Callable[..., House], disk: Callable[..., Disk]
) -> None:
    """Everything is on it: people, runs, data. The engine lives through it, and what was asked for is done then."""
    house = build_house("--size", "tiny")
    mounted = disk("house0/instance", "12m")
    house.up()
    maryam, token = house.browser(), house.token()
    first = house.api(token, "syncs/faculty/runs", {})["run"]["id"]
    until(lambda: house.run_status(first) == "success", "the first run")
    before = house.data.table("faculty")
    asked = house.api(token, "syncs/students/runs", {})["run"]["id"]
    until(lambda: house.child(), "a run under way")
    mounted.fill()
    began = time.monotonic()
    with pytest.raises(HTTPError) as sick:
        ask(f"{house.url}/healthz")
    assert time.monotonic() - began < 10
    assert (sick.value.code, json.load(sick.value)["status"]) == (503, "disk_full")
    for page in ("/", "/runs/", "/data/faculty"):
        assert maryam.open(page).status == 200
    with pytest.raises(HTTPError) as refused:
        while True:  # a write-ahead log that is there has some room of its own
            house.api(token, "syncs/faculty/runs", {})
    assert (refused.value.code, int(refused.value.headers["Retry-After"])) == (503, 60)
    assert house.data.table("faculty") == before
    until(lambda: not house.child(), "the end of the run that cannot store")
    mounted.make_room()
    until(house.healthy, "an engine that leads", 90)
    until(lambda: house.run_status(asked) in ("success", "failed"), "the verdict", 90)
    if house.run_status(asked) == "failed":
        [(code, words)] = house.rows(
            "panel.db", f"SELECT error_code, error_message FROM sync_runs WHERE id = {asked}"
        )
        assert code == "E_STORAGE" and "disk is full" in words
    for key, table in (("faculty", "faculty"), ("students", "student_terms")):
        code, run = house.sync(key)
        assert (code, run["status"]) == (0, "success"), run
        assert len(house.data.table(table)) == len(truth(house.gateway, table))
    said = (house.instance.parent / "up.log").read_text(encoding="utf-8")
    assert said.count("disk is full") < 100, "it is told, not shouted"
