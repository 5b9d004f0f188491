"""The doctor finds what is wrong, each trouble planted here, names the mend, and says nothing about a well house."""

import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import uuid
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store import columns, sql
from panel import backup, machine, settings
from panel.cli import main
from panel.clock import boot_id, boottime, utcnow
from panel.config import Config
from panel.db import writing
from panel.doctor import examine
from panel.engine import heartbeat, roll
from panel.finding import Finding
from panel.models import Campus, DataSync, EngineLease, SyncRun, User
from tests.fetchers.raw_server import RawServer, answer

Factory = sessionmaker[Session]
LOGIN = {"data": {"token": "abc"}}


@pytest.fixture
def server() -> Iterator[RawServer]:
    """A gateway that knows one answer: its login's."""
    made = RawServer()
    made.will(answer(LOGIN, 200, f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}"))
    yield made
    made.close()


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def well(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with room and with zone data of today, whatever the one is that the tests run on."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 0, 1 << 39))
    zoneinfo.reset_tzpath(())
    yield
    zoneinfo.reset_tzpath()


@pytest.fixture
def house(instance: Config, control_db: Factory, server: RawServer, well: None) -> Config:
    """An installation of which there is nothing to say: set up, synced, backed up, with an engine that leads."""
    now = utcnow()
    with writing(control_db) as session:
        session.add(User(username="maryam", password_hash="!", role="admin", active=True, created_at=now))
        session.add(Campus(pardis_code="1110", active=True))
        session.add(
            EngineLease(
                id=1, owner="office|1|2|3", epoch=5, boot_id=boot_id(), until_boottime=boottime() + 600,
                heartbeat_at=now, pid=os.getpid(),
            )
        )  # fmt: skip
        for sync in session.query(DataSync):
            login = {"base_url": server.url, "username": "hamgam", "password": "right", "first_term": "4001"}
            known = {name: value for name, value in login.items() if name in settings.declared(sync)}
            assert not settings.save(sync, known, session, instance, "test").problems
            sync.last_success_at = now
            sync.schedule_kind, sync.interval_minutes = "interval", 60
    data = sql.connect(instance.data_database_url)
    columns.prepare(data, [])
    data.close()
    backup.take(instance, now)
    return instance


def troubles(config: Config, **options: Any) -> list[Finding]:
    return [found for found in examine(config, **{"ask_gateway": False, **options}) if found.state != "ok"]


def the_one(config: Config, check: str, **options: Any) -> Finding:
    """The only trouble there is, of this kind; it names a mend."""
    [found] = troubles(config, **options)
    assert found.check == check and found.todo, found
    return found


def path_of(url: str) -> Path:
    path = backup.sqlite_path(url)
    assert path is not None
    return path


def test_a_well_house_has_no_troubles(house: Config) -> None:
    assert troubles(house, ask_gateway=True) == []
    checks = [found.check for found in examine(house, ask_gateway=False)]
    assert {"rights", "disk", "clock", "zones", "control", "data", "engine", "stuck", "backup"} <= set(checks)


# -- databases --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "variable"), [("control", "panel_database_url"), ("data", "data_database_url")]
)
def test_a_damaged_database_is_found_wherever_the_damage_is(house: Config, check: str, variable: str) -> None:
    path = path_of(getattr(house, variable))
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE filler (id INTEGER PRIMARY KEY, text TEXT)")
        db.executemany("INSERT INTO filler (text) VALUES (?)", (("x" * 500,) for _ in range(100)))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4096)
        file.write(os.urandom(4096))
    found = the_one(house, check)
    assert found.state == "bad" and str(path) in found.text and "restore newest" in found.todo


def test_a_file_that_is_no_database_is_found(house: Config, control_db: Factory) -> None:
    control_db.kw["bind"].dispose()
    path_of(house.panel_database_url).write_bytes(b"\xff" * 8192)
    found = the_one(house, "control")
    assert "not a database" in found.text and "restore newest" in found.todo


def test_a_schema_that_was_not_migrated_is_found(house: Config, control_db: Factory) -> None:
    with writing(control_db) as session:
        session.execute(update(SyncRun).values(status="success"))
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    found = the_one(house, "schema")
    assert "0001" in found.text and "panel migrate" in found.todo


# -- the machine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("megabytes", "state"), [(100, "bad"), (1000, "warn")])
def test_a_disk_that_is_nearly_full_is_found(
    house: Config, monkeypatch: pytest.MonkeyPatch, megabytes: int, state: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 0, megabytes << 20))
    found = the_one(house, "disk")
    assert found.state == state and "Make room" in found.todo


def test_a_disk_without_room_for_the_next_backups_is_found(
    house: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "room_needed", lambda config: 40 << 30)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 0, 50 << 30))
    assert the_one(house, "disk").state == "warn"


def test_a_clock_that_was_never_set_is_found(house: Config) -> None:
    found = next(machine.clock(datetime(1970, 1, 2, tzinfo=UTC)))
    assert found.state == "bad" and "set-ntp" in found.todo


def test_a_clock_that_differs_from_the_gateways_is_found(house: Config, server: RawServer) -> None:
    then = datetime.now(UTC) + timedelta(hours=2)
    server.will(answer(LOGIN, 200, f"Date: {format_datetime(then, usegmt=True)}"))
    found = the_one(house, "gateway_clock", ask_gateway=True)
    assert found.state == "bad" and "ahead of" in found.text and "set-ntp" in found.todo


@pytest.mark.parametrize(
    ("seconds", "state"), [(59, "ok"), (-61, "warn"), (601, "bad"), (-7200, "bad"), (None, None)]
)
def test_a_difference_of_a_minute_warns_and_one_of_ten_is_bad(
    seconds: float | None, state: str | None
) -> None:
    found = list(machine.against_gateway(seconds))
    assert [one.state for one in found] == ([] if state is None else [state])


def test_a_refused_login_still_tells_the_gateways_time(house: Config, server: RawServer) -> None:
    then = datetime.now(UTC) + timedelta(hours=2)
    server.will(answer({"message": "no"}, 401, f"Date: {format_datetime(then, usegmt=True)}"))
    found = {finding.check for finding in troubles(house, ask_gateway=True)}
    assert found == {"gateway", "gateway_clock"}


def old_zone(folder: Path) -> None:
    """Asia/Tehran as it was before 1401, with summer time for ever: a TZif file of version 2 (RFC 8536)."""
    kinds = struct.pack(">lBB", 12600, 0, 0) + b"+0330\0"
    head = b"TZif2" + bytes(15)
    block = struct.pack(">6l", 0, 0, 0, 0, 1, 6) + kinds
    (folder / "Asia").mkdir()
    (folder / "Asia" / "Tehran").write_bytes(
        head + block + head + block + b"\n<+0330>-3:30<+0430>,J79/24,J263/24\n"
    )


@pytest.fixture
def before_1401(tmp_path: Path) -> Iterator[Path]:
    """A machine whose zone data are older than the law of 1401."""
    folder = tmp_path / "zoneinfo"
    folder.mkdir()
    old_zone(folder)
    zoneinfo.reset_tzpath([folder])
    yield folder
    zoneinfo.reset_tzpath(())


def test_zone_data_that_still_have_iranian_summer_time_are_found(house: Config, before_1401: Path) -> None:
    found = the_one(house, "zones")
    assert "summer time" in found.text and "tzdata" in found.todo and "PYTHONTZPATH" in found.todo


def test_hamgams_own_zone_data_are_looked_at_too(
    house: Config, before_1401: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "TEHRAN", zoneinfo.ZoneInfo.no_cache("Asia/Tehran"))
    assert the_one(house, "zones").state == "bad"


def test_a_key_that_others_can_read_is_found(house: Config) -> None:
    (house.instance / "secret.key").chmod(0o640)
    found = the_one(house, "rights")
    assert found.state == "bad" and found.todo == f"chmod 600 {house.instance / 'secret.key'}"


def test_databases_and_backups_that_others_can_read_are_found(house: Config) -> None:
    for path in house.instance.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    panel = path_of(house.panel_database_url)
    panel.chmod(0o644)
    assert troubles(house) == []  # within a closed folder
    house.instance.chmod(0o755)
    found = the_one(house, "rights")
    assert str(panel) in found.text and found.todo == f"chmod go= {house.instance}"
    panel.chmod(0o600)
    taken = next(house.backups.glob("*/panel.db"))
    taken.chmod(0o644)
    assert troubles(house) == []  # its own folder is closed
    for folder in (taken.parent, house.backups):
        folder.chmod(0o755)
    assert str(taken) in the_one(house, "rights").text


def test_an_environment_file_that_everybody_can_read_is_found(house: Config, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("GOLESTAN_PASSWORD=x")
    file.chmod(0o644)
    house = replace(house, environ={**house.environ, "PANEL_ENV_FILE": str(file)})
    assert the_one(house, "rights").todo == f"chmod o= {file}"
    file.chmod(0o640)  # the service's group may
    assert troubles(house) == []


# -- the engine -------------------------------------------------------------------------------------------


def test_that_no_engine_runs_is_found_and_weighs_more_where_a_schedule_waits_for_it(
    house: Config, control_db: Factory
) -> None:
    with writing(control_db) as session:
        session.execute(update(EngineLease).values(owner=None))
    found = the_one(house, "engine")
    assert found.state == "bad" and "systemctl start hamgam" in found.todo
    with writing(control_db) as session:
        session.execute(update(DataSync).values(schedule_kind="off"))
    assert the_one(house, "engine").state == "warn"


def test_an_engine_that_hangs_is_found(house: Config, control_db: Factory) -> None:
    with writing(control_db) as session:
        session.execute(update(EngineLease).values(heartbeat_at=utcnow() - timedelta(seconds=45)))
    found = the_one(house, "engine")
    assert "45 s" in found.text and "restart hamgam" in found.todo


def test_a_second_engine_is_found(house: Config) -> None:
    second = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from panel.engine import roll\n"
            "with roll.signed(Path(sys.argv[1])):\n    print('signed', flush=True); sys.stdin.read()",
            str(house.instance),
        ],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert second.stdin is not None and second.stdout is not None
    try:
        with roll.signed(house.instance):  # the one that leads
            second.stdout.readline()
            found = the_one(house, "engine")
            assert found.state == "warn" and str(second.pid) in found.text
            second.kill()
            second.wait(10)
            assert troubles(house) == []  # the kernel has given its lock back
    finally:
        second.kill()
        second.wait(10)
        second.stdin.close()
        second.stdout.close()
    with roll.signed(house.instance):
        assert [path.name for path in (house.instance / roll.FOLDER).iterdir()] == [str(os.getpid())]


def add_run(factory: Factory, status: str, **values: Any) -> None:
    then = utcnow() - timedelta(hours=1)
    with writing(factory) as session:
        session.add(
            SyncRun(
                **{
                    "uuid": str(uuid.uuid4()), "sync_id": 1, "status": status, "triggered_by": "schedule",
                    "requested_at": then, "not_before": then, "started_at": then, **values,
                }
            )
        )  # fmt: skip


def test_a_run_that_an_earlier_engine_left_behind_is_found(house: Config, control_db: Factory) -> None:
    add_run(control_db, "running", epoch=5)
    assert troubles(house) == []  # the leader's own
    with writing(control_db) as session:
        session.execute(update(SyncRun).values(epoch=4))
    found = the_one(house, "stuck")
    assert found.state == "bad" and "run 1" in found.text and "restart hamgam" in found.todo


def test_a_running_run_without_any_engine_is_found(house: Config, control_db: Factory) -> None:
    add_run(control_db, "running", epoch=5)
    with writing(control_db) as session:
        session.execute(update(EngineLease).values(owner=None))
    assert [found.check for found in troubles(house)] == ["engine", "stuck"]


def test_a_run_that_nobody_starts_is_found(house: Config, control_db: Factory) -> None:
    add_run(control_db, "pending", not_before=utcnow() + timedelta(hours=1))
    assert troubles(house) == []  # it waits for its next attempt
    with writing(control_db) as session:
        session.execute(update(SyncRun).values(not_before=utcnow() - timedelta(minutes=16)))
    assert "run 1" in the_one(house, "stuck").text


def test_what_should_have_happened_and_did_not_is_found(house: Config, control_db: Factory) -> None:
    def of_faculty(**values: object) -> None:
        with writing(control_db) as session:
            session.execute(update(DataSync).where(DataSync.key == "faculty").values(**values))

    of_faculty(next_run_at=utcnow() - timedelta(hours=3))
    assert "faculty: a run was due 3.0 hours ago, and none has begun" in the_one(house, "late").text
    of_faculty(next_run_at=None, data_as_of=utcnow() - timedelta(days=3), fresh_hours=48)
    assert "faculty: the data are as of 3 days ago" in the_one(house, "late").text
    of_faculty(fresh_hours=96)
    assert troubles(house) == []


def test_signs_of_life_that_do_not_arrive_are_found(house: Config) -> None:
    watched = replace(house, heartbeat_url="https://hc.example/secret-of-ours")
    assert "no sign of life was sent to hc.example yet" in the_one(watched, "heartbeat").text

    def arrived(moment: datetime, trouble: str | None) -> None:
        (house.instance / heartbeat.FILE).write_text(
            json.dumps({"at": moment.isoformat(timespec="seconds"), "trouble": trouble})
        )

    arrived(utcnow(), "status 404")
    found = the_one(watched, "heartbeat")
    assert found.text == "the last sign of life did not reach hc.example: status 404"
    assert "secret-of-ours" not in found.text + found.todo
    arrived(utcnow() - timedelta(hours=1), None)
    assert "1.0 hours ago" in the_one(watched, "heartbeat").text
    arrived(utcnow(), None)
    assert troubles(watched) == []


# -- files and backups ------------------------------------------------------------------------------------


def put(path: Path, days: float = 2) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    then = (utcnow() - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))


def of_an_ended_run(house: Config, factory: Factory) -> Path:
    add_run(factory, "failed", uuid="6a1e1b5e-6d35-4e55-9a4c-2f0a3f1f4b11")
    return house.staging / "faculty-6a1e1b5e-6d35-4e55-9a4c-2f0a3f1f4b11.db"


def half_a_backup(house: Config, _factory: Factory) -> Path:
    return house.backups / ".hamgam-20261125T003000Z.unfinished"


def moved_aside(house: Config, _factory: Factory) -> Path:
    return house.instance / "panel.db.before-restore-20261125T013000Z"


@pytest.mark.parametrize("leftover", [of_an_ended_run, half_a_backup, moved_aside])
def test_what_was_left_over_is_found(
    house: Config, control_db: Factory, leftover: Callable[[Config, Factory], Path]
) -> None:
    put(leftover(house, control_db))
    assert the_one(house, "leftovers").state == "warn"


def test_what_waits_for_a_decision_is_no_leftover(house: Config, control_db: Factory) -> None:
    path = of_an_ended_run(house, control_db)
    with writing(control_db) as session:
        session.execute(update(SyncRun).values(uuid=str(uuid.uuid4())))
    add_run(control_db, "held", uuid=path.stem[-36:])
    put(path)
    assert troubles(house) == []


def test_a_backup_that_is_too_old_is_found(house: Config) -> None:
    for path in house.backups.iterdir():
        shutil.rmtree(path)
    backup.take(house, utcnow() - timedelta(days=6, hours=23))
    assert troubles(house) == []
    for path in house.backups.iterdir():
        shutil.rmtree(path)
    backup.take(house, utcnow() - timedelta(days=8))
    found = the_one(house, "backup")
    assert "8 days" in found.text and "panel backup" in found.todo


def test_that_there_is_no_backup_is_found(house: Config) -> None:
    shutil.rmtree(house.backups)
    assert "no backup" in the_one(house, "backup").text


# -- the gateway ------------------------------------------------------------------------------------------


def test_a_gateway_that_does_not_answer_is_found_for_each_source_behind_it(house: Config) -> None:
    nobody = {**house.environ, "GOLESTAN_BASE_URL": "http://127.0.0.1:1"}
    found = troubles(replace(house, environ=nobody), ask_gateway=True)
    assert [one.check for one in found] == ["gateway", "gateway"]
    assert all("accepts connections" in one.text and "support team" in one.todo for one in found)
    assert all("The fault is at the gateway. (our network well, the gateway's name well, connection broken" in one.text
               for one in found)  # fmt: skip


# -- the command ------------------------------------------------------------------------------------------


def test_its_exit_code_says_whether_anything_is_bad_and_json_names_each_look(
    house: Config, control_db: Factory
) -> None:
    def doctor(*options: str) -> Any:
        return CliRunner().invoke(
            main, ["--no-demo", "doctor", "--offline", *options], env={"PANEL_INSTANCE": str(house.instance)}
        )

    assert doctor().exit_code == doctor("--strict").exit_code == 0
    put(house.backups / ".hamgam-20261125T003000Z.unfinished")  # a warning
    assert (doctor().exit_code, doctor("--strict").exit_code) == (0, 1)
    (house.instance / "secret.key").chmod(0o644)
    said = doctor("--json")
    assert said.exit_code == 1
    found = {one["check"]: one for one in json.loads(said.stdout)}
    assert set(found["rights"]) == {"check", "state", "text", "todo"}
    assert (found["rights"]["state"], found["leftovers"]["state"]) == ("bad", "warn")
    assert "chmod 600" in doctor().stdout


def test_it_says_how_much_there_is_of_each(house: Config, control_db: Factory) -> None:
    add_run(control_db, "failed")
    told = "\n".join(found.text for found in examine(house, ask_gateway=False) if found.check == "sizes")
    assert "1 runs since" in told and "lines of the change diary" in told and "backups" in told
