"""Runs that an engine left behind: the ledger says what became of them, and no stranger is harmed."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import update

from panel import clock, runs
from panel.clock import utcnow
from panel.db import writing
from panel.engine import process
from panel.engine.recover import recover
from panel.models import DataSync, SyncRun
from tests.panel.engine.workshop import Workshop

AddSync = Callable[..., DataSync]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    yield sleeper
    sleeper.kill()
    sleeper.wait()


def left_behind(workshop: Workshop, sync: DataSync, **columns: object) -> SyncRun:
    """A run that an earlier leader was executing."""
    run = workshop.claim(workshop.ask(sync))
    with writing(workshop.factory) as session:
        session.execute(
            update(SyncRun).where(SyncRun.id == run.id).values(epoch=workshop.epoch - 1, **columns)
        )
    return workshop.look(run)


def recovered(workshop: Workshop, run: SyncRun) -> SyncRun:
    assert recover(workshop.house, workshop.epoch, frozenset()) == [run.id]
    return workshop.look(run)


def test_a_stranger_with_the_childs_number_is_not_killed(
    workshop: Workshop, add_sync: AddSync, stranger: subprocess.Popen[bytes]
) -> None:
    began = process.started(stranger.pid)
    assert began is not None
    run = left_behind(
        workshop, add_sync(), child_pid=stranger.pid, child_started=began - 1, child_boot_id=clock.boot_id()
    )
    assert recovered(workshop, run).status == "pending"
    assert stranger.poll() is None


def test_a_process_of_an_earlier_boot_is_not_looked_for(
    workshop: Workshop, add_sync: AddSync, stranger: subprocess.Popen[bytes]
) -> None:
    run = left_behind(
        workshop,
        add_sync(retries=0),
        child_pid=stranger.pid,
        child_started=process.started(stranger.pid),
        child_boot_id="an earlier boot",
    )
    run = recovered(workshop, run)
    assert (run.status, run.attempts[0].error_code) == ("pending", "E_INTERRUPTED")
    assert stranger.poll() is None


def test_the_child_itself_is_ended(
    workshop: Workshop, add_sync: AddSync, stranger: subprocess.Popen[bytes]
) -> None:
    run = left_behind(
        workshop,
        add_sync(),
        child_pid=stranger.pid,
        child_started=process.started(stranger.pid),
        child_boot_id=clock.boot_id(),
    )
    recovered(workshop, run)
    assert stranger.wait(30) == -9


def test_without_attempts_left_it_has_failed(workshop: Workshop, add_sync: AddSync) -> None:
    run = left_behind(
        workshop, add_sync(retries=0), child_pid=1, child_started=-1, child_boot_id=clock.boot_id()
    )
    run = recovered(workshop, run)
    assert (run.status, run.error_code) == ("failed", "E_LOST")


def test_a_wish_to_stop_is_granted(workshop: Workshop, add_sync: AddSync) -> None:
    run = left_behind(workshop, add_sync())
    with writing(workshop.factory) as session:
        runs.cancel(session, run, now=utcnow(), user="Reza")
    assert recovered(workshop, run).status == "cancelled"


def test_a_run_that_a_supervisor_follows_is_left_alone(workshop: Workshop, add_sync: AddSync) -> None:
    run = workshop.claim(workshop.ask(add_sync()))
    assert recover(workshop.house, workshop.epoch, frozenset([run.id])) == []
    assert workshop.look(run).status == "running"


def test_a_run_that_cannot_be_judged_now_stays_as_it_is(workshop: Workshop, add_sync: AddSync) -> None:
    from dataclasses import replace

    from fetchers.core.errors import StorageError

    class Unreadable:
        def destination_epoch(self, url: str) -> int:
            return 0

        def raise_fence(self, url: str, epoch: int) -> None:
            return

        def verdict(self, url: str, run: str) -> None:
            raise StorageError("the disk does not answer")

    run = left_behind(workshop, add_sync())
    recover(replace(workshop.house, ledger=Unreadable()), workshop.epoch, frozenset())
    assert workshop.look(run).status == "running"
    assert recovered(workshop, run).status == "pending"
