"""F21: somebody reads the destination for as long as a load lasts, so that its write-ahead log cannot be taken in.

The log grows and the run says so, once; nothing of ours reads like that, however slow whoever takes a file is; and
when the reader is gone, the log is small again.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fetchers.core.store import quality, sql
from tests.nasty.gateway import ScriptedGateway, student
from tests.nasty.place import CAMPUSES, Place, old_rows

MANY = 300
# Here a log of six megabytes is long (SQLite takes one of four in), and half a megabyte of it may stay.
LONG = """
from fetchers.core.load import job
from fetchers.core.store import sql
job.LONG_LOG, sql.LOG_KEPT = 6 << 20, 1 << 19
"""


@pytest.fixture
def path(place: Place, gateway: ScriptedGateway) -> Path:
    """The destination, before a load of several megabytes."""
    for number, campus in enumerate(CAMPUSES):
        more = [student(number * 1000 + 100 + n, campus) for n in range(MANY)]
        gateway.rows[campus] = [*old_rows(campus), *more]
    return sql.path_of(place.url)


def log_of(path: Path) -> int:
    log = path.with_name(f"{path.name}-wal")
    return log.stat().st_size if log.exists() else 0


def test_f21_a_reader_without_end_is_told_once_and_the_log_shrinks_when_it_is_gone(
    place: Place, path: Path, gateway: ScriptedGateway
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM student_terms").fetchone()
        outcome = place.sync(campuses=CAMPUSES, before=LONG)
        assert outcome.code == 0
        assert log_of(path) > 6 << 20, log_of(path)
        [told] = [event for event in outcome.events if "write-ahead log" in event.get("message", "")]
        assert told["level"] == "warning"
        assert "kept the database open" in told["message"] and "Your data are safe" in told["message"]
        assert reader.execute("SELECT count(*) FROM student_terms").fetchone() == (600,), (
            "it sees the day it began"
        )
    with closing(sqlite3.connect(path)) as somebody:  # else the last one out takes the whole log away
        somebody.execute("SELECT 1 FROM faculty").fetchone()
        for campus in CAMPUSES:
            gateway.rows[campus] = [*gateway.rows[campus], student(99, campus, city="قم")]
        again = place.sync(campuses=CAMPUSES, before=LONG)
        assert again.code == 0 and "write-ahead log" not in again.log, "nobody stands in the way: the control"
        assert log_of(path) <= 5 << 20


def test_f21_a_file_that_somebody_takes_slowly_holds_no_view(
    place: Place, path: Path, gateway: ScriptedGateway
) -> None:
    gateway.rows[CAMPUSES[0]] = [student(n, CAMPUSES[0], birthdate="1384/13/45") for n in range(1200)]
    assert place.sync(campuses=CAMPUSES[:1]).code in (0, 3)
    taken = quality.notes(place.url, quality.Wanted(streams=("student_terms",)), 50_000)
    assert next(taken)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as writer:
        writer.execute("CREATE TABLE later (n)")
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, (
            "somebody holds an old view"
        )
        # The control: a look that lasts does.
        with closing(sqlite3.connect(path)) as careless:
            cursor = careless.execute("SELECT * FROM student_terms")
            cursor.fetchone()
            writer.execute("INSERT INTO later VALUES (1)")
            assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 1
    assert len(list(taken)) >= 1199
