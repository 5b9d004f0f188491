"""move: everything from the SQLite files is in PostgreSQL afterwards, or nothing is."""

import hashlib
import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store.postgres import PostgresDestination
from panel.cli import main
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.engine.lease import Lease
from panel.models import DataSync, SyncRun
from tests.panel import held_run
from tests.panel.admin import example_house
from tests.panel.cli.terminal import Terminal, wait_for

pytestmark = pytest.mark.postgres
NAME = "یوسفی‌نیا «ی»"


def ask(address: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as server:
        cursor = server.execute(statement)  # type: ignore[call-overload]
        return list(cursor) if cursor.description else []


@pytest.fixture
def panel_address(postgres_destination: str) -> str:
    """A second empty database: a schema of its own in the scratch database."""
    ask(postgres_destination, "CREATE SCHEMA control")
    return f"{postgres_destination}?options=-csearch_path%3Dcontrol"


@pytest.fixture(autouse=True)
def swept(postgres_destination: str) -> Any:
    yield
    ask(postgres_destination, "DROP SCHEMA IF EXISTS control CASCADE")


@pytest.fixture
def house(instance: Config, control_db: sessionmaker[Session]) -> Config:
    """An installation with people, ended runs of every kind, and a destination that other hands have been in."""
    example_house.fill_destination(instance.data_database_url)
    number = held_run.stage(control_db, instance, utcnow())
    with writing(control_db) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == "students")).one()
        sync.last_run_id = number
        session.add(
            SyncRun(
                uuid="about", sync_id=sync.id, status="failed", mode="approve", about_run_id=number,
                triggered_by="cli", requested_by=NAME, requested_at=utcnow(), not_before=utcnow(), dry_run=True,
                partitions_wanted=[{"campus": "۱۱۱۰"}], duration_seconds=0.1,
            )
        )  # fmt: skip
    with closing(sqlite3.connect(instance.instance / "faculty_data.db")) as db:
        db.executescript(
            "CREATE TABLE buildings (code TEXT, floor INTEGER, height REAL, plan BLOB, PRIMARY KEY (code, floor));"
            "ALTER TABLE faculty ADD COLUMN nickname TEXT;"
            "CREATE TABLE notes_of_reza (at DATETIME, said VARCHAR(20));"
        )
        db.execute("INSERT INTO buildings VALUES ('007', 2, 0.1, x'00ff')")
        db.execute("INSERT INTO buildings VALUES ('a' || char(0) || 'b', 1, NULL, NULL)")
        db.execute("UPDATE faculty SET nickname = ? WHERE id = 3", (NAME,))
        db.execute(
            "INSERT INTO _hamgam_changes (run, stream, part, key, kind, before, mark, at)"
            " VALUES ('r', 'faculty', '', '3', 'gone', ?, x'0102', 't')",
            (json.dumps({"family": NAME}, ensure_ascii=False),),
        )
        db.commit()
    with closing(sqlite3.connect(instance.instance / "panel.db")) as db:
        db.execute("UPDATE sync_runs SET waiting = 'null' WHERE uuid = 'about'")  # JSON's null is not SQL's
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return instance


def type_(config: Config, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(main, words, env={"PANEL_INSTANCE": str(config.instance), **environ})


def fingerprints(config: Config) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (config.instance / "panel.db", config.instance / "faculty_data.db")
    }


def contents(rows: Any) -> list[str]:
    """Rows of either database, written in one way."""
    return sorted(
        repr(tuple(value.replace("\x00", "\ufffd") if isinstance(value, str) else value for value in row))
        for row in rows
    )


def test_everything_is_there_afterwards_and_the_files_are_as_they_were(
    house: Config, postgres_destination: str, panel_address: str
) -> None:
    before = fingerprints(house)
    answer = type_(house, "move", "--data", postgres_destination, "--panel", panel_address)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == f"DATA_DATABASE_URL={postgres_destination}\nPANEL_DATABASE_URL={panel_address}\n"
    assert "Left behind, since they are not Hamgam's: notes_of_reza" in answer.stderr
    assert "1 rows held a NUL character" in answer.stderr
    assert fingerprints(house) == before

    with closing(sqlite3.connect(house.instance / "faculty_data.db")) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert {"faculty", "student_terms", "Students", "_hamgam_changes", "buildings"} <= tables
        for table in tables - {"notes_of_reza"}:
            cursor = db.execute(f'SELECT * FROM "{table}"')
            names = ", ".join(f'"{column[0]}"' for column in cursor.description)
            moved = ask(postgres_destination, f'SELECT {names} FROM "{table}"')
            assert contents(moved) == contents(cursor), table
    with closing(sqlite3.connect(house.instance / "panel.db")) as db:
        for table in ("data_syncs", "sync_runs", "users", "campuses", "run_attempts"):
            [(then,)] = db.execute(f"SELECT count(*) FROM {table}").fetchall()
            assert ask(panel_address, f"SELECT count(*) FROM {table}") == [(then,)]
        [there] = db.execute(
            "SELECT id, about_run_id, requested_by, partitions_wanted, waiting, error_params, dry_run, duration_seconds"
            " FROM sync_runs WHERE uuid = 'about'"
        ).fetchall()
        [shown] = db.execute("SELECT last_run_id FROM data_syncs WHERE key = 'students'").fetchall()
    [here] = ask(
        panel_address,
        "SELECT id, about_run_id, requested_by, partitions_wanted::text, waiting::text, error_params::text,"
        " dry_run::int, duration_seconds FROM sync_runs WHERE uuid = 'about'",
    )
    assert here == there
    assert here[2] == NAME and here[4] == "null" and here[5] is None
    assert ask(panel_address, "SELECT last_run_id FROM data_syncs WHERE key = 'students'") == [shown]
    assert ask(panel_address, "SELECT action, subject FROM audit_entries ORDER BY id DESC LIMIT 1") == [
        ("databases_moved", "DATA_DATABASE_URL, PANEL_DATABASE_URL")
    ]


def test_what_is_numbered_goes_on_above_what_was_moved(
    house: Config, postgres_destination: str, panel_address: str
) -> None:
    with closing(sqlite3.connect(house.instance / "faculty_data.db")) as db:
        db.execute("UPDATE _hamgam_changes SET id = 4100")
        db.commit()
    assert type_(house, "move", "--data", postgres_destination, "--panel", panel_address).exit_code == 0
    [(number,)] = ask(
        postgres_destination,
        "INSERT INTO _hamgam_changes (run, stream, part, kind, at) VALUES ('r', 's', '', 'gone', 't') RETURNING id",
    )
    assert number == 4101
    environ = {"DATA_DATABASE_URL": postgres_destination, "PANEL_DATABASE_URL": panel_address}
    answer = Terminal(house.instance, environ)("sync", "faculty", "--json")
    run = json.loads(answer.stdout)
    assert (run["error_code"], run["id"]) == ("E_SETTINGS", 3), answer.stderr


def test_only_one_of_the_two_may_be_moved(house: Config, postgres_destination: str) -> None:
    assert type_(house, "move", "--data", postgres_destination).exit_code == 0
    assert ask(postgres_destination, "SELECT count(*) FROM pg_tables WHERE tablename = 'data_syncs'") == [
        (0,)
    ]


def test_a_copy_that_lost_a_row_is_refused(
    house: Config, postgres_destination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = PostgresDestination.copy

    def lossy(self: PostgresDestination, statement: str, rows: Any) -> None:
        everything = list(rows)
        copy(self, statement, everything[1:] if "faculty" in statement else everything)

    monkeypatch.setattr(PostgresDestination, "copy", lossy)
    answer = type_(house, "move", "--data", postgres_destination)
    assert answer.exit_code == 2
    assert "The table faculty is not the same in both places (3 rows read, 2 written)" in answer.stderr
    assert ask(postgres_destination, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_a_database_that_is_not_empty_is_left_alone(house: Config, postgres_destination: str) -> None:
    ask(postgres_destination, "CREATE TABLE grades (id int)")
    answer = type_(house, "move", "--data", postgres_destination)
    assert (answer.exit_code, "not empty (1 tables)" in answer.stderr) == (2, True)
    assert ask(postgres_destination, "SELECT count(*) FROM grades") == [(0,)]


def test_nothing_is_moved_while_an_engine_leads_or_a_run_is_active(
    house: Config, control_db: sessionmaker[Session], postgres_destination: str
) -> None:
    lease = Lease(control_db, house.data_database_url)
    assert lease.acquire()
    answer = type_(house, "move", "--data", postgres_destination)
    assert (answer.exit_code, f"An engine is at work (process {os.getpid()})" in answer.stderr) == (2, True)
    lease.release()
    with writing(control_db) as session:
        session.execute(update(SyncRun).where(SyncRun.uuid == "about").values(error_message=None))
        sync = session.scalars(select(DataSync).where(DataSync.key == "faculty")).one()
        waiting = SyncRun(
            uuid="waits", sync_id=sync.id, status="pending", triggered_by="cli", requested_at=utcnow(),
            not_before=utcnow(),
        )  # fmt: skip
        session.add(waiting)
        session.flush()
        number = waiting.id
    answer = type_(house, "move", "--data", postgres_destination)
    assert (answer.exit_code, f"Runs have not ended ({number})" in answer.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name at least one new database"),
        (("--data", "mysql://reza:geheim7@127.0.0.1/x"), "mysql:// is not known here"),
        (("--data", "sqlite:////tmp/x.db"), "a move leads from SQLite to PostgreSQL"),
        (("--data", "postgresql://reza:geheim7@127.0.0.1:1/x"), "The new database cannot be used"),
        (("--panel", "postgresql://reza:geheim7@127.0.0.1:1/x"), "The new database cannot be used"),
        (("--data", "postgresql://a/x", "--panel", "postgresql://a/x"), "they must be two"),
    ],
)
def test_a_wrong_address_is_a_sentence_without_the_password(
    house: Config, words: tuple[str, ...], sentence: str
) -> None:
    answer = type_(house, "move", *words)
    assert (answer.exit_code, sentence in answer.stderr) == (2, True), answer.output
    assert "geheim7" not in answer.output and "Traceback" not in answer.output


def test_the_demonstration_is_not_moved(tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        main,
        ["--demo", "move", "--data", "postgresql://127.0.0.1/x"],
        env={"PANEL_INSTANCE": str(tmp_path / "new")},
    )
    assert (answer.exit_code, "nothing to move" in answer.stderr) == (2, True)


def test_a_move_that_is_killed_has_done_nothing_and_is_begun_again(
    house: Config, postgres_destination: str, panel_address: str
) -> None:
    with closing(sqlite3.connect(house.instance / "faculty_data.db")) as db:
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
            " INSERT INTO _hamgam_changes (run, stream, part, key, kind, folded, at)"
            " SELECT 'r', 'faculty', '', i, 'added', ?, 't' FROM n",
            (NAME,),
        )
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = fingerprints(house)
    words = ("move", "--data", postgres_destination, "--panel", panel_address)
    terminal = Terminal(house.instance)
    process = terminal.start(*words)
    underway = "SELECT tuples_processed FROM pg_stat_progress_copy WHERE tuples_processed > 100"
    wait_for(lambda: ask(postgres_destination, underway))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    tables = "SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'control')"
    assert ask(postgres_destination, tables) == []
    assert fingerprints(house) == before
    again = terminal(*words)
    assert again.returncode == 0, again.stderr
    assert ask(postgres_destination, "SELECT count(*) FROM _hamgam_changes") == [(30_001,)]
    assert process.returncode == -signal.SIGKILL
