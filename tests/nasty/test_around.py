"""Around the gateway (DOMAIN.md part 3, below the table): lists and settings that are dirty, or that change."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store import ledger
from fetchers.golestan import terms
from panel import runs, settings
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.engine.lease import Lease
from panel.engine.supervise import House, supervise
from panel.models import Campus, DataSync, SyncRun
from tests.fetchers.raw_server import Line, RawServer, Request
from tests.nasty.gateway import PASSWORD, USERNAME, ScriptedGateway, question
from tests.nasty.place import CAMPUSES, OLD_ROWS, Place


@pytest.mark.parametrize("campuses", [[], [""], [1110], ["c00", None], ["c00;c01"]], ids=str)
def test_a_list_of_campuses_that_cannot_be_is_no_success(
    place: Place, gateway: ScriptedGateway, campuses: list[Any]
) -> None:
    before = place.picture()
    outcome = place.sync(campuses=campuses)
    assert (outcome.code, outcome.error["code"]) == (1, "E_CONFIG")
    assert outcome.error["params"]["setting"].startswith("campuses")
    assert gateway.asked == []
    assert place.picture() == before


def test_a_campus_that_is_listed_twice_and_untidily_is_asked_for_once(
    place: Place, gateway: ScriptedGateway
) -> None:
    before = place.picture()
    outcome = place.sync(campuses=["c00 ", "c00", " c01"])
    assert (outcome.code, outcome.last["counts"]["unchanged"]) == (0, 2 * OLD_ROWS)
    assert {one.part for one in gateway.asked} == {"c00", "c01"}
    assert sum(one.page == 1 for one in gateway.asked) == 2
    assert place.picture() == before


Execute = Callable[[], SyncRun]


@pytest.fixture
def execute(
    instance: Config, control_db: sessionmaker[Session], gateway: ScriptedGateway
) -> Iterator[Execute]:
    """Execute a run of the students as the engine does, from its request to its verdict."""
    with writing(control_db) as session:
        session.query(Campus).delete()
        session.add_all([Campus(pardis_code=code, active=True) for code in CAMPUSES[:2]])
        sync = session.scalars(select(DataSync).where(DataSync.key == "students")).one()
        sync.settings = {
            "base_url": gateway.url,
            "username": USERNAME,
            "first_term": terms.newest(utcnow()),
            "connections": 1,
            "requests_per_second": 0,
        }
        sync.secrets = settings.vault(instance).seal({"password": PASSWORD})
    lease = Lease(control_db, instance.data_database_url)
    assert lease.acquire()
    house = House(
        config=instance, factory=control_db, ledger=ledger, safe=lease.safe, stopping=lambda: False, pace=0.05
    )

    def run() -> SyncRun:
        gateway.forget()
        assert lease.epoch is not None
        with writing(control_db) as session:
            sync = session.scalars(select(DataSync).where(DataSync.key == "students")).one()
            asked = runs.request(session, sync, triggered_by="panel", now=utcnow()).run
            runs.claim(session, asked.id, epoch=lease.epoch, now=utcnow())
        supervise(house, asked.id, lease.epoch)
        with control_db() as session:
            return runs.get(session, asked.id)

    yield run
    lease.release()


def test_a_campus_added_and_settings_edited_in_mid_run_count_from_the_next_run_on(
    execute: Execute, control_db: sessionmaker[Session], gateway: ScriptedGateway
) -> None:
    def edit(server: RawServer, request: Request, line: Line) -> bytes:
        with writing(control_db) as session:
            session.add(Campus(pardis_code=CAMPUSES[5], active=True))
            sync = session.scalars(select(DataSync).where(DataSync.key == "students")).one()
            sync.settings = {**sync.settings, "page_size": 20}
        return gateway.honest(question(request))

    gateway.scripts = {CAMPUSES[0]: [edit, None]}
    first = execute()
    assert (first.status, first.added, first.partitions_planned) == ("success", 2 * OLD_ROWS, 2)
    assert {one.part for one in gateway.asked} == set(CAMPUSES[:2])
    assert {one.size for one in gateway.asked} == {1000}
    gateway.scripts = {}
    second = execute()
    assert (second.status, second.added, second.unchanged) == ("success", OLD_ROWS, 2 * OLD_ROWS)
    assert (second.gone, second.partitions_planned) == (0, 3)
    assert {one.part for one in gateway.asked} == {*CAMPUSES[:2], CAMPUSES[5]}
    assert {one.size for one in gateway.asked} == {20}
