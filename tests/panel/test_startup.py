"""A database that a killed process left half written is no damaged one: SQLite takes back what was not finished."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fetchers.core.store import reading
from panel import destination, startup

# Ends itself amid a transaction whose pages are in the file already, and whose journal can take them back.
KILLED = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE people (name)")
db.executemany("INSERT INTO people VALUES (?)", [("a" * 2000,)] * 400)
db.commit()
db.execute("PRAGMA cache_size = 5")
db.execute("UPDATE people SET name = 'b' || name")
os.kill(os.getpid(), 9)
"""
# Ends itself with all of it in the write-ahead log.
IN_WAL = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA journal_mode = WAL")
db.execute("CREATE TABLE people (name)")
db.executemany("INSERT INTO people VALUES (?)", [("a" * 2000,)] * 400)
db.commit()
os.kill(os.getpid(), 9)
"""
WHOLE = "SELECT count(*), max(substr(name, 1, 1)) FROM people"


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A database as that process left it."""
    path = tmp_path / "left.db"
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)]).returncode == -9
    assert path.with_name("left.db-journal").stat().st_size
    return path


def through_a_page(path: Path) -> tuple[int, str]:
    with destination.reader(f"sqlite:///{path}").connect() as connection:
        found = tuple(connection.exec_driver_sql(WHOLE).one())
    destination.let_go()
    return found


def through_a_reader(path: Path) -> tuple[int, str]:
    there = reading.look_into(f"sqlite:///{path}")
    assert there is not None
    with closing(there):
        return there.execute(WHOLE).fetchone()


@pytest.mark.parametrize("look", [through_a_page, through_a_reader])
def test_it_is_read_as_it_was_before(left: Path, look: Callable[[Path], tuple[int, str]]) -> None:
    assert look(left) == (400, "a")


@pytest.mark.parametrize("check", ["quick_check", "integrity_check"])
def test_it_is_sound(left: Path, check: str) -> None:
    assert startup.damage(left, check) is None
    assert through_a_reader(left) == (400, "a")


def test_nothing_else_is_written_by_who_looks_for_damage(tmp_path: Path) -> None:
    """What is left beside a file in WAL mode is left there: in a damaged file it would make matters worse."""
    path = tmp_path / "left.db"
    assert subprocess.run([sys.executable, "-c", IN_WAL, str(path)]).returncode == -9
    log = path.with_name("left.db-wal")
    before = (path.read_bytes(), log.read_bytes())
    assert startup.damage(path) is None
    assert (path.read_bytes(), log.read_bytes()) == before
    with closing(sqlite3.connect(path)) as db:  # whoever opens it so takes it in when they leave
        assert db.execute(WHOLE).fetchone() == (400, "a")
    assert not log.exists() and path.read_bytes() != before[0]


def test_without_its_journal_half_of_it_is_there_and_a_reader_that_may_not_write_reads_nothing(
    left: Path,
) -> None:
    """That both are told apart here: the file is really half written, and the way it is opened matters."""
    with (
        closing(sqlite3.connect(f"file:{left}?mode=ro", uri=True)) as db,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        db.execute(WHOLE)
    alone = shutil.copy(left, left.with_name("alone.db"))
    with closing(sqlite3.connect(alone)) as db:
        assert db.execute(WHOLE).fetchone() != (400, "a")
