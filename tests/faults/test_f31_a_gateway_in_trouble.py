"""F31: 500 three times and then well; 503 for ever; 404 for one part. Runs end, and their attempts stay visible."""

import dataclasses
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.golestan import terms
from panel import gateways
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.engine.supervise import supervise
from panel.models import DataSync, RunPartition, SyncRun
from tests.conftest import ROOT
from tests.faults.one_gateway import HURRY, PARTS, Watched, until, watched
from tests.fetchers.raw_server import answer
from tests.nasty.gateway import PASSWORD, USERNAME
from tests.nasty.place import _WITH
from tests.panel.engine.workshop import Workshop

pytestmark = pytest.mark.slow


@pytest.fixture
def workshop(instance: Config, control_db: sessionmaker[Session]) -> Iterator[Workshop]:
    """A leading engine with real children, whose small questions follow each other quickly."""
    made = Workshop(instance, control_db)
    made.house = dataclasses.replace(made.house, child=(sys.executable, "-c", _WITH % HURRY), cwd=ROOT)
    yield made
    made.lease.release()


@pytest.fixture
def gateway() -> Iterator[Watched]:
    with watched() as made:
        yield made


def asked(workshop: Workshop, gateway: Watched, *, retry_budget: float = 0, **columns: Any) -> SyncRun:
    """A pending run of four parts behind this gateway."""
    term = terms.current(utcnow())
    with writing(workshop.factory) as session:
        sync = session.scalar(select(DataSync).where(DataSync.key == "students"))
        assert sync is not None
        sync.settings = {
            "base_url": gateway.gateway.url,
            "username": USERNAME,
            "password": PASSWORD,
            "campuses": PARTS[:4],
            "first_term": term,
            "requests_per_second": 0,
            "retry_budget": retry_budget,
        }
        for name, value in {"retry_wait_seconds": 0, **columns}.items():
            setattr(sync, name, value)
    return workshop.ask(sync, partitions=[{"term": term}])


def ended(workshop: Workshop, run: SyncRun) -> SyncRun:
    """Attempt after attempt, as the engine starts them, to the end."""
    while run.status == "pending":
        supervise(workshop.house, workshop.claim(run).id, workshop.epoch)
        run = workshop.look(run)
    return run


def attempts(run: SyncRun) -> list[tuple[str | None, int | None]]:
    return [(one.error_code, one.parts_done) for one in run.attempts]


def test_f31_500_three_times_and_then_well_is_a_success_whose_attempts_stay_visible(
    workshop: Workshop, gateway: Watched
) -> None:
    gateway.gateway.scripts = {PARTS[1]: [answer(b"", 500)] * 3 + [None]}
    run = ended(workshop, asked(workshop, gateway, retries=3))
    assert (run.status, run.attempt) == ("success", 4)
    assert attempts(run) == [("E_PARTIAL", 3), ("E_PARTIAL", 0), ("E_PARTIAL", 0), (None, 1)]
    assert (run.partitions_planned, run.partitions_done, run.read) == (4, 4, 9 + 3 * 3)


def test_f31_an_attempt_that_finishes_parts_does_not_use_up_the_attempts(
    workshop: Workshop, gateway: Watched
) -> None:
    """Each attempt gets one part further, and one attempt more is allowed; without progress it would be two."""
    for number, part in enumerate(PARTS[:4]):
        gateway.gateway.scripts[part] = [answer(b"", 500)] * number + [None]
    run = ended(workshop, asked(workshop, gateway, retries=1))
    assert (run.status, attempts(run)) == (
        "success",
        [("E_PARTIAL", 1), ("E_PARTIAL", 1), ("E_PARTIAL", 1), (None, 1)],
    )


def test_f31_503_for_ever_ends_after_so_many_attempts_and_hammers_nobody(
    workshop: Workshop, gateway: Watched
) -> None:
    """Nothing new arrives for longer than the stall deadline: the wait is ordered, and no reason to stop the child."""
    gateway.gateway.scripts = {part: [answer(b"", 503)] for part in PARTS}
    run = ended(workshop, asked(workshop, gateway, retry_budget=8, retries=1, stall_seconds=5))
    codes = {code for code, _ in attempts(run)}
    assert (run.status, run.attempt) == ("failed", 2)
    assert codes <= {"E_SERVER", "E_UNAVAILABLE", "E_PARTIAL"}, "no stall"
    assert len(gateway.seen) < 35


def test_f31_a_run_waits_for_the_gateway_openly_and_goes_on_by_itself(
    workshop: Workshop, gateway: Watched
) -> None:
    gateway.gateway.scripts = {part: [answer(b"", 503)] for part in PARTS}
    run = asked(workshop, gateway, retry_budget=60, retries=0, stall_seconds=5)
    following = threading.Thread(target=lambda: ended(workshop, run))
    following.start()
    waiting = until(
        lambda: (workshop.look(run).waiting or {}).get("reason") == "gateway" and workshop.look(run)
    )
    assert waiting.to_dict()["waiting"]["until"]
    with workshop.factory() as session:
        [lamp] = gateways.gateways(session, workshop.config)
        assert (lamp.light, lamp.lamp.awaited) == ("red", True)
    gateway.gateway.scripts = {}
    following.join(60)
    assert workshop.look(run).status == "success"
    with workshop.factory() as session:
        assert [one.light for one in gateways.gateways(session, workshop.config)] == ["green"]


def test_f31_a_part_that_the_gateway_does_not_know_fails_alone_and_is_asked_once(
    workshop: Workshop, gateway: Watched
) -> None:
    gateway.gateway.scripts = {PARTS[2]: [answer({"title": "Not Found"}, 404)]}
    run = ended(workshop, asked(workshop, gateway, retries=2))
    assert (run.status, run.error_code, run.attempt) == ("failed", "E_PARTIAL", 1)
    assert run.error_params is not None
    [part] = run.error_params["parts"]
    assert PARTS[2] in part
    with workshop.factory() as session:
        failed = session.scalars(select(RunPartition).where(RunPartition.state == "failed")).all()
        assert [(one.part, one.error_code) for one in failed] == [(part, "E_GATEWAY")]
    assert gateway.gateway.times_asked(PARTS[2]) == 1
