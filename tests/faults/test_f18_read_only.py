"""F18: a disk that becomes read-only in mid-run, as a dying one does.

The run fails with `E_STORAGE` and says so; `/healthz` and the pages show it; and when the disk is writable again, the
next run succeeds with no hand work.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from panel import destination, explain
from panel.config import Config, load
from tests.faults.injectors import FailingDisk
from tests.nasty.gateway import ScriptedGateway
from tests.nasty.place import CAMPUSES, OLD_ROWS, Place
from tests.web import csrf_token


@pytest.mark.slow
def test_f18_a_destination_that_becomes_read_only_in_mid_run_fails_the_run(
    failing_disk: FailingDisk, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    place = Place(tmp_path, gateway, f"sqlite:///{failing_disk.path / 'data.db'}")
    try:
        assert place.sync("faculty").code == place.sync(campuses=CAMPUSES[:2]).code == 0
        before = place.picture()
        asked, go_on = threading.Event(), threading.Event()

        def waits(*_: object) -> bytes:
            asked.set()
            go_on.wait(60)
            return gateway.honest(gateway.asked[-1])

        gateway.scripts = {CAMPUSES[2]: [waits]}
        child = place.start(place.order(campuses=CAMPUSES[2:3]))
        assert asked.wait(60)
        failing_disk.fail()
        go_on.set()
        outcome = place.finish(child)
        error = outcome.error
        assert (outcome.code, error["code"], error["params"]["reason"]) == (1, "E_STORAGE", "read_only"), (
            error
        )
        words = explain.message(error["code"], error["params"])
        assert str(failing_disk.path) in words and "look at the disk" in words and len(words) <= 500
        failing_disk.mend()
        assert place.picture() == before
        gateway.scripts = {}
        assert place.sync(campuses=CAMPUSES[:3]).code == 0
        assert len(place.students(CAMPUSES[2])) == OLD_ROWS
    finally:
        place.close()


@pytest.fixture
def web_config(failing_disk: FailingDisk) -> Iterator[Config]:
    """A whole installation on a disk that can fail. Overrides the one of tests/web.py."""
    config = load({"PANEL_INSTANCE": str(failing_disk.path / "instance")})
    yield config
    destination.let_go()


@pytest.mark.slow
def test_f18_healthz_and_the_pages_show_it(
    failing_disk: FailingDisk,
    web_config: Config,
    rows: sessionmaker[Session],
    app: Flask,
    client: FlaskClient,
    maryam: FlaskClient,
) -> None:
    assert client.get("/healthz").status_code == 200
    failing_disk.fail()
    health = client.get("/healthz")
    assert (health.status_code, health.json["status"]) == (503, "read_only")  # type: ignore[index]
    assert maryam.get("/").status_code == 200, "what is there can be read"
    token = csrf_token(maryam, "/")
    answer = maryam.post("/locale?lang=en", data={"csrf_token": token, "locale": "en"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 503 and "The server’s disk is read-only" in page
    assert str(web_config.instance) in page
