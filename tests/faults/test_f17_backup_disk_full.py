"""F17: the disk of the backups is full. The backup fails loudly, and leaves nothing that could be taken for one."""

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from panel import backup
from panel.clock import utcnow
from panel.config import Config
from tests import first_version
from tests.faults import small_disk
from tests.first_version.house import old

__all__ = ["old"]

LIST = 'find "$FOLDER" -mindepth 1'


@pytest.fixture
def backup_to(require_services: Callable[[str], None]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """`python -m panel backup` while the folder of the backups is a disk of this size; it lists what is left there."""
    if (why := small_disk.unavailable()) is not None:
        require_services(why)

    def run(house: Config, size: str) -> "subprocess.CompletedProcess[str]":
        house.backups.mkdir(exist_ok=True)
        own = {"PANEL_INSTANCE": str(house.instance), "PANEL_SECRET_KEY": first_version.KEY}
        return small_disk.panel(small_disk.SMALL, house.backups, "backup", size=size, then=LIST, **own)

    return run


def test_f17_without_room_there_is_no_backup_and_a_sentence(
    old: Config, backup_to: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    done = backup_to(old, "300k")
    assert done.returncode == 1
    assert "The backup was not made" in done.stderr and "Make room" in done.stderr
    assert "The data are not touched" in done.stderr and len(done.stderr) <= 500
    assert done.stdout == ""  # nothing was made, and nothing is left
    assert backup.finished(old.backups) == []


@pytest.mark.slow
def test_f17_a_disk_that_fills_up_in_the_middle_leaves_no_half_backup(
    old: Config, backup_to: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    """There seems to be room; but what was written last stands beside the file, and the copy has it inside."""
    path = backup.sqlite_path(old.data_database_url)
    assert path is not None
    with closing(sqlite3.connect(path)) as data:
        data.execute("PRAGMA journal_mode = WAL")
        data.execute("PRAGMA wal_autocheckpoint = 0")
        data.execute("CREATE TABLE late (text TEXT)")
        data.executemany("INSERT INTO late VALUES (?)", (("x" * 1000,) for _ in range(3000)))
        data.commit()
        done = backup_to(old, "1500k")
    assert done.returncode == 1
    assert "The backup was not made" in done.stderr and "full" in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_f17_with_room_the_same_backup_is_whole(
    old: Config, backup_to: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    """The control: what fails above fails for want of room alone."""
    done = backup_to(old, "20m")
    assert done.returncode == 0, done.stderr
    assert "manifest.json" in done.stdout and ".unfinished" not in done.stdout


def test_f17_a_folder_elsewhere_takes_the_backup_meanwhile(old: Config, tmp_path: Path) -> None:
    made = backup.take(old, utcnow(), folder=tmp_path / "other disk")
    backup.check(made)
    assert backup.finished(old.backups) == []
