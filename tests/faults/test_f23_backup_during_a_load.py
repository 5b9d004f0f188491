"""F23: a backup is taken while a sync writes, put back on another machine by the documented commands, and goes on."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from panel import backup
from tests.acceptance.children import wanted
from tests.acceptance.house import House, build_house, until
from tests.acceptance.store import Store
from tests.conftest import Gateway

__all__ = ["build_house"]


def parts(database: Path) -> set[str]:
    """The parts that the ledger of a copy says were published."""
    with closing(sqlite3.connect(database)) as connection:
        return {
            str(part) for (part,) in connection.execute("SELECT part FROM _hamgam_ledger WHERE kind = 'part'")
        }


def published_in(data: Path) -> int:
    try:
        return len(parts(data))
    except sqlite3.OperationalError:
        return 0  # its tables are still being made


def illegal(database: Path, gateway: Gateway, at_least: set[str]) -> list[str]:
    """What is wrong with a copy: each part is there, row by row, as the ledger says, or not at all; none is missing."""
    with closing(sqlite3.connect(database)) as connection:
        said = [text for (text,) in connection.execute("PRAGMA integrity_check")]
    found = [] if said == ["ok"] else [f"integrity: {said[:3]}"]
    published = parts(database)
    found += [f"{part} is missing" for part in sorted(at_least - published)]
    truth = wanted(gateway, "student_terms")
    should = {key: row for key, row in truth.items() if f"campus={key[0]},term={key[1]}" in published}
    if Store(database).table("student_terms") != should:
        found.append("the rows are not those of the published parts")
    return found


@pytest.fixture
def houses(build_house) -> Iterator[tuple[House, House]]:
    """One that syncs, and a fresh machine before the same gateway."""
    house: House = build_house("--size", "small", "--latency", "150")
    (folder := house.instance.parent / "elsewhere").mkdir()
    yield house, House(folder, house.gateway, house.port + 1)


@pytest.mark.slow
def test_f23_a_backup_during_a_load_is_a_legal_state_and_goes_on_elsewhere(
    houses: tuple[House, House], tmp_path: Path
) -> None:
    house, elsewhere = houses
    assert house.cli("migrate").returncode == 0
    loading = subprocess.Popen(
        house.command("sync", "students", "--json"), env=house.environ, stdout=subprocess.DEVNULL
    )
    data = house.instance / "faculty_data.db"
    until(lambda: data.exists() and published_in(data) >= 8, "some published parts")
    published = parts(data)
    done = house.cli("backup")
    assert done.returncode == 0, done.stderr
    assert loading.poll() is None, "the load was over before the backup"
    [taken] = (house.instance / "backups").glob("hamgam-*")
    assert illegal(taken / "data.db", house.gateway, published) == []

    # The negative control: the same check sees what is wrong with `cp`, which leaves out the write-ahead log.
    def cp_fails() -> bool:
        assert loading.poll() is None, "cp made good copies until the load was over; the check proves nothing"
        published = parts(data)
        shutil.copyfile(data, tmp_path / "cp.db")
        try:
            return illegal(tmp_path / "cp.db", house.gateway, published) != []
        except sqlite3.Error:
            return True

    until(cp_fails, "a copy by cp that is not a legal state")

    loading.terminate()
    loading.wait(60)
    assert (restored := elsewhere.cli("restore", str(taken))).returncode == 0, restored.stderr
    # Byte for byte what was in the backup, until somebody works with it.
    assert backup.sha256(elsewhere.instance / "faculty_data.db") == backup.read(taken).files["data.db"]
    looked = elsewhere.cli("doctor", "--json")
    assert [one for one in json.loads(looked.stdout) if one["state"] == "bad"] == []
    code, run = elsewhere.sync("students")
    assert (code, run["status"]) == (0, "success")
    assert elsewhere.data.table("student_terms") == wanted(house.gateway, "student_terms")
    statuses = [
        status for (status,) in elsewhere.rows("panel.db", "SELECT status FROM sync_runs ORDER BY id")
    ]
    assert statuses[-1] == "success" and "running" not in statuses
