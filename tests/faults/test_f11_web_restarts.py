"""F11. gunicorn starts its workers anew in mid-run: on HUP, after so many requests, after a worker's deadline."""

import os
import signal
import sqlite3
from contextlib import closing

import psutil
import pytest

from tests.acceptance.house import ask, until
from tests.faults import oracle
from tests.faults.office import WORLD


def web_workers(house) -> set[int]:
    master = psutil.Process(int((house.instance / "web.pid").read_text()))
    return {worker.pid for worker in master.children()}


def another_set(house, before: set[int]) -> None:
    until(lambda: web_workers(house) and not web_workers(house) & before, "other workers", 60)
    until(house.healthy, "a panel that answers", 30)


def due_now(house, key: str) -> None:
    """Let a schedule come due, as time would."""
    with closing(sqlite3.connect(house.instance / "panel.db", timeout=30)) as db, db:
        db.execute(
            "UPDATE data_syncs SET schedule_kind = 'interval', interval_minutes = 60,"
            " next_run_at = datetime('now', '-1 second') || '.000000' WHERE key = ?",
            (key,),
        )


@pytest.mark.slow
def test_f11_runs_and_schedules_do_not_notice_that_web_workers_start_anew(build_house, record_property):
    """Run and schedule unaffected, no second engine."""
    house = build_house(*WORLD, "--latency", "1500")
    house.environ["GUNICORN_CMD_ARGS"] = "--timeout 8 --max-requests 30 --max-requests-jitter 0"
    house.up()
    engine, before = house.engine().pid, web_workers(house)
    run = house.api(house.token(), "syncs/students/runs", {})["run"]["id"]
    until(house.child, "the run's process")
    child = house.child().pid
    until(
        lambda: ask(f"{house.url}/healthz") and not web_workers(house) & before,
        "thirty requests of each worker",
    )

    before = web_workers(house)
    with oracle.Watch(house) as watch:
        os.kill(int((house.instance / "web.pid").read_text()), signal.SIGHUP)
        another_set(house, before)
    record_property("summary", f"F11: {watch.summary()}")
    assert watch.wrong() == []

    # A view that never answers is a worker that does not say that it lives: its deadline ends it.
    stopped = min(web_workers(house))
    os.kill(stopped, signal.SIGSTOP)
    due_now(house, "faculty")
    until(lambda: stopped not in web_workers(house), "the end of the worker that stands still", 60)

    assert house.engine().pid == engine
    assert house.run_status(run) == "success" or house.child().pid == child
    until(lambda: house.run_status(run) == "success", "the run's success", 180)
    until(
        lambda: (
            house.rows("panel.db", "SELECT status FROM sync_runs WHERE triggered_by = 'schedule'")
            == [("success",)]
        ),
        "the schedule's run",
        60,
    )
    assert house.rows("panel.db", "SELECT epoch FROM engine_lease") == [(1,)]
    assert house.rows("panel.db", "SELECT attempt FROM sync_runs") == [(1,), (1,)]
    assert oracle.verdict(house, {}, oracle.wanted(house), patience=30) == []
