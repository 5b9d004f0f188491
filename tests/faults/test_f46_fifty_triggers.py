"""F46. Fifty triggers at once, from the panel, by REST, by command and from the schedule: one run."""

import json
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from panel import runs
from panel.clock import utcnow
from panel.db import writing
from panel.models import ACTIVE, DataSync, SyncRun
from tests.acceptance.house import ROOT, House, until

AT_ONCE = 50


def let_it_be_due(house: House) -> None:
    """The schedule's turn comes just now, as time would bring it."""
    with closing(sqlite3.connect(house.instance / "panel.db", timeout=30)) as db, db:
        db.execute(
            "UPDATE data_syncs SET schedule_kind = 'interval', interval_minutes = 60,"
            " next_run_at = datetime('now', '-1 second') || '.000000' WHERE key = 'students'"
        )


@pytest.mark.slow
def test_f46_fifty_triggers_from_every_door_start_one_run(
    build_house: Callable[..., House], tmp_path: Path
) -> None:
    """One run; all others have joined it."""
    house = build_house("--size", "tiny").up()
    token = house.token()
    browsers = [house.browser() for _ in range(3)]
    # The gateway stands still until every trigger has been answered, so that the run cannot end before.
    house.gateway.process.send_signal(signal.SIGSTOP)
    words = [tmp_path / f"command{number}" for number in range(6)]
    commands = []
    for path in words:
        with path.open("w") as said, path.with_suffix(".json").open("w") as result:
            command = house.command("sync", "students", "--json")
            commands.append(
                subprocess.Popen(command, cwd=ROOT, env=house.environ, stdout=result, stderr=said)
            )
    gate = threading.Barrier(44)

    def by_api(_number: int) -> dict[str, dict[str, int]]:
        gate.wait(120)
        return house.api(token, "syncs/students/runs", {})  # type: ignore[no-any-return]

    def by_panel(number: int) -> None:
        gate.wait(120)
        browsers[number % 3].post("/syncs/students/run")

    def by_schedule() -> None:
        gate.wait(120)
        let_it_be_due(house)

    with ThreadPoolExecutor(44) as pool:
        pressed = [pool.submit(by_panel, number) for number in range(13)]
        called = [pool.submit(by_api, number) for number in range(30)]
        due = pool.submit(by_schedule)
        answers = [job.result(300) for job in called]
        for job in (*pressed, due):
            job.result(300)
    until(lambda: all(path.stat().st_size for path in words), "every command to follow the run", 120)
    until(
        lambda: house.rows("panel.db", "SELECT 1 FROM data_syncs WHERE next_run_at > datetime('now')"),
        "the schedule's turn to be over",
        30,
    )
    house.gateway.process.send_signal(signal.SIGCONT)
    assert [command.wait(120) for command in commands] == [0] * 6
    assert house.rows("panel.db", "SELECT id, status FROM sync_runs") == [(1, "success")]
    assert {answer["run"]["id"] for answer in answers} == {1}
    printed = [json.loads(path.with_suffix(".json").read_text().splitlines()[-1]) for path in words]
    assert {run["id"] for run in printed} == {1}
    # One was first, whichever door it came through: the trail has its request, 49 joined it.
    [(door,)] = house.rows("panel.db", "SELECT triggered_by FROM sync_runs")
    [(requests,)] = house.rows(
        "panel.db", "SELECT count(*) FROM audit_entries WHERE action = 'run_requested'"
    )
    skipped = [reason for (reason,) in house.rows("panel.db", "SELECT reason FROM skipped_ticks")]
    assert (requests, skipped) == ((0, []) if door == "schedule" else (1, ["still_running"]))


def check_then_insert(factory: sessionmaker[Session], sync: DataSync, gate: threading.Barrier) -> bool:
    """What hand-written schedulers do: look whether a run is active, then make one."""
    with factory() as session:
        busy = session.scalar(select(SyncRun.id).where(SyncRun.status.in_(ACTIVE)))
    gate.wait(60)
    if busy is not None:
        return False
    now = utcnow()
    values = {
        "uuid": f"{threading.get_ident():036}",
        "sync_id": sync.id,
        "triggered_by": "api",
        "requested_at": now,
        "not_before": now,
    }
    try:
        with writing(factory) as session:
            session.execute(insert(SyncRun).values(values))
    except IntegrityError:
        return False
    return True


def active(factory: sessionmaker[Session]) -> int:
    with factory() as session:
        count = select(func.count()).select_from(SyncRun).where(SyncRun.status.in_(ACTIVE))
        return session.scalar(count) or 0


def test_f46_looking_before_one_inserts_is_not_enough_and_the_index_is(
    control_db: sessionmaker[Session],
) -> None:
    """The negative control: without the index, fifty who look first start many runs; with it, one."""
    with control_db() as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == "students")).one()

    def fifty(trigger: Callable[[], bool]) -> int:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(job.result(120) for job in [pool.submit(trigger) for _ in range(AT_ONCE)])

    def forget() -> None:
        with writing(control_db) as session:
            session.execute(text("DELETE FROM sync_runs"))

    gate = threading.Barrier(AT_ONCE)
    assert fifty(lambda: check_then_insert(control_db, sync, gate)) == active(control_db) == 1
    forget()
    with writing(control_db) as session:
        [(index,)] = session.execute(
            text("SELECT sql FROM sqlite_master WHERE name = 'ix_sync_runs_one_active'")
        ).all()
        session.execute(text("DROP INDEX ix_sync_runs_one_active"))
    assert fifty(lambda: check_then_insert(control_db, sync, gate)) == active(control_db) > 1
    forget()
    with writing(control_db) as session:
        session.execute(text(index))

    def ask() -> bool:
        gate.wait(60)
        with writing(control_db) as session:
            return not runs.request(session, sync, triggered_by="api", now=utcnow()).joined

    assert fifty(ask) == active(control_db) == 1
