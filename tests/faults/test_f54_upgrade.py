"""F54: an upgrade with a run in flight, killed midway, or refused: the old schema or the new one, and nothing is lost.

The installation is one that the first complete version left behind (tests/first_version): three people, eleven runs, a
hold that nobody has decided, an undo, a rehearsal, and a run whose engine was killed while it published.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool

from fetchers.core.store import ledger
from panel import backup, held, migrations, restore, runs, seed, undoing
from panel.clock import boot_id, boottime, utcnow
from panel.config import Config
from panel.db import session_factory
from panel.engine.lease import Lease, _owner
from panel.engine.recover import recover
from panel.engine.supervise import House
from panel.models import DataSync, RunAttempt, SyncRun, User
from tests import first_version
from tests.conftest import ROOT, Gateway
from tests.faults.killed_migrations import EACH_BY_ITSELF, ONE_TRANSACTION
from tests.first_version.house import Rows, configured, old, rows

__all__ = ["old"]

FIRST = "0004"


def path_of(config: Config) -> Path:
    path = backup.sqlite_path(config.panel_database_url)
    assert path is not None
    return path


def lost(before: Rows, after: Rows) -> list[str]:
    """What was there and is not, or is otherwise: rows of the same order, columns of the same name."""
    found = []
    for table, old_rows in before.items():
        if table == "alembic_version":
            continue
        new_rows = after.get(table, [])
        if len(new_rows) < len(old_rows):
            found.append(f"{table}: {len(old_rows)} rows became {len(new_rows)}")
        for one, other in zip(old_rows, new_rows, strict=False):
            found += [f"{table}.{name}: {one[name]!r}" for name in one if other.get(name) != one[name]]
    return found


def schema(path: Path) -> list[tuple[str, ...]]:
    """Every object with its statement, and the number of the schema."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        objects = db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
        return [*objects, db.execute("SELECT version_num FROM alembic_version").fetchone()]


def number_of(config: Config, **columns: Any) -> int:
    """The run with these values."""
    with session_factory(config.panel_database_url)() as session:
        return session.scalars(select(SyncRun.id).filter_by(**columns)).one()


def test_f54_an_upgrade_from_the_first_version_loses_nothing(old: Config) -> None:
    before, data = rows(path_of(old)), (old.instance / "faculty_data.db").read_bytes()
    assert before["alembic_version"] == [{"version_num": FIRST}]
    assert len(before["sync_runs"]) == 11 and len(before["users"]) == 3
    seeded = seed.prepare(old)
    assert seeded.upgraded is not None and seeded.upgraded.before == FIRST
    assert lost(before, rows(path_of(old))) == []
    assert migrations.current(old) == migrations.head()
    assert (old.instance / "faculty_data.db").read_bytes() == data
    with session_factory(old.panel_database_url)() as session:
        waits = session.scalars(select(SyncRun).where(decisions_wait())).one()
        [part] = held.parts(waits, old)
        assert (part.rows_before, part.rows_after) == (62, 2)
        undone = session.get_one(SyncRun, 7)
        assert undoing.is_undone(session, undone)
        assert sorted(session.scalars(select(User.username))) == ["maryam", "reza", "sara"]
        students = session.scalars(select(DataSync).where(DataSync.key == "students")).one()
        assert (students.cron, students.retries) == ("30 2 * * *", 2)


def decisions_wait() -> Any:
    return (SyncRun.status == "held") & SyncRun.decision.is_(None)


def test_f54_the_lost_rows_would_be_seen(old: Config) -> None:
    """The negative control of `lost`."""
    before = rows(path_of(old))
    with closing(sqlite3.connect(path_of(old))) as db:
        db.execute("DELETE FROM audit_entries WHERE id = 3")
        db.execute("UPDATE sync_runs SET added = 0 WHERE id = 4")
        db.commit()
    found = lost(before, rows(path_of(old)))
    assert "audit_entries: 20 rows became 19" in found and "sync_runs.added: 6" in found


def test_f54_a_backup_of_before_exists_and_leads_back(old: Config) -> None:
    before = rows(path_of(old))
    upgraded = migrations.upgrade(old)
    assert upgraded is not None and upgraded.backup is not None
    made = backup.read(upgraded.backup)
    backup.check(made)
    assert (made.schema, made.before) == (FIRST, migrations.head())
    assert {"panel.db", "data.db"} < set(made.files) and any(
        name.startswith("staging/") for name in made.files
    )
    restore.restore(old, made.folder, utcnow())
    assert rows(path_of(old)) == before
    assert migrations.upgrade(old)  # and forward again


def test_f54_without_room_for_the_backup_nothing_is_migrated_unless_a_person_says_so(
    old: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = schema(path_of(old))
    monkeypatch.setattr(backup, "room_needed", lambda config: 1 << 60)
    with pytest.raises(migrations.MigrationError, match="--no-backup") as refused:
        migrations.upgrade(old)
    assert "Make room" in str(refused.value) and len(str(refused.value)) <= 500
    assert schema(path_of(old)) == was
    assert list(old.backups.iterdir()) == []
    upgraded = migrations.upgrade(old, make_backup=False)
    assert upgraded is not None and upgraded.backup is None


def test_f54_while_an_engine_of_the_earlier_version_works_nothing_is_migrated(old: Config) -> None:
    was = schema(path_of(old))
    with closing(sqlite3.connect(path_of(old))) as db:
        db.execute(
            "UPDATE engine_lease SET owner = ?, boot_id = ?, until_boottime = ?, pid = ?",
            (_owner(), boot_id(), boottime() + 60, os.getpid()),
        )
        db.commit()
    with pytest.raises(migrations.MigrationError, match="systemctl stop hamgam"):
        migrations.upgrade(old)
    assert schema(path_of(old)) == was


def test_f54_the_run_in_flight_is_told_truthfully_and_waits_to_go_on(old: Config) -> None:
    seed.prepare(old)
    factory = session_factory(old.panel_database_url)
    run_id = number_of(old, status="running")
    lease = Lease(factory, old.data_database_url)
    assert lease.acquire() and lease.epoch is not None  # the engine that led is of another boot
    house = House(config=old, factory=factory, ledger=ledger, safe=lease.safe, stopping=lambda: False)
    assert recover(house, lease.epoch, frozenset()) == [run_id]
    with factory() as session:
        run = runs.get(session, run_id)
        assert (run.status, run.attempt) == ("pending", 2)
        assert [attempt.error_code for attempt in run.attempts] == ["E_INTERRUPTED"]
        assert runs.tries(session, run).all == 1  # the next one is the first that counts
        assert run.sync.consecutive_failures == 0
    lease.release()
    factory.kw["bind"].dispose()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_f54_with_its_gateway_back_the_run_in_flight_succeeds_and_asks_for_the_rest_alone(
    old: Config, simulator: Any
) -> None:
    from tests.acceptance.house import ask, truth, until

    gateway: Gateway = simulator(*first_version.WORLD)
    for delta in first_version.DELTAS:
        ask(f"{gateway.url}/__sim__/delta", delta)
    run_id = number_of(old, status="running")
    uuid = next(row["uuid"] for row in rows(path_of(old))["sync_runs"] if row["id"] == run_id)
    published = {
        (row["part"])
        for row in rows(old.instance / "faculty_data.db")["_hamgam_ledger"]
        if row["run"] == uuid
    } - {""}
    assert len(published) == 4
    environ = {
        **os.environ, "PANEL_INSTANCE": str(old.instance), "PANEL_SECRET_KEY": first_version.KEY,
        "GOLESTAN_BASE_URL": gateway.url, "PANEL_DEMO": "0",
    }  # fmt: skip
    engine = subprocess.Popen([sys.executable, "-m", "panel", "engine"], cwd=ROOT, env=environ)
    try:
        factory = session_factory(old.panel_database_url)

        def ended() -> bool:
            if migrations.current(old) != migrations.head():
                return False
            with factory() as session:
                return runs.get(session, run_id).status == "success"

        until(ended, "the run in flight to succeed", 600)
        with factory() as session:
            run = runs.get(session, run_id)
            codes = list(
                session.scalars(
                    select(RunAttempt.error_code)
                    .where(RunAttempt.run_id == run_id)
                    .order_by(RunAttempt.number)
                )
            )
            assert codes == ["E_INTERRUPTED", None]
            assert (run.partitions_planned, run.partitions_done) == (12, 12)
            assert session.scalar(select(func.count()).where(decisions_wait())) == 1
    finally:
        engine.terminate()
        assert engine.wait(60) == 0
        factory.kw["bind"].dispose()
    asked = {
        f"campus={one['campus']},term={one['term']}"
        for one in ask(f"{gateway.url}/__sim__/requests")
        if one["endpoint"] == "students"
    }
    assert not asked & published
    data = rows(old.instance / "faculty_data.db")
    key = ("codePardis", "term", "studentnum")
    assert {tuple(row[name] for name in key) for row in data["student_terms"]} == {
        tuple(row[name] for name in key) for row in truth(gateway, "student_terms")
    }


# -- killed midway ----------------------------------------------------------------------------------------


def killed(how: str, deaths: dict[int, Path], **more: str) -> list[int]:
    """Migrate instances, each in a process that is killed at the statement of that number; how each of them ended."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.faults.killed_migrations",
            how,
            *(f"{number}:{path}" for number, path in deaths.items()),
        ],
        cwd=ROOT,
        env={**os.environ, "PANEL_SECRET_KEY": first_version.KEY, **more},
        check=True,
        capture_output=True,
        text=True,
    )
    return [int(code) for code in done.stdout.split()]


def copies(old: Config, folder: Path, numbers: Iterable[int]) -> dict[int, Path]:
    """A copy of the control database for each number."""
    found = {number: folder / f"copy{number}" for number in numbers}
    for copy in found.values():
        copy.mkdir()
        shutil.copy(path_of(old), copy / "panel.db")
    return found


EVERY = range(1, 200)  # more than there are
SOME = (1, 2, 4, 8, 16, 32, 64, 128)


@pytest.fixture
def references(old: Config, tmp_path: Path) -> dict[str, tuple[Any, Rows]]:
    """The two legal ends: schema and rows before, and after a migration that nobody disturbed."""
    [whole] = copies(old, tmp_path, [0]).values()
    before = (schema(path_of(old)), rows(path_of(old)))
    migrations.upgrade(configured(whole), make_backup=False)
    after = (schema(whole / "panel.db"), rows(whole / "panel.db"))
    shutil.rmtree(whole)
    return {"old": before, "new": after}


def end_of(instance: Path, references: dict[str, tuple[Any, Rows]]) -> str:
    found = (schema(instance / "panel.db"), rows(instance / "panel.db"))
    return next((name for name, reference in references.items() if reference == found), "between")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "numbers", [SOME, pytest.param(EVERY, marks=pytest.mark.slow)], ids=["some", "every"]
)
def test_f54_killed_at_any_statement_the_schema_is_the_old_or_the_new_one(
    old: Config, references: dict[str, tuple[Any, Rows]], tmp_path: Path, numbers: Iterable[int]
) -> None:
    instances = copies(old, tmp_path, numbers)
    *deaths, last = killed(ONE_TRANSACTION, instances)
    assert set(deaths) == {-signal.SIGKILL} and last == 0
    assert len(deaths) >= 4
    tried = list(instances.values())[: len(deaths) + 1]
    assert [end_of(instance, references) for instance in tried] == ["old"] * len(deaths) + ["new"]
    # Whatever was left behind: the next start migrates, and everything is there.
    for instance in tried[:-1:3]:
        assert migrations.upgrade(configured(instance), make_backup=False)
        assert end_of(instance, references) == "new"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_f54_the_negative_control_is_caught_between_the_schemas(
    old: Config, references: dict[str, tuple[Any, Rows]], tmp_path: Path
) -> None:
    """A migration whose statements commit one by one, as SQLite's driver does with DDL unless it is told not to."""
    instances = copies(old, tmp_path, EVERY)
    deaths = killed(EACH_BY_ITSELF, instances).count(-signal.SIGKILL)
    ends = [end_of(instance, references) for instance in list(instances.values())[:deaths]]
    assert ends.count("between") >= 2


@pytest.mark.slow
def test_f54_killed_while_it_makes_the_backup_nothing_is_migrated_and_no_half_backup_counts(
    old: Config, tmp_path: Path
) -> None:
    steps = 12
    instances = [tmp_path / f"step{step}" for step in range(steps)]
    for instance in instances:
        shutil.copytree(old.instance, instance)
    script = """
import os, signal, sys
from pathlib import Path
from panel import migrations
from panel.config import load
from panel.engine import lease

left = 0
def mortal(real):
    def step(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return step
for name in ("mkdir", "rename", "chmod", "write_text"):
    setattr(Path, name, mortal(getattr(Path, name)))
for number, instance in enumerate(sys.argv[1:], 1):
    if (pid := os.fork()) == 0:
        config = load({**os.environ, "PANEL_INSTANCE": instance})
        left = number
        migrations.upgrade(config)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, instances)],
        cwd=ROOT,
        env={**os.environ, "PANEL_SECRET_KEY": first_version.KEY},
        check=True,
        capture_output=True,
        text=True,
    )
    codes = [int(code) for code in done.stdout.split()]
    assert codes.count(-signal.SIGKILL) >= 5
    for instance, code in zip(instances, codes, strict=True):
        config = configured(instance)
        for found in backup.finished(config.backups):
            backup.check(found)
        if code:
            assert migrations.current(config) == FIRST
            migrations.upgrade(config)
        assert migrations.current(config) == migrations.head()
        assert not list(config.backups.glob(".hamgam-*"))


@pytest.mark.slow
@pytest.mark.postgres
def test_f54_on_postgresql_a_killed_migration_leaves_the_old_schema(
    tmp_path: Path, postgres_destination: str
) -> None:
    from alembic import command
    from alembic.config import Config as AlembicConfig

    engine = create_engine(postgres_destination, poolclass=NullPool)
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(migrations.HOME))
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, FIRST)
    instance = tmp_path / "instance"
    config = configured(instance, PANEL_DATABASE_URL=postgres_destination)
    codes = killed(
        ONE_TRANSACTION, dict.fromkeys((1, 2, 4, 8), instance), PANEL_DATABASE_URL=postgres_destination
    )
    assert codes == [-signal.SIGKILL] * 4
    assert migrations.current(config) == FIRST
    with psycopg.connect(postgres_destination.replace("+psycopg", "")) as server:
        indexes = server.execute(
            "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'ix_sync_runs%'"
        ).fetchall()
    assert ("ix_sync_runs_about_run_id",) not in indexes
    assert migrations.upgrade(config, make_backup=False)
    assert migrations.current(config) == migrations.head()
    engine.dispose()
