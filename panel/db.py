"""The control database: opening it, and transactions that write.

SQLite has one writer. A transaction that reads first and writes later fails at once when somebody else wrote
in between (SQLITE_BUSY_SNAPSHOT, whatever the busy timeout), so every transaction that will write says so at
its start and opens with BEGIN IMMEDIATE (https://www.sqlite.org/lang_transaction.html). One that did not say so cannot
write at all: a slip fails in the first test, not once a month on somebody's server. The driver's own transaction
handling is off, since Python 3.11's sqlite3 commits DDL behind one's back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

BUSY_TIMEOUT_MS = 10_000
LOG_KEPT = 16 << 20  # bytes of the write-ahead log that may stay on the disk once it has been taken in

_will_write: ContextVar[bool] = ContextVar("will_write", default=False)


@contextmanager
def intent_to_write() -> Iterator[None]:
    """Transactions begun inside open with BEGIN IMMEDIATE on SQLite."""
    token = _will_write.set(True)
    try:
        yield
    finally:
        _will_write.reset(token)


@contextmanager
def only_looking() -> Iterator[None]:
    """Transactions begun inside only read, whatever was intended around: what a failed request still has to show."""
    token = _will_write.set(False)
    try:
        yield
    finally:
        _will_write.reset(token)


def prepare_engine(engine: Engine) -> Engine:
    """Give an engine our pragmas and transaction rules; nothing to do on PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return engine

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL: a status that was committed must survive a power cut (NORMAL may lose the last commits).
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA journal_size_limit = {LOG_KEPT}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        writes = _will_write.get()
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def open_engine(url: str, threads: int = 0) -> Engine:
    """An engine on the control database, for processes without Flask (engine, commands).

    threads: how many may want a connection at once; with few, SQLAlchemy's own number is enough.
    """
    return prepare_engine(create_engine(url, pool_pre_ping=True, max_overflow=max(10, threads)))


def session_factory(url: str) -> sessionmaker[Session]:
    """Sessions on the control database, for processes without Flask."""
    return sessionmaker(open_engine(url), expire_on_commit=False)


@contextmanager
def noting(session: Session) -> Iterator[None]:
    """For a request that only looks and must write something down all the same: a transaction of its own, committed.

    What the session has read so far is read anew when it is asked for.
    """
    session.rollback()
    with intent_to_write():
        yield
        session.commit()


@contextmanager
def writing(factory: sessionmaker[Session]) -> Iterator[Session]:
    """A session whose one transaction writes: committed at the end, rolled back by an exception."""
    with intent_to_write(), factory() as session, session.begin():
        yield session
