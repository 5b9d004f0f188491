"""A backup is taken while a sync writes, put back on another machine, and the work goes on from there."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.house import House, truth, until


def parts(database: Path) -> dict[str, int]:
    """What the ledger of a copy says was published: part -> rows."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(
            "SELECT part, read - rejected - duplicates FROM _hamgam_ledger WHERE kind = 'part'"
        )
        return {str(part): int(rows) for part, rows in found}


def published_in(data: Path) -> int:
    try:
        return len(parts(data))
    except sqlite3.OperationalError:
        return 0  # its tables are still being made


def check(database: Path, at_least: set[str]) -> None:
    """A legal state: each part is there as the ledger says, or not at all; none of `at_least` is missing."""
    published = parts(database)
    assert at_least <= published.keys(), f"{len(at_least - published.keys())} parts are missing"
    with closing(sqlite3.connect(database)) as connection:
        there = connection.execute(
            "SELECT 'campus=' || codePardis || ',term=' || term, count(*) FROM student_terms GROUP BY 1"
        )
        assert {str(part): int(rows) for part, rows in there} == {
            part: n for part, n in published.items() if n
        }
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_a_backup_during_a_load_is_a_legal_state_and_goes_on_elsewhere(
    build_house, tmp_path: Path, free_port: int
) -> None:
    house: House = build_house("--size", "small", "--latency", "150")
    assert house.cli("migrate").returncode == 0
    loading = subprocess.Popen(
        house.command("sync", "students", "--json"), env=house.environ, stdout=subprocess.DEVNULL
    )
    data = house.instance / "faculty_data.db"
    until(lambda: data.exists() and published_in(data) >= 8, "some published parts")
    published = set(parts(data))
    done = house.cli("backup")
    assert done.returncode == 0, done.stderr
    assert loading.poll() is None, "the load was over before the backup"
    [taken] = (house.instance / "backups").glob("hamgam-*")
    check(taken / "data.db", published)

    # The negative control: the same check sees what is wrong with `cp`, which leaves out the write-ahead log.
    def cp_fails() -> bool:
        assert loading.poll() is None, "cp made good copies until the load was over; the check proves nothing"
        published = set(parts(data))
        shutil.copyfile(data, tmp_path / "cp.db")
        try:
            check(tmp_path / "cp.db", published)
        except (AssertionError, sqlite3.Error):
            return True
        return False

    until(cp_fails, "a copy by cp that is not a legal state")

    loading.terminate()
    loading.wait(60)
    (tmp_path / "elsewhere").mkdir()
    elsewhere = House(tmp_path / "elsewhere", house.gateway, free_port)
    assert (restored := elsewhere.cli("restore", str(taken))).returncode == 0, restored.stderr
    code, run = elsewhere.sync("students")
    assert (code, run["status"]) == (0, "success")
    assert len(elsewhere.rows("faculty_data.db", "SELECT 1 FROM student_terms")) == len(
        truth(house.gateway, "student_terms")
    )
    statuses = [
        status for (status,) in elsewhere.rows("panel.db", "SELECT status FROM sync_runs ORDER BY id")
    ]
    assert statuses[-1] == "success" and "running" not in statuses
