"""Which engine leads: one row, held for a time, and a number that only grows.

The holder renews its lease; another engine takes over when it ends, with the next epoch. Time is judged by
something that nobody sets: on SQLite, where every engine is on one machine, by seconds since boot and the
boot's id; on PostgreSQL by the database's clock.

The epoch is written into the destination too, before the new leader judges any run: from then on a child of
the former leader cannot publish.
"""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import and_, func, literal, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql.elements import ColumnElement

from fetchers.core.errors import FetchError
from panel import clock
from panel.db import writing
from panel.engine import process
from panel.models import EngineLease

log = structlog.get_logger("engine.lease")


class Fence(Protocol):
    """What the lease needs of the destination's books (fetchers.core.store.ledger)."""

    def destination_epoch(self, url: str) -> int: ...

    def raise_fence(self, url: str, epoch: int) -> None: ...


@dataclass(frozen=True)
class Holder:
    """The engine that leads now."""

    owner: str
    epoch: int
    pid: int | None
    heartbeat_at: datetime | None


def holder(session: Session) -> Holder | None:
    """Who leads; None if nobody does: then runs wait."""
    # By their names: these columns are there since the first schema, and a migration asks before it adds others.
    row = session.execute(
        select(
            EngineLease.owner, EngineLease.epoch, EngineLease.pid, EngineLease.heartbeat_at, EngineLease.boot_id,
            _running_out(session).label("runs_out"),
        ).where(EngineLease.id == 1)
    ).one_or_none()  # fmt: skip
    if row is None or row.owner is None or row.runs_out or _owner_is_gone(row.owner, row.boot_id):
        return None
    return Holder(row.owner, row.epoch, row.pid, row.heartbeat_at)


class Lease:
    """This engine's side of the lease.

    seconds: how long it holds without renewal. A holder that could not renew for two thirds of it is no
    longer `safe` and must stop its children, before another engine may lead.
    """

    def __init__(
        self,
        factory: sessionmaker[Session],
        data_url: str,
        *,
        seconds: float = 60.0,
        fence: Fence | None = None,
        owner: str | None = None,
        boottime: Callable[[], float] = clock.boottime,
    ) -> None:
        if fence is None:
            from fetchers.core.store import ledger  # here: it brings the destination's driver along

            fence = ledger
        self._factory = factory
        self._data_url = data_url
        self._fence = fence
        self._boottime = boottime
        self._renewed = 0.0
        self.seconds = seconds
        self.owner = owner or _owner()
        self.epoch: int | None = None
        self.heard_before: datetime | None = None  # of the engine that led before, by its wall clock

    @property
    def leading(self) -> bool:
        """Whether this engine took the lease and has not noticed losing it."""
        return self.epoch is not None

    def safe(self) -> bool:
        """Whether nobody else can lead yet; else children must not live on."""
        return self.leading and self._boottime() - self._renewed < self.seconds * 2 / 3

    def acquire(self) -> bool:
        """Become the leader, if nobody is.

        1. Look, without writing, whether the lease is free.
        2. Take it by compare-and-set, with an epoch above all that both databases have seen.
        3. Raise the fence in the destination; without it there is no leading.
        """
        with self._factory() as session:
            if holder(session) is not None:
                return False
        try:
            seen = self._fence.destination_epoch(self._data_url)
        except FetchError as error:
            log.error("the destination cannot be read, so no run can start", error=str(error))
            return False
        before = self._boottime()
        epoch = self._take(seen)
        if epoch is None:
            return False
        self._renewed = before
        self.epoch = epoch
        try:
            self._fence.raise_fence(self._data_url, epoch)
        except FetchError as error:
            log.error("the destination cannot be fenced, so no run can start", error=str(error))
            self.release()
            return False
        return True

    def renew(self) -> bool:
        """Hold on. False: the lease is lost. A database that does not answer raises, and is no loss yet."""
        if self.epoch is None:
            return False
        before = self._boottime()  # before the statement: the lease counts from here at the latest
        with writing(self._factory) as session:
            renewed = self._update(session, self._mine(), self._until(session))
        if not renewed:
            log.error("another engine has taken over", owner=self.owner, epoch=self.epoch)
            self.epoch = None
            return False
        self._renewed = before
        return True

    def forget(self) -> None:
        """Stop leading without a word to the database, which may not answer."""
        self.epoch = None

    def release(self) -> None:
        """Give the lease back, so that the next engine need not wait."""
        if self.epoch is None:
            return
        mine = self._mine()
        self.epoch = None
        try:
            with writing(self._factory) as session:
                self._update(
                    session, mine, {"owner": None, "until_boottime": None, "until_at": None, "pid": None}
                )
        except DBAPIError as error:
            log.warning("the lease could not be given back; it ends by itself", error=type(error).__name__)

    def _take(self, destination_epoch: int) -> int | None:
        with writing(self._factory) as session:
            dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
            session.execute(dialect.insert(EngineLease).values(id=1, epoch=0).on_conflict_do_nothing())
            row = session.scalars(select(EngineLease)).one()
            # A database's clock says nothing of this machine's.
            self.heard_before = row.heartbeat_at if dialect is sqlite else None
            epoch = max(row.epoch, destination_epoch) + 1
            free = or_(EngineLease.owner.is_(None), _running_out(session))
            if row.owner is not None and _owner_is_gone(row.owner, row.boot_id):
                free = or_(free, EngineLease.owner == row.owner)
            values = {"owner": self.owner, "epoch": epoch, "pid": os.getpid(), **self._until(session)}
            taken = self._update(session, and_(EngineLease.epoch == row.epoch, free), values)
        return epoch if taken else None

    def _mine(self) -> ColumnElement[bool]:
        return and_(EngineLease.owner == self.owner, EngineLease.epoch == self.epoch)

    def _until(self, session: Session) -> dict[str, Any]:
        values: dict[str, Any] = {
            "boot_id": clock.boot_id(),
            "until_boottime": self._boottime() + self.seconds,
        }
        if session.get_bind().dialect.name == "sqlite":
            return {**values, "heartbeat_at": clock.utcnow()}
        now = func.clock_timestamp()
        return {**values, "heartbeat_at": now, "until_at": now + literal(timedelta(seconds=self.seconds))}

    @staticmethod
    def _update(session: Session, where: ColumnElement[bool], values: dict[str, Any]) -> bool:
        statement = update(EngineLease).where(EngineLease.id == 1, where).values(**values)
        result = session.execute(statement, execution_options={"synchronize_session": False})
        assert isinstance(result, CursorResult)
        return result.rowcount == 1


def _running_out(session: Session) -> ColumnElement[bool]:
    """Whether the lease has ended by its time."""
    if session.get_bind().dialect.name == "sqlite":
        holds = and_(
            EngineLease.boot_id == clock.boot_id(),
            EngineLease.until_boottime.is_not(None),
            EngineLease.until_boottime > clock.boottime(),
        )
    else:
        holds = and_(EngineLease.until_at.is_not(None), EngineLease.until_at > func.clock_timestamp())
    return not_(func.coalesce(holds, False))


def _owner() -> str:
    """Host, process, its start and its namespace: enough to see from beside that it is gone."""
    pid = os.getpid()
    return "|".join(
        [socket.gethostname()[:40], str(pid), str(process.started(pid)), process.namespace()[:40]]
    )


def _owner_is_gone(owner: str | None, boot_id: str | None) -> bool:
    """Whether the owner was a process of this machine and namespace and no longer lives.

    It saves the wait for the lease's end after a crash; where it cannot be known, the wait remains.
    """
    parts = (owner or "").split("|")
    if len(parts) != 4 or parts[3] != process.namespace()[:40] or boot_id != clock.boot_id():
        return False
    pid, began = parts[1], parts[2]
    if not (pid.isdigit() and began.isdigit()):
        return False
    return not process.lives(int(pid), int(began), boot_id)
