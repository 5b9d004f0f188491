"""F20: somebody reads, another writer commits, and the first one wants to write in the same transaction.

SQLite refuses that at once, whatever the busy timeout. It occurs nowhere: who will write says so at the start and opens
with BEGIN IMMEDIATE, and a transaction that did not say so cannot write at all. Each test has its negative control:
the same steps the careless way.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store import columns, sql
from fetchers.students import Students
from panel.db import intent_to_write, writing
from panel.models import DataSync
from tests.nasty.gateway import ScriptedGateway
from tests.nasty.place import CAMPUSES, Place

Factory = sessionmaker[Session]


def raise_by_one(session: Session, between: Callable[[], None] = lambda: None) -> None:
    """Read, then write what follows from it, as a status is changed."""
    found = session.scalar(select(func.max(DataSync.retries))) or 0
    between()
    session.execute(update(DataSync).values(retries=found + 1))


def test_f20_two_that_read_and_then_write_both_get_through_and_neither_is_lost(
    control_db: Factory,
) -> None:
    with writing(control_db) as session:
        session.execute(update(DataSync).values(retries=0))
    second = threading.Thread(target=lambda: _write(control_db))

    def another_begins() -> None:
        second.start()
        second.join(0.2)  # it waits for us; were it not to wait, it would have committed by now
        assert second.is_alive()

    with writing(control_db) as session:
        raise_by_one(session, another_begins)
    second.join(30)
    with control_db() as session:
        assert session.scalar(select(func.max(DataSync.retries))) == 2


def _write(factory: Factory) -> None:
    with writing(factory) as session:
        raise_by_one(session)


def test_f20_the_careless_way_is_refused_at_once_however_long_it_may_wait(tmp_path: Path) -> None:
    """The negative control: this is what would happen."""
    path = tmp_path / "careless.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as first:
        first.execute("PRAGMA journal_mode = WAL")
        first.execute("CREATE TABLE t (n)")
        first.execute("BEGIN")
        first.execute("SELECT count(*) FROM t").fetchone()
        with closing(sqlite3.connect(path, isolation_level=None)) as second:
            second.execute("INSERT INTO t VALUES (1)")
        began = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            first.execute("INSERT INTO t VALUES (2)")
        assert time.monotonic() - began < 15


def test_f20_a_transaction_that_did_not_say_that_it_writes_cannot(control_db: Factory) -> None:
    with control_db() as session, pytest.raises(OperationalError, match="readonly"):
        raise_by_one(session)
    with writing(control_db) as session:  # the same connection, from the pool
        raise_by_one(session)
    with intent_to_write(), control_db() as session:
        raise_by_one(session)
        session.commit()
    with control_db() as session, pytest.raises(OperationalError, match="readonly"):
        raise_by_one(session)


@pytest.fixture
def destination(new_place: Place, gateway: ScriptedGateway) -> str:
    """A destination with its tables."""
    assert new_place.sync(campuses=CAMPUSES[:1]).code == 0
    return new_place.url


def test_f20_making_the_tables_ready_is_not_refused_while_another_process_publishes(destination: str) -> None:
    ours, theirs = sql.open_file(destination), sql.open_file(destination)
    theirs.set_busy_timeout(0)
    stream = Students.student_terms.stream  # type: ignore[attr-defined]

    def somebody_publishes(_cursor: Any, statement: str, _values: Any) -> bool:
        if statement.lstrip().startswith("INSERT INTO _hamgam_fence"):  # everything before it only looked
            with suppress(apsw.BusyError):
                theirs.execute("UPDATE _hamgam_fence SET epoch = epoch + 1")
        return True

    ours.exec_trace = somebody_publishes
    columns.prepare(ours, [stream])
    with pytest.raises(apsw.BusyError), ours:  # the careless way: a transaction that reads first
        columns.make(ours, [stream])
    ours.close()
    theirs.close()
