"""The books of a destination: the fence, the entries, and looking into them without touching anything."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import apsw
import pytest

from fetchers.core.errors import ConfigError, Fenced, StorageError
from fetchers.core.load.publish import begin_immediate
from fetchers.core.store import ledger, sql
from fetchers.core.store.ledger import Counts


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data.db'}"


@pytest.fixture
def db(url: str) -> apsw.Connection:
    made = sql.connect(url)
    ledger.prepare(made)
    return made


def close(db: apsw.Connection, run: str = "r") -> None:
    ledger.enter(
        db, run=run, epoch=1, kind="closing", outcome="success", counts=Counts(read=3, added=3),
        details={"partitions": {"planned": 1}, "records": {"faculty": 3}},
    )  # fmt: skip


def test_a_destination_that_is_not_there_has_no_epoch_and_is_not_made(url: str) -> None:
    assert ledger.destination_epoch(url) == 0
    assert ledger.verdict(url, "r") is None
    assert not sql.path_of(url).exists()


def test_looking_into_a_stranger_changes_no_byte_of_it(url: str) -> None:
    path = sql.path_of(url)
    with sqlite3.connect(path) as stranger:
        stranger.execute("CREATE TABLE theirs (a)")
    stranger.close()
    before = path.read_bytes()
    assert ledger.destination_epoch(url) == 0
    assert ledger.verdict(url, "r") is None
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_looking_waits_for_nobody_who_writes(db: apsw.Connection, url: str) -> None:
    close(db)
    with begin_immediate(db, nullcontext):
        ledger.check_fence(db, 7)
        found: list[object] = []
        looker = threading.Thread(
            target=lambda: found.extend([ledger.destination_epoch(url), ledger.verdict(url, "r")])
        )
        looker.start()
        looker.join(10)
        assert not looker.is_alive(), "it waits for the writer"
    assert found[0] == 0
    assert found[1] == ledger.Closing(Counts(read=3, added=3).to_dict(), {"planned": 1}, {"faculty": 3})


def test_a_file_that_is_no_database_says_so(url: str) -> None:
    sql.path_of(url).write_bytes(b"this is no database at all, but long enough to be one" * 99)
    for look in (lambda: ledger.destination_epoch(url), lambda: ledger.raise_fence(url, 1)):
        with pytest.raises(StorageError) as caught:
            look()
        assert caught.value.params["reason"] == "corrupt"


def test_the_fence_only_rises(url: str) -> None:
    ledger.raise_fence(url, 5)
    ledger.raise_fence(url, 5)
    ledger.raise_fence(url, 7)
    with pytest.raises(Fenced):
        ledger.raise_fence(url, 6)
    assert ledger.destination_epoch(url) == 7


def test_the_same_entry_twice_is_refused(db: apsw.Connection) -> None:
    close(db)
    with pytest.raises(apsw.ConstraintError):
        close(db)


def test_the_first_run_that_has_a_part_counts(db: apsw.Connection) -> None:
    for run, added in (("old", 5), ("new", 1)):
        ledger.enter(
            db,
            run=run,
            epoch=1,
            kind="part",
            outcome="published",
            stream="s",
            part="p",
            counts=Counts(added=added),
        )
    assert ledger.parts_of(db, ["new", "old"])["s", "p"] == ("new", Counts(added=1))
    assert ledger.parts_of(db, []) == {}


@pytest.mark.parametrize("address", ["", "postgresql://u:canary@h/d", "data.db", "sqlite://x", "sqlite:///"])
def test_an_address_that_is_no_sqlite_file_is_refused_without_its_secrets(address: str) -> None:
    with pytest.raises((ConfigError, StorageError)) as caught:
        sql.connect(address)
    assert "canary" not in str(caught.value.to_dict())


# -- transactions -------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_as_such_and_leaves_nothing_half_done(db: apsw.Connection) -> None:
    db.execute("CREATE TABLE t (a)")
    pages = sql.number(db, "PRAGMA page_count")
    db.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(apsw.FullError), begin_immediate(db, nullcontext):
        db.execute("INSERT INTO t VALUES (1)")
        db.executemany("INSERT INTO t VALUES (?)", (("x" * 10_000,) for _ in range(1000)))
    assert not db.in_transaction
    assert sql.number(db, "SELECT count(*) FROM t") == 0
    with begin_immediate(db, nullcontext):
        db.execute("INSERT INTO t VALUES (2)")


def test_an_error_that_ended_the_transaction_is_not_lost_over_the_rollback(db: apsw.Connection) -> None:
    def ends_it() -> None:
        db.execute("ROLLBACK")  # as SQLite does by itself at a full disk or an I/O error
        raise apsw.FullError("full")

    with pytest.raises(apsw.FullError), begin_immediate(db, nullcontext):
        ends_it()


def test_a_commit_that_fails_leaves_no_transaction_open(db: apsw.Connection) -> None:
    db.execute("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    db.execute("CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)")
    db.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(apsw.ConstraintError), begin_immediate(db, nullcontext):
        db.execute("INSERT INTO c VALUES (1)")  # noticed at the commit
    assert not db.in_transaction


def test_a_busy_destination_may_heal_and_a_full_disk_not() -> None:
    may: Callable[[Exception], bool] = lambda error: sql.storage_error(error).to_dict()["retryable"]  # noqa: E731
    assert may(apsw.BusyError())
    assert not may(apsw.FullError())
    assert not may(OSError())
