"""Engines as real processes: started, stopped, killed, stood by for."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from apscheduler.executors.pool import ThreadPoolExecutor
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import doorbell, runs
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.engine import lease as leases
from panel.engine import process
from panel.engine.lease import Holder
from panel.engine.worker import Engine, EngineBusy, Pace, execute_here
from panel.models import DataSync, SyncRun
from tests.panel.engine.workshop import STUB, Workshop, as_written, until
from tests.warm import Warm

AddSync = Callable[..., DataSync]
StartEngine = Callable[..., Warm]


@pytest.fixture
def start_engine(house_config: Config, factory: sessionmaker[Session]) -> Iterator[StartEngine]:
    """Start an engine process; at the end of the test none is left."""
    started: list[Warm] = []

    def start(lease: float = 30.0) -> Warm:
        order = (str(house_config.instance), house_config.panel_database_url, str(lease))
        started.append(Warm("tests.panel.engine.engine_process", *order))
        return started[-1]

    yield start
    for engine in started:
        if engine.poll() is None:
            engine.kill()
        engine.wait()


class Office:
    """What people see of the engine: the database."""

    def __init__(self, factory: sessionmaker[Session], config: Config) -> None:
        self.factory = factory
        self.config = config

    def ask(self, sync: DataSync) -> SyncRun:
        with writing(self.factory) as session:
            run = runs.request(session, sync, triggered_by="panel", now=utcnow()).run
        doorbell.ring(self.config.instance)
        return run

    def look(self, run: SyncRun) -> SyncRun:
        with self.factory() as session:
            found = runs.get(session, run.id)
            assert found.attempts is not None
            return found

    def status(self, run: SyncRun) -> str:
        return self.look(run).status

    def working(self, run: SyncRun) -> int:
        """Wait until a child works on it; its number."""
        return until(lambda: self.status(run) == "running" and self.look(run).child_pid, "a child")

    def leader(self) -> Holder | None:
        with self.factory() as session:
            return leases.holder(session)

    def freeze(self, engine: Warm) -> None:
        """Stop an engine outside of any transaction: inside one it would keep the only lock of SQLite."""
        address = self.factory.kw["bind"].url
        for _ in range(50):
            os.kill(engine.pid, signal.SIGSTOP)
            if address.get_backend_name() != "sqlite":
                return
            with (
                suppress(sqlite3.OperationalError),
                closing(sqlite3.connect(address.database, timeout=1)) as db,
            ):
                db.execute("BEGIN IMMEDIATE")
                db.execute("ROLLBACK")
                return
            os.kill(engine.pid, signal.SIGCONT)
            time.sleep(0.05)
        raise AssertionError("the engine writes without end")

    def led_by(self, engine: Warm) -> Holder:
        def leads() -> Holder | None:
            holder = self.leader()
            return holder if holder is not None and holder.pid == engine.pid else None

        return until(leads, "the engine's lead")


@pytest.fixture
def office(factory: sessionmaker[Session], house_config: Config) -> Office:
    return Office(factory, house_config)


def play(*attempts: str, **settings: object) -> dict[str, object]:
    return {"settings": {"play": "", "attempts": list(attempts), **settings}, "retry_wait_seconds": 0}


def test_an_engine_takes_what_waits_and_ends_in_order(
    office: Office, add_sync: AddSync, start_engine: StartEngine
) -> None:
    before = office.ask(add_sync("faculty", **play("success")))
    engine = start_engine()
    until(lambda: office.status(before) == "success", "the run that waited")
    after = office.ask(add_sync("students", **play("success")))
    until(lambda: office.status(after) == "success", "the run that rang")
    engine.terminate()
    assert engine.wait(30) == 0
    assert office.leader() is None
    assert not doorbell.ring(office.config.instance)


def test_more_runs_than_places_all_end(office: Office, add_sync: AddSync, start_engine: StartEngine) -> None:
    waiting = [office.ask(add_sync(f"source{number}", **play("success"))) for number in range(7)]
    start_engine()
    until(lambda: all(office.status(run) == "success" for run in waiting), "seven runs")


def test_a_schedule_starts_runs_by_itself(
    office: Office, add_sync: AddSync, start_engine: StartEngine
) -> None:
    add_sync(**play("success"), schedule_kind="interval", interval_minutes=60, next_run_at=utcnow())
    start_engine()

    def done() -> bool:
        with office.factory() as session:
            run = session.scalars(select(SyncRun)).one_or_none()
            return run is not None and (run.triggered_by, run.status) == ("schedule", "success")

    until(done, "the scheduled run")


def test_cancel_reaches_the_child(office: Office, add_sync: AddSync, start_engine: StartEngine) -> None:
    run = office.ask(add_sync(**play("ignores_term")))
    start_engine()
    office.working(run)
    with writing(office.factory) as session:
        assert runs.cancel(session, run, now=utcnow(), user="Reza")
    until(lambda: office.status(run) == "cancelled", "the end of the run")
    assert process.of_run(run.uuid) == []


def test_a_run_interrupted_by_the_end_of_the_engine_goes_on_after_its_start(
    office: Office, add_sync: AddSync, start_engine: StartEngine
) -> None:
    run = office.ask(add_sync(**play("hang", "success"), retries=0))
    engine = start_engine()
    office.working(run)
    engine.terminate()
    assert engine.wait(30) == 0
    assert process.of_run(run.uuid) == []
    assert (office.status(run), office.look(run).attempts[0].error_code) == ("pending", "E_INTERRUPTED")
    start_engine()
    until(lambda: office.status(run) == "success", "the second attempt")


@pytest.mark.parametrize("name", ["hang", "deaf"])
def test_after_kill_9_of_the_engine_the_next_one_ends_the_child_and_tries_again(
    office: Office, add_sync: AddSync, start_engine: StartEngine, name: str
) -> None:
    run = office.ask(add_sync(**play(name, "success"), retries=1))
    engine = start_engine()
    child = office.working(run)
    engine.kill()
    engine.wait()
    start_engine(lease=600.0)  # it need not wait for the lease of a process that is gone
    until(lambda: office.status(run) == "success", "the second attempt")
    assert office.look(run).child_pid != child
    assert office.look(run).attempts[0].error_code == "E_LOST"
    assert process.of_run(run.uuid) == []


def test_after_kill_9_a_run_that_had_closed_its_books_is_a_success_and_not_done_twice(
    office: Office, add_sync: AddSync, start_engine: StartEngine, tmp_path: Path
) -> None:
    from fetchers.core.store import ledger

    run = office.ask(add_sync(**play("closes_then_hangs", "wrong_password", marks=str(tmp_path))))
    engine = start_engine()
    until(lambda: ledger.verdict(office.config.data_database_url, run.uuid), "the closing entry")
    engine.kill()
    engine.wait()
    start_engine()
    until(lambda: office.status(run) == "success", "the verdict")
    assert office.look(run).attempt == 1
    assert office.look(run).added == 3


def test_one_of_two_engines_leads_and_the_other_takes_over(
    office: Office, add_sync: AddSync, start_engine: StartEngine
) -> None:
    first = start_engine()
    assert office.led_by(first).epoch == 1
    second = start_engine()
    run = office.ask(add_sync(**play("success")))
    until(lambda: office.status(run) == "success", "the run")
    assert office.led_by(first).epoch == 1
    first.kill()
    first.wait()
    assert office.led_by(second).epoch == 2


def test_a_leader_that_hangs_and_comes_back_starts_nothing_and_judges_nothing(
    office: Office, add_sync: AddSync, start_engine: StartEngine
) -> None:
    first = start_engine(lease=3.0)
    office.led_by(first)
    run = office.ask(add_sync(**play("hang", "success"), retries=1))
    office.working(run)
    office.freeze(first)
    second = start_engine(lease=3.0)
    holder = office.led_by(second)
    until(lambda: office.status(run) == "success", "the second attempt")
    os.kill(first.pid, signal.SIGCONT)
    other = office.ask(add_sync("students", **play("success")))
    until(lambda: office.status(other) == "success", "another run")
    assert office.look(other).epoch == holder.epoch
    assert [attempt.epoch for attempt in office.look(run).attempts] == [holder.epoch - 1, holder.epoch]
    assert process.of_run(run.uuid) == []
    first.terminate()
    assert first.wait(30) == 0
    assert office.led_by(second).epoch == holder.epoch


def test_an_attempt_may_begin_while_the_one_before_is_still_ending(
    office: Office, add_sync: AddSync, house_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool of threads learns late that the first is over; the second must not be refused for it."""
    told = ThreadPoolExecutor._run_job_success

    def told_late(self: ThreadPoolExecutor, *ended: object) -> None:
        time.sleep(1)
        told(self, *ended)

    monkeypatch.setattr(ThreadPoolExecutor, "_run_job_success", told_late)
    run = office.ask(add_sync(**play("may_heal", "success"), retries=1))
    pace = Pace(lease=30, renew=0.3, tick=0.2, sweep=0.5, standby=0.2)
    engine = Engine(house_config, pace=pace, child=STUB, grace=2.0, resolve=as_written)
    thread = threading.Thread(target=engine.run_forever)
    thread.start()
    try:
        until(lambda: office.status(run) == "success", "the second attempt")
    finally:
        engine._busy.clear()  # or one that is stuck would never end
        engine.stop()
        thread.join(60)
    assert not thread.is_alive()


def test_a_command_executes_a_run_itself_where_no_engine_leads(
    office: Office, add_sync: AddSync, house_config: Config
) -> None:
    run = office.ask(add_sync(**play("may_heal", "success"), retries=1))
    ended = execute_here(house_config, run.id, child=STUB, resolve=as_written, pace=Pace(renew=0.3))
    assert (ended.status, ended.attempt, ended.to_dict()["sync"]) == ("success", 2, "faculty")
    assert office.leader() is None


def test_a_command_leaves_the_run_to_the_engine_that_leads(
    workshop: Workshop, add_sync: AddSync, house_config: Config
) -> None:
    run = workshop.ask(add_sync(**play("success")))
    with pytest.raises(EngineBusy):
        execute_here(house_config, run.id, child=STUB, resolve=as_written)
    assert workshop.look(run).status == "pending"
