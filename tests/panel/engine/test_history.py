"""What the control database forgets, in small batches, and what stays however old it is."""

import os
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store import columns, ledger, sql
from panel import audit, leftovers, runs
from panel.clock import utcnow
from panel.config import Config, Keep
from panel.db import writing
from panel.engine import history, journal
from panel.engine.keeping import forget_what_is_old
from panel.engine.lapse import discard_needless
from panel.engine.worker import Engine, Pace
from panel.models import (
    AuditEntry,
    Base,
    DataSync,
    RunAttempt,
    RunLog,
    RunPartition,
    SkippedTick,
    SyncRun,
)
from tests.panel.engine.workshop import Workshop

AddSync = Callable[..., DataSync]
Factory = sessionmaker[Session]
AddRun = Callable[..., str]
YEAR = 365
ON_SQLITE = pytest.mark.parametrize(
    "database_url", ["sqlite"], indirect=True
)  # the other one would say the same


@pytest.fixture
def sync(add_sync: AddSync) -> DataSync:
    return add_sync("faculty")


@pytest.fixture
def add_run(factory: Factory, sync: DataSync) -> AddRun:
    """A run that ended so many days ago, with an attempt, a part and a line of log: `add_run(200, "failed")`."""

    def add(days: float, status: str = "success", **columns: Any) -> str:
        at = utcnow() - timedelta(days=days)
        name = str(uuid.uuid4())
        with writing(factory) as session:
            run = SyncRun(
                **{
                    "uuid": name, "sync_id": sync.id, "status": status, "triggered_by": "schedule",
                    "requested_at": at, "not_before": at, "started_at": at, "finished_at": at, **columns,
                }
            )  # fmt: skip
            session.add(run)
            session.flush()
            session.add(RunAttempt(run_id=run.id, number=1, epoch=1, started_at=at))
            session.add(RunPartition(run_id=run.id, part="campus=1", position=0))
            session.add(RunLog(run_id=run.id, at=at, level="info", message="hello"))
        return name

    return add


def tidy(workshop: Workshop, go_on: Callable[[], bool] = lambda: True, **options: Any) -> bool:
    return forget_what_is_old(workshop.factory, workshop.config, workshop.epoch, utcnow(), go_on, **options)


def there(factory: Factory) -> set[str]:
    with factory() as session:
        return set(session.scalars(select(SyncRun.uuid)))


def count(factory: Factory, table: type[Base]) -> int:
    with factory() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def number_of(factory: Factory, name: str) -> int:
    with factory() as session:
        return session.scalars(select(SyncRun.id).where(SyncRun.uuid == name)).one()


def tell(url: str, *names: str, at: datetime) -> None:
    """Let the change diary have a line of these runs."""
    db = sql.connect(url)
    columns.prepare(db, [])
    with db:
        for name in names:
            ledger.enter(db, run=name, epoch=0, kind="opening", outcome="plan")
            db.execute("UPDATE _hamgam_ledger SET at = ? WHERE run = ?", (at.isoformat(), name))
            db.execute(
                "INSERT INTO _hamgam_changes (run, stream, part, key, kind, at) VALUES (?, 'faculty', '', '1',"
                " 'added', ?)",
                (name, at.isoformat(timespec="milliseconds")),
            )
    db.close()


def test_an_old_run_goes_with_all_that_belongs_to_it(
    workshop: Workshop, add_run: AddRun, factory: Factory
) -> None:
    add_run(181)
    young = add_run(1)
    assert tidy(workshop)
    assert there(factory) == {young}
    assert [count(factory, table) for table in (RunAttempt, RunPartition, RunLog)] == [1, 1, 1]
    with factory() as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.actor, entry.action) == ("engine", "history_cut")
        assert entry.details == {"runs": 1, "parts": 1, "lines": 1}


def test_log_and_parts_go_before_the_run_whose_counts_stay(
    workshop: Workshop, add_run: AddRun, factory: Factory
) -> None:
    old = add_run(31, read=7)
    add_run(29)
    assert tidy(workshop)
    assert [count(factory, table) for table in (SyncRun, RunAttempt, RunPartition, RunLog)] == [2, 2, 1, 1]
    with factory() as session:
        run = session.get_one(SyncRun, number_of(factory, old))
        assert (run.read, len(run.attempts)) == (7, 1)


def test_the_last_success_and_the_run_that_is_shown_stay_with_their_details(
    workshop: Workshop, add_run: AddRun, factory: Factory, sync: DataSync
) -> None:
    success, shown = add_run(900), add_run(800, "cancelled")
    add_run(850)
    last, number = number_of(factory, shown), number_of(factory, success)
    with writing(factory) as session:
        row = session.get_one(DataSync, sync.id)
        row.last_success_at, row.last_run_id = session.get_one(SyncRun, number).finished_at, last
    assert tidy(workshop)
    assert there(factory) == {success, shown}
    assert count(factory, RunLog) == 2


def test_failures_stay_twice_as_long_and_the_newest_for_ever(
    workshop: Workshop, add_run: AddRun, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FAILURES_KEPT", 2)
    add_run(4 * YEAR, "failed")
    newest = {add_run(3 * YEAR, "failed"), add_run(2 * YEAR, "failed")}
    add_run(200)
    assert tidy(workshop)
    assert there(factory) == newest
    young = {add_run(200, "failed") for _ in range(3)}
    assert tidy(workshop)
    assert there(factory) == young  # and the older two are no longer among the newest


def test_a_run_that_the_diary_tells_of_stays_until_its_lines_go(
    workshop: Workshop, add_run: AddRun, factory: Factory, sync: DataSync
) -> None:
    """It can be undone, so its row is needed."""
    changed, unchanged = add_run(700, added=1), add_run(700)
    url = workshop.config.data_database_url
    tell(url, changed, at=utcnow() - timedelta(days=700))
    assert tidy(workshop)
    assert there(factory) == {changed}
    assert unchanged not in there(factory)
    newer = add_run(300, added=1)
    tell(url, newer, at=utcnow() - timedelta(days=300))
    with writing(factory) as session:
        session.get_one(DataSync, sync.id).diary_days = 365
    assert tidy(workshop)
    assert there(factory) == {newer}


@ON_SQLITE
def test_where_no_diary_can_be_asked_what_changed_something_stays(
    workshop: Workshop, add_run: AddRun, factory: Factory
) -> None:
    changed = add_run(700, gone=3)
    add_run(700)
    assert tidy(workshop)
    assert there(factory) == {changed}


def test_an_undo_stays_as_long_as_what_it_took_back(
    workshop: Workshop, add_run: AddRun, factory: Factory
) -> None:
    """Else that run would look as if it had never been undone."""
    undone = add_run(700, added=1)
    tell(workshop.config.data_database_url, undone, at=utcnow() - timedelta(days=700))
    undo = add_run(690, mode=runs.UNDO, about_run_id=number_of(factory, undone))
    assert tidy(workshop)
    assert there(factory) == {undone, undo}


def test_a_run_that_somebody_just_asked_to_undo_stays(
    workshop: Workshop, add_run: AddRun, factory: Factory
) -> None:
    old = add_run(700)
    asked = add_run(0, "pending", mode=runs.UNDO, about_run_id=number_of(factory, old))
    assert tidy(workshop, beside_runs=True)
    assert there(factory) == {old, asked}


def test_a_hold_stays_until_somebody_decides(workshop: Workshop, add_run: AddRun, factory: Factory) -> None:
    waits = add_run(400, "held")
    add_run(400, "held", decision="rejected")
    assert tidy(workshop)
    assert there(factory) == {waits}
    assert count(factory, RunPartition) == 1


@ON_SQLITE
def test_zero_keeps_for_ever(workshop: Workshop, add_run: AddRun, factory: Factory) -> None:
    add_run(3000)
    workshop.config = replace(workshop.config, keep=Keep(runs=0, details=0, trail=0))
    assert tidy(workshop)
    assert [count(factory, table) for table in (SyncRun, RunAttempt, RunPartition, RunLog)] == [1, 1, 1, 1]


def test_a_clock_that_was_wrong_for_a_day_removes_no_young_run(
    workshop: Workshop, add_run: AddRun, factory: Factory
) -> None:
    """Runs are looked at in the order of their numbers; their own moment decides."""
    young = add_run(2)
    wrong = add_run(4000, "cancelled")
    young_too = add_run(1)
    assert tidy(workshop)
    assert wrong not in there(factory)
    assert there(factory) == {young, young_too}
    assert count(factory, RunLog) == 2


def test_skipped_due_times_and_the_trail_have_their_ends(
    workshop: Workshop, factory: Factory, sync: DataSync
) -> None:
    now = utcnow()
    with writing(factory) as session:
        for days in (1, 179, 181, 500):
            tick = SkippedTick(sync_id=sync.id, due_at=now - timedelta(days=days), reason="still_running")
            session.add(tick)
        for days in (1, 1094, 1096):
            audit.record(session, "maryam", "login").at = now - timedelta(days=days)
    assert tidy(workshop)
    assert count(factory, SkippedTick) == 2
    with factory() as session:
        ages = [
            (now - entry.at).days for entry in session.scalars(select(AuditEntry)) if entry.actor == "maryam"
        ]
    assert sorted(ages) == [1, 1094]


@ON_SQLITE
def test_it_works_in_batches_and_stops_between_them(
    workshop: Workshop, add_run: AddRun, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOOKED_AT", 4)
    monkeypatch.setattr(history, "BATCH_SECONDS", 0.0)
    for _ in range(10):
        add_run(400)
    asked = iter([True] * 6)
    assert not tidy(workshop, go_on=lambda: next(asked, False))
    left = [count(factory, table) for table in (RunPartition, RunLog, SyncRun)]
    assert left[0] == 10 and 0 < left[1] < 10 and left[2] == 10
    assert tidy(workshop)
    assert there(factory) == set()


def test_what_is_always_busy_is_tidied_beside_its_runs(
    workshop: Workshop, add_run: AddRun, factory: Factory
) -> None:
    add_run(400)
    active = add_run(0, "pending")
    assert not tidy(workshop)
    assert count(factory, SyncRun) == 2
    assert tidy(workshop, beside_runs=True)
    assert there(factory) == {active}


def test_a_long_log_is_cut_by_its_size_too(
    workshop: Workshop, add_run: AddRun, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LOG_CHARACTERS", 1000)
    number = number_of(factory, add_run(0, "running", epoch=workshop.epoch))
    for _attempt in (1, 2):  # what the first has written counts for the second
        notes = journal.Journal(factory, number, workshop.epoch, ())
        for _ in range(20):
            notes.line("info", "x" * 90, utcnow())
        notes.flush()
    with factory() as session:
        lines = session.scalars(select(RunLog.message).order_by(RunLog.id)).all()
    assert sum(map(len, lines)) < 1100
    assert lines[-1] == journal.CAPPED and lines.count(journal.CAPPED) == 1


@ON_SQLITE
@pytest.mark.parametrize(("never_idle", "left"), [(3600.0, 2), (0.0, 1)])
def test_an_engine_that_has_not_been_idle_for_a_day_tidies_all_the_same(
    house_config: Config, add_run: AddRun, factory: Factory, never_idle: float, left: int
) -> None:
    add_run(400)
    add_run(0, "running", epoch=1)
    engine = Engine(house_config, pace=Pace(never_idle=never_idle))
    assert engine.lease.acquire()
    engine._busy.add(2)
    engine._tidy()
    assert count(factory, SyncRun) == left
    engine.lease.release()
    engine._database.dispose()


# -- files ------------------------------------------------------------------------------------------------


def put(folder: Path, name: str, days: float = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ("", "-wal"):
        path = folder / f"faculty-{name}.db{ending}"
        path.write_bytes(b"x" * 10)
        then = (utcnow() - timedelta(days=days)).timestamp()
        os.utime(path, (then, then))
    return folder / f"faculty-{name}.db"


@ON_SQLITE
def test_staged_files_go_with_the_run_that_left_them_and_holds_stay(
    workshop: Workshop, add_run: AddRun
) -> None:
    staging = workshop.config.staging
    gone = [put(staging, add_run(0, status)) for status in ("failed", "cancelled", "success")]
    gone.append(put(staging, str(uuid.uuid4()), days=8))  # nobody knows it
    stay = [put(staging, add_run(90, "held"), days=90), put(staging, str(uuid.uuid4()), days=6)]
    strangers = staging / "notes.db"
    strangers.write_text("mine")
    discard_needless(workshop.factory, workshop.config, utcnow())
    assert [path.exists() for path in gone] == [False] * 4
    assert sorted(staging.iterdir()) == sorted([*stay, *(Path(f"{path}-wal") for path in stay), strangers])


@ON_SQLITE
def test_a_file_of_an_active_run_is_no_leftover(
    workshop: Workshop, add_run: AddRun, factory: Factory
) -> None:
    put(workshop.config.staging, add_run(0, "pending"), days=30)
    with factory() as session:
        assert leftovers.of_staging(session, workshop.config, utcnow()) == []


@ON_SQLITE
def test_old_rehearsals_go(workshop: Workshop) -> None:
    folder = workshop.config.instance / "rehearsals"
    old = [put(folder, str(uuid.uuid4()), days=31), put(folder / "staging", str(uuid.uuid4()), days=31)]
    young = put(folder, str(uuid.uuid4()), days=29)
    assert tidy(workshop)
    assert [path.exists() for path in old] == [False, False]
    assert young.exists()
