"""The sign of life: what is posted, when all is well, when a person is needed, and when nobody takes it."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from panel import config as configuration
from panel.config import Config, ConfigError
from panel.db import writing
from panel.engine import heartbeat
from panel.engine.heartbeat import Heartbeat, Sign
from panel.models import DataSync, SyncRun
from tests.fetchers.raw_server import RawServer, answer, drip
from tests.panel.engine.workshop import until
from tests.warm import Warm

AddSync = Callable[..., DataSync]
Factory = sessionmaker[Session]
SECRET = "0d3a6ba2-6c1c-4b7e-9d0e-1f7f5b6f4c11"


@pytest.fixture
def watchdog() -> Iterator[RawServer]:
    """Somebody outside who takes signs of life."""
    made = RawServer()
    made.will(answer("OK"))
    yield made
    made.close()


@pytest.fixture
def configured(house_config: Config, tmp_path: Path, watchdog: RawServer) -> Callable[[str], Config]:
    def configured_(path: str) -> Config:
        values = {
            "PANEL_INSTANCE": str(house_config.instance),
            "PANEL_DATABASE_URL": house_config.panel_database_url,
            "PANEL_HEARTBEAT_URL": watchdog.url + path,
        }
        return configuration.load(values, root=tmp_path)

    return configured_


def beat(config: Config, factory: Factory) -> None:
    Heartbeat(config, factory, lambda: True).beat()


def overdue(factory: Factory, key: str) -> None:
    with writing(factory) as session:
        session.execute(
            update(DataSync)
            .where(DataSync.key == key)
            .values(schedule_kind="interval", next_run_at=datetime(2026, 11, 20, 9, tzinfo=UTC))
        )


def test_one_address_is_told_of_everything_that_needs_a_person(
    configured: Callable[[str], Config], factory: Factory, add_sync: AddSync, watchdog: RawServer
) -> None:
    config = configured(f"/ping/{SECRET}?create=1")
    add_sync("faculty")
    students = add_sync("students")
    beat(config, factory)
    overdue(factory, "faculty")
    with writing(factory) as session:
        moment = datetime(2026, 11, 22, tzinfo=UTC)
        session.add(
            SyncRun(
                uuid="u", sync_id=students.id, status="held", triggered_by="cli",
                requested_at=moment, not_before=moment,
            )
        )  # fmt: skip
    beat(config, factory)
    well, ill = watchdog.requests
    assert (well.line, well.body) == (f"POST /ping/{SECRET}?create=1 HTTP/1.1", b"")
    assert ill.path == f"/ping/{SECRET}/fail?create=1"
    assert ill.body.decode().splitlines() == [
        "students: run 1 is held and waits for a decision",
        "faculty: overdue: a run should have begun at 2026-11-20 12:30, and has not",
    ]


def test_an_address_for_each_source_and_one_for_the_engine(
    configured: Callable[[str], Config], factory: Factory, add_sync: AddSync, watchdog: RawServer
) -> None:
    add_sync("faculty")
    add_sync("students")
    overdue(factory, "students")
    beat(configured(f"/{SECRET}/hamgam-{{source}}"), factory)
    assert [request.path for request in watchdog.requests] == [
        f"/{SECRET}/hamgam-engine",
        f"/{SECRET}/hamgam-faculty",
        f"/{SECRET}/hamgam-students/fail",
    ]


def test_an_engine_that_does_not_lead_is_silent(
    configured: Callable[[str], Config], factory: Factory, watchdog: RawServer
) -> None:
    Heartbeat(configured("/x"), factory, lambda: False).beat()
    assert not watchdog.requests


def test_a_sign_that_does_not_arrive_is_sent_again_and_told_once_without_the_address(
    configured: Callable[[str], Config],
    factory: Factory,
    watchdog: RawServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(heartbeat, "PAUSES", (0.0, 0.0))
    config = configured(f"/{SECRET}")
    signs = Heartbeat(config, factory, lambda: True)
    watchdog.will(answer("busy", 503), answer("busy", 503), answer("OK"), answer("no", 500))
    signs.beat()
    assert len(watchdog.requests) == 3
    assert (found := heartbeat.last(config.instance)) and found.trouble is None
    with caplog.at_level(logging.INFO):
        signs.beat()
        signs.beat()
    assert len(watchdog.requests) == 9
    assert (found := heartbeat.last(config.instance)) and found.trouble == "status 500"
    nobody = replace(config, heartbeat_url=f"http://127.0.0.1:1/{SECRET}")
    beat(nobody, factory)
    assert (found := heartbeat.last(config.instance)) and found.trouble == "NewConnectionError"
    told = caplog.text + "".join(capsys.readouterr()) + (config.instance / heartbeat.FILE).read_text()
    assert told.count("did not arrive") == 2, "once for the one watchdog, once for the other"
    assert SECRET not in told and SECRET not in repr(config)


def test_a_watchdog_that_drips_keeps_nobody_for_longer_than_the_deadline(
    configured: Callable[[str], Config],
    factory: Factory,
    watchdog: RawServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "PAUSES", ())
    monkeypatch.setattr(heartbeat, "ALL_SECONDS", 0.5)
    config = configured("/x")
    watchdog.will(drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"))
    beat(config, factory)
    assert (found := heartbeat.last(config.instance)) and found.trouble


def test_a_real_engine_gives_its_sign(
    configured: Callable[[str], Config], factory: Factory, watchdog: RawServer
) -> None:
    config = configured("/from-an-engine")
    order = (str(config.instance), config.panel_database_url, "30", config.heartbeat_url or "")
    engine = Warm("tests.panel.engine.engine_process", *order)
    try:
        until(lambda: watchdog.requests, "a sign of life")
        assert watchdog.requests[0].path == "/from-an-engine"
    finally:
        engine.kill()
        engine.wait()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://hc.example/ping/abc", "https://hc.example/ping/abc/fail"),
        ("https://hc.example/ping/abc/", "https://hc.example/ping/abc/fail"),
        ("https://hc.example/{source}?create=1", "https://hc.example/faculty/fail?create=1"),
    ],
)
def test_where_trouble_is_told(url: str, address: str) -> None:
    assert Sign("faculty", ("it is late",)).address(url) == address


@pytest.mark.parametrize(
    "url", ["hc.example/abc", "ftp://hc.example/abc", "https:///abc", "https://hc.example/{sync}",
            "https://hc.example/a b", "https://hc.example/abc#x", "https://[hc/abc"],
)  # fmt: skip
def test_an_address_that_cannot_work_refuses_the_start_and_is_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PANEL_HEARTBEAT_URL") as refused:
        configuration.load(
            {"PANEL_INSTANCE": str(tmp_path / "instance"), "PANEL_HEARTBEAT_URL": url}, root=tmp_path
        )
    assert url not in str(refused.value)


def test_a_demonstration_tells_nobody(tmp_path: Path) -> None:
    values = {"PANEL_INSTANCE": str(tmp_path / "instance"), "PANEL_HEARTBEAT_URL": "https://hc.example/abc"}
    assert configuration.load(values, root=tmp_path, demo=True).heartbeat_url is None
    assert configuration.load(values, root=tmp_path).heartbeat_url


def test_the_file_is_read_again_or_nothing_is_known(tmp_path: Path) -> None:
    assert heartbeat.last(tmp_path) is None
    (tmp_path / heartbeat.FILE).write_text(json.dumps({"at": "2026-11-22T09:00:00+00:00", "trouble": None}))
    found = heartbeat.last(tmp_path)
    assert found and datetime.fromisoformat(found.at) == datetime(2026, 11, 22, 9, tzinfo=UTC)
    (tmp_path / heartbeat.FILE).write_text("{")
    assert heartbeat.last(tmp_path) is None
