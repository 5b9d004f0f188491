"""Backups: whole or not there; restoring loses nothing, wherever it is killed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store import sql
from panel import backup, db, restore, seed
from panel.backup import BackupError
from panel.clock import utcnow
from panel.config import ROOT, Config, load
from panel.db import writing
from panel.doctor import examine
from panel.models import DataSync

NOW = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)


@pytest.fixture
def house(instance: Config, control_db: sessionmaker[Session]) -> Config:
    """An installation with a destination, a held part and a key."""
    with closing(sqlite3.connect(str(backup.sqlite_path(instance.data_database_url)))) as data:
        data.execute("PRAGMA journal_mode = WAL")
        data.execute("CREATE TABLE faculty (id INTEGER PRIMARY KEY, family TEXT)")
        data.executemany("INSERT INTO faculty VALUES (?, ?)", [(n, f"محمدی {n}") for n in range(100)])
        data.commit()
    instance.staging.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(instance.staging / "students-1.db")) as held:
        held.execute("CREATE TABLE staged (part TEXT)")
        held.commit()
    return instance


def rows(config: Config) -> int:
    with closing(sqlite3.connect(str(backup.sqlite_path(config.data_database_url)))) as data:
        return int(data.execute("SELECT count(*) FROM faculty").fetchone()[0])


def delete_all(config: Config) -> None:
    with closing(sqlite3.connect(str(backup.sqlite_path(config.data_database_url)))) as data:
        data.execute("DELETE FROM faculty")
        data.commit()


def note(factory: sessionmaker[Session], cron: str) -> None:
    with writing(factory) as session:
        session.execute(update(DataSync).where(DataSync.key == "faculty").values(cron=cron))


def noted(config: Config) -> str | None:
    with db.session_factory(config.panel_database_url)() as session:
        return session.scalar(select(DataSync.cron).where(DataSync.key == "faculty"))


def test_a_backup_holds_all_that_an_installation_is(house: Config) -> None:
    taken = backup.take(house, NOW)
    assert taken.folder == house.backups / "hamgam-20261125T003000Z"
    assert set(taken.files) == {"panel.db", "data.db", "secret.key", "staging/students-1.db"}
    backup.check(taken)
    assert [found.folder for found in backup.finished(house.backups)] == [taken.folder]
    for path in taken.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_restoring_brings_back_the_day_and_moves_the_present_aside(
    house: Config, control_db: sessionmaker[Session]
) -> None:
    note(control_db, "0 1 * * *")
    taken = backup.take(house, NOW)
    note(control_db, "0 2 * * *")
    control_db.kw["bind"].dispose()
    delete_all(house)
    key = (house.instance / "secret.key").read_text()
    aside = restore.restore(house, taken.folder, NOW + timedelta(hours=1))
    assert (rows(house), noted(house)) == (100, "0 1 * * *")
    assert (house.instance / "secret.key").read_text() == key
    assert {path.name for path in aside} >= {
        "panel.db.before-restore-20261125T013000Z", "faculty_data.db.before-restore-20261125T013000Z",
    }  # fmt: skip
    seed.prepare(house)  # it starts


def test_restoring_onto_a_bare_machine(house: Config, tmp_path: Path) -> None:
    taken = backup.take(house, NOW)
    bare = load({"PANEL_INSTANCE": str(tmp_path / "new")})
    restore.restore(bare, taken.folder, NOW)
    assert rows(bare) == 100
    assert (bare.instance / "secret.key").read_text() == (house.instance / "secret.key").read_text()
    assert (bare.staging / "students-1.db").exists()


def test_what_lies_beside_a_database_does_not_meet_the_restored_one(house: Config) -> None:
    """An old write-ahead log applied to a restored file would mix two days."""
    taken = backup.take(house, NOW)
    data = str(backup.sqlite_path(house.data_database_url))
    killed = f"""
import os, signal, sqlite3
c = sqlite3.connect({data!r}); c.execute("PRAGMA wal_autocheckpoint = 0")
c.execute("DELETE FROM faculty WHERE id > 5"); c.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -signal.SIGKILL
    assert Path(f"{data}-wal").stat().st_size > 0
    restore.restore(house, taken.folder, NOW)
    assert rows(house) == 100


# One process imports everything once; each of its forks restores in a copy of its own, and dies one step later.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from panel import restore
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
for name in ("rename", "unlink", "write_text"):
    setattr(Path, name, mortal(getattr(Path, name)))
for number, copy in enumerate(sys.argv[2:], 1):
    if (pid := os.fork()) == 0:
        config = load({"PANEL_INSTANCE": copy})
        left = number
        restore.restore(config, Path(sys.argv[1]), datetime.now(UTC))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def test_killed_at_any_step_it_is_as_it_was_or_says_to_run_it_again(house: Config, tmp_path: Path) -> None:
    taken = backup.take(house, NOW)
    delete_all(house)
    copies = [tmp_path / f"step{step}" for step in range(1, 19)]
    for copy in copies:
        shutil.copytree(house.instance, copy)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(taken.folder), *map(str, copies)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    outcomes = []
    for copy, code in zip(copies, map(int, done.stdout.split()), strict=True):
        config = load({"PANEL_INSTANCE": str(copy)})
        if code == 0:
            assert rows(config) == 100
            continue
        assert code == -signal.SIGKILL
        try:
            restore.refuse_half_restored(copy)
        except restore.HalfRestored as refusal:
            outcomes.append("refused")
            assert str(taken.folder) in str(refusal)
            with pytest.raises(restore.HalfRestored):
                seed.prepare(config)
            restore.restore(config, taken.folder, NOW)
            assert rows(config) == 100
        else:
            outcomes.append("as it was")
            assert rows(config) == 0
    assert set(outcomes) == {"refused", "as it was"} and 6 < len(outcomes) < len(copies), outcomes


def test_a_damaged_backup_is_refused_and_changes_nothing(house: Config) -> None:
    taken = backup.take(house, NOW)
    delete_all(house)
    with (taken.folder / "data.db").open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 40)
    with pytest.raises(BackupError, match="not what it was"):
        restore.restore(house, taken.folder, NOW)
    assert rows(house) == 0
    assert not (house.instance / restore.MARKER).exists()


def test_a_backup_of_a_damaged_database_is_none(house: Config) -> None:
    """And what is there of it goes: nothing stands under the final name."""
    path = backup.sqlite_path(house.data_database_url)
    assert path is not None
    with closing(sqlite3.connect(path)) as data:
        data.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))
    with pytest.raises(BackupError):
        backup.take(house, NOW)
    assert list(house.backups.glob("*")) == []


def test_half_a_backup_is_not_taken_for_one(house: Config) -> None:
    taken = backup.take(house, NOW)
    (taken.folder / "manifest.json").unlink()
    assert backup.finished(house.backups) == []
    with pytest.raises(BackupError, match="no backup"):
        restore.restore(house, taken.folder, NOW)


def test_nothing_is_restored_under_a_running_panel(house: Config) -> None:
    taken = backup.take(house, NOW)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import fcntl, sys; f = open({str(house.instance / 'up.lock')!r}, 'w');"
            "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None and holder.stdout is not None
    try:
        holder.stdout.readline()
        delete_all(house)
        with pytest.raises(BackupError, match="running"):
            restore.restore(house, taken.folder, NOW)
        assert rows(house) == 0
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()
    restore.restore(house, taken.folder, NOW)
    assert rows(house) == 100


def test_old_backups_go_and_the_newest_of_each_day_and_week_stay(house: Config) -> None:
    for days in range(60):
        for hour in (1, 13):
            moment = NOW.replace(hour=hour) - timedelta(days=days)
            folder = house.backups / f"hamgam-{moment:%Y%m%dT%H%M%SZ}"
            folder.mkdir(parents=True)
            (folder / "manifest.json").write_text(
                f'{{"format": 1, "taken_at": "{moment.isoformat()}", "schema": "0001", "files": {{}}}}'
            )
    stranger = house.backups / "mine"
    stranger.mkdir()
    backup.rotate(house.backups, NOW.replace(hour=14), days=7, weeks=4)
    kept = [found.taken_at for found in backup.finished(house.backups)]
    assert kept[:7] == [NOW.replace(hour=13) - timedelta(days=day) for day in range(7)]
    assert 9 <= len(kept) <= 11 and all(moment.hour == 13 for moment in kept)
    assert stranger.exists()


def test_backups_before_migrations_are_kept_apart_the_newest_three(house: Config) -> None:
    """They do not take the place of a day's backup, nor does a nightly rotation remove the way back."""
    ordinary = backup.take(house, NOW - timedelta(days=100))
    made = [backup.take(house, NOW - timedelta(days=90 - day), before="0007") for day in range(5)]
    assert [found.before for found in made] == ["0007"] * 5 and ordinary.before is None
    assert backup.rotate(house.backups, NOW) == [found.folder for found in reversed(made[:2])]
    assert {found.folder for found in backup.finished(house.backups)} == {
        ordinary.folder, *(found.folder for found in made[2:]),
    }  # fmt: skip


def test_a_backup_says_which_schema_it_holds_and_not_which_one_this_version_knows(house: Config) -> None:
    with closing(sqlite3.connect(house.instance / "panel.db")) as control:
        control.execute("UPDATE alembic_version SET version_num = '0001'")
        control.commit()
    assert backup.take(house, NOW).schema == "0001"


def test_two_backups_of_one_second_have_names_of_their_own(house: Config) -> None:
    names = {backup.take(house, NOW).folder.name for _ in range(2)}
    assert names == {"hamgam-20261125T003000Z", "hamgam-20261125T003001Z"}


def test_the_newest_backup_stays_however_old(house: Config) -> None:
    taken = backup.take(house, NOW)
    assert backup.rotate(house.backups, NOW + timedelta(days=900)) == []
    assert taken.folder.exists()


def test_both_databases_on_postgresql(tmp_path: Path, postgres_destination: str) -> None:
    config = load({"PANEL_INSTANCE": str(tmp_path / "i"), "DATA_DATABASE_URL": postgres_destination})
    seed.prepare(config)
    data = sql.connect(postgres_destination)
    data.execute("CREATE TABLE faculty (id INTEGER PRIMARY KEY, family TEXT)")
    data.execute("INSERT INTO faculty VALUES (1, 'رضایی')")
    taken = backup.take(config, NOW)
    assert "data.dump" in taken.files
    data.execute("DELETE FROM faculty")
    data.close()
    restore.restore(config, taken.folder, NOW)
    again = db.open_engine(postgres_destination)
    with again.connect() as connection:
        assert connection.scalar(text("SELECT family FROM faculty")) == "رضایی"
    again.dispose()
    other = load({"PANEL_INSTANCE": str(tmp_path / "j")})
    with pytest.raises(BackupError, match="another kind"):
        restore.restore(other, taken.folder, NOW)


def test_the_doctor_asks_for_a_backup_once_there_is_something_to_lose(
    house: Config, control_db: sessionmaker[Session]
) -> None:
    def about_backups() -> list[tuple[str, str]]:
        return [
            (found.state, found.text)
            for found in examine(house, ask_gateway=False)
            if found.check == "backup"
        ]

    assert about_backups() == []
    with writing(control_db) as session:
        session.execute(update(DataSync).values(last_success_at=NOW))
    [(state, words)] = about_backups()
    assert state == "warn" and "no backup" in words
    backup.take(house, utcnow() - timedelta(days=30))
    assert about_backups() == [("warn", "the newest backup is 30 days old")]
    backup.take(house, utcnow())
    assert about_backups() == [("ok", "the newest backup is 0 days old")]
