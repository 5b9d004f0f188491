"""What the control database forgets: details of old runs, old runs, old due times, the oldest of the trail.

The rules are three numbers of days (`panel.config.Keep`). However old it is, a run stays
- while it is active, or held and undecided;
- while the change diary tells of it: it can be undone as long as that;
- while the run that it is about stays: that one would look as if it had never been undone;
- of each source: the run that the status shows, the last success, and the newest failures.
Failures stay twice as long as other runs.

Every batch is a transaction of its own, short enough that nobody waits for it.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BindParameter,
    CursorResult,
    Delete,
    Integer,
    and_,
    bindparam,
    delete,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session, aliased, sessionmaker
from sqlalchemy.sql.elements import ColumnElement

from panel.config import Keep
from panel.db import writing
from panel.models import (
    ACTIVE,
    TERMINAL,
    AuditEntry,
    DataSync,
    RunLog,
    RunPartition,
    SkippedTick,
    SyncRun,
)
from panel.newest import of_each_sync

AT_ONCE = 500  # rows of one statement
BATCH_SECONDS = 0.1
LOOKED_AT = 200  # runs
FAILURES_KEPT = 20  # of each source, however old
FAILURES_STAY = 2  # times as long as other runs

RUN: BindParameter[int] = bindparam("one_run", type_=Integer)

# The runs (UUIDs) of which the change diary has lines; None where it cannot be known.
ToldOf = Callable[[list[str]], set[str] | None]


@dataclass
class Forgotten:
    """What was removed. `done`: nothing is left to remove."""

    runs: int = 0
    parts: int = 0
    lines: int = 0
    due_times: int = 0
    entries: int = 0
    done: bool = True

    def counts(self) -> dict[str, int]:
        """What was removed, by kind; empty if nothing was."""
        found = {
            "runs": self.runs, "parts": self.parts, "lines": self.lines, "due_times": self.due_times,
            "entries": self.entries,
        }  # fmt: skip
        return {name: number for name, number in found.items() if number}


class History:
    """One pass over the control database."""

    def __init__(
        self, factory: sessionmaker[Session], keep: Keep, now: datetime, go_on: Callable[[], bool]
    ) -> None:
        """go_on: asked before each batch; with its first no the pass ends, and is not `done`."""
        self._factory = factory
        self._keep = keep
        self._now = now
        self._go_on = go_on
        self.forgotten = Forgotten()

    def forget_details(self) -> None:
        """Log lines and parts of runs that are older than their rule; the run itself stays, with its counts."""
        if not self._keep.details:
            return
        before = self._now - timedelta(days=self._keep.details)
        with self._factory() as session:
            newest = _newest_before(session, before)
            shown = _shown(session)
        for table in (RunLog, RunPartition):
            after = 0
            while self._may_go_on():
                with self._factory() as session:
                    told = select(table.run_id).distinct().where(
                        table.run_id > after, table.run_id <= newest, table.run_id.not_in(shown)
                    )  # fmt: skip
                    some = session.scalars(told.order_by(table.run_id).limit(LOOKED_AT)).all()
                    old = select(SyncRun.id).where(
                        SyncRun.id.in_(some), SyncRun.requested_at < before, _is_over()
                    )
                    ids = session.scalars(old.order_by(SyncRun.id)).all()
                if not some:
                    break
                after = some[-1]
                gone = self._remove_each(delete(table).where(table.run_id == RUN), ids)
                self.forgotten.lines += gone if table is RunLog else 0
                self.forgotten.parts += gone if table is RunPartition else 0

    def forget_runs(self, told_of: ToldOf) -> None:
        """Whole runs, with their attempts and whatever details they still have."""
        if not self._keep.runs:
            return
        before = self._now - timedelta(days=self._keep.runs)
        with self._factory() as session:
            newest = _newest_before(session, before)
            needed = _needed(session)
        one_run = _one_run()
        after = 0
        while self._may_go_on():
            with self._factory() as session:
                some = session.execute(
                    select(SyncRun.id, SyncRun.uuid, SyncRun.status, SyncRun.requested_at, _has_changed())
                    .where(
                        SyncRun.id > after, SyncRun.id <= newest, SyncRun.requested_at < before,
                        SyncRun.about_run_id.is_(None), _is_over(),
                    )
                    .order_by(SyncRun.id)
                    .limit(LOOKED_AT)
                ).all()  # fmt: skip
            if not some:
                return
            after = some[-1][0]
            failures_before = self._now - FAILURES_STAY * timedelta(days=self._keep.runs)
            old = [
                row
                for row in some
                if row[0] not in needed and (row[2] != "failed" or row[3] < failures_before)
            ]
            told = told_of([row[1] for row in old])
            ids = [row[0] for row in old if (row[1] not in told if told is not None else not row[4])]
            self.forgotten.runs += self._remove_each(one_run, ids)

    def forget_due_times(self) -> None:
        """Due times at which nothing was started; they go with the runs of their day."""
        if not self._keep.runs:
            return
        before = self._now - timedelta(days=self._keep.runs)
        key = tuple_(SkippedTick.sync_id, SkippedTick.due_at)
        old = select(SkippedTick.sync_id, SkippedTick.due_at).where(SkippedTick.due_at < before)
        self.forgotten.due_times += self._remove_all(delete(SkippedTick).where(key.in_(old.limit(AT_ONCE))))

    def forget_trail(self) -> None:
        """The oldest entries of the audit trail."""
        if not self._keep.trail:
            return
        old = (
            select(AuditEntry.id)
            .where(AuditEntry.at < self._now - timedelta(days=self._keep.trail))
            .order_by(AuditEntry.at)
            .limit(AT_ONCE)
        )
        self.forgotten.entries += self._remove_all(delete(AuditEntry).where(AuditEntry.id.in_(old)))

    def _may_go_on(self) -> bool:
        if not self._go_on():
            self.forgotten.done = False
        return self.forgotten.done

    def _remove_each(self, statement: Delete, ids: Iterable[int]) -> int:
        """Execute a statement for each run; as many in a transaction as there is time for."""
        waiting = list(ids)
        gone = 0
        while waiting and self._may_go_on():
            with writing(self._factory) as session:
                until = time.monotonic() + BATCH_SECONDS
                gone += _execute(session, statement, waiting.pop(0))
                while waiting and time.monotonic() < until:
                    gone += _execute(session, statement, waiting.pop(0))
        return gone

    def _remove_all(self, some: Delete) -> int:
        """Execute a statement that removes at most AT_ONCE rows until it finds none."""
        gone = 0
        while self._may_go_on():
            with writing(self._factory) as session:
                removed = _execute(session, some)
            gone += removed
            if removed < AT_ONCE:
                break
        return gone


def _one_run() -> Delete:
    """Removes a run; unless, since it was chosen, somebody has asked to undo or to accept it."""
    about_it = aliased(SyncRun)
    asked = select(about_it.id).where(about_it.about_run_id == RUN, about_it.status.in_(ACTIVE))
    return delete(SyncRun).where(SyncRun.id == RUN, _is_over(), not_(asked.exists()))


def _execute(session: Session, statement: Delete, run_id: int | None = None) -> int:
    result = session.execute(
        statement,
        {} if run_id is None else {RUN.key: run_id},
        execution_options={"synchronize_session": False},
    )
    assert isinstance(result, CursorResult)
    return result.rowcount


def _is_over() -> ColumnElement[bool]:
    """The run has ended, and nobody need decide about it any more."""
    waits = and_(SyncRun.status == "held", SyncRun.decision.is_(None))
    return and_(SyncRun.status.in_(TERMINAL), not_(waits))


def _has_changed() -> ColumnElement[bool]:
    return or_(SyncRun.added > 0, SyncRun.changed > 0, SyncRun.gone > 0)


def _newest_before(session: Session, moment: datetime) -> int:
    """The newest run that was asked for before this moment, so that no younger one is looked at; 0 if there is none."""
    older = select(SyncRun.id).where(SyncRun.requested_at < moment)
    return session.scalar(older.order_by(SyncRun.id.desc()).limit(1)) or 0


def _shown(session: Session) -> set[int]:
    """Of each source the run that its status shows, and its last success."""
    succeeded = (SyncRun.sync_id == DataSync.id, SyncRun.status == "success")
    last_success = (
        select(SyncRun.id)
        .where(*succeeded, SyncRun.finished_at == DataSync.last_success_at)
        .order_by(SyncRun.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = session.execute(select(DataSync.last_run_id, last_success)).all()
    return {run_id for row in found for run_id in row if run_id is not None}


def _needed(session: Session) -> set[int]:
    """The runs of each source that stay however old they are."""
    failures = of_each_sync(select(SyncRun.id), FAILURES_KEPT, lambda run: [run.status == "failed"])
    return _shown(session) | set(session.scalars(failures))
