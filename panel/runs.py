"""The truth about runs: the only writer of a run's status and of the status row of its sync.

Every change of status is one compare-and-set statement: it names the states that it may leave and, once an
engine has claimed the run, the epoch of that engine's lease. Whoever changes nothing has lost the race and
leaves quietly. The sync's status row (`DataSync.status`, its neighbours) is written in the same transaction.

Callers open the transaction (`panel.db.writing`, or a POST of the panel) and commit it.

    pending ─claim─► running ─finish─► success | failed | cancelled | held
       ▲                │
       └─────retry──────┘            pending ─cancel─► cancelled
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, func, insert, literal, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from panel import audit, usual
from panel.models import ACTIVE, DataSync, EngineLease, RunAttempt, RunPartition, SyncRun, User

COUNTS = ("read", "added", "changed", "unchanged", "gone", "rejected", "duplicates")
PARTITIONS = ("planned", "done", "failed", "held")
CANCEL = "cancel"  # stop_reason of a person's wish; a deadline's is its E_… code
APPROVE = "approve"  # mode of a run that publishes what another one holds
ORDINARY = "incremental"  # mode of what the schedule and the button ask for
UNDO = "undo"  # mode of a run that takes back another one
ENGINE = "engine"  # who acts, in the trail, where no person does
REQUESTS = uuid.UUID("0d3a6ba2-6c1c-4b7e-9d0e-1f7f5b6f4c11")  # the namespace of requests that have a name
INTERRUPTED = "E_INTERRUPTED"  # the engine was stopped: such an attempt does not count against the run


@dataclass(frozen=True)
class Requested:
    """The answer to a trigger. `joined`: there was a run already, and this is it."""

    run: SyncRun
    joined: bool


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as far as it is known."""

    status: str
    error_code: str | None = None
    error_params: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] | None = None
    partitions: Mapping[str, int] | None = None
    records: int | None = None  # rows in the source's first table now
    seconds: float | None = None  # by a monotonic clock, where one process saw the whole run


def request(
    session: Session,
    sync: DataSync,
    *,
    triggered_by: str,
    now: datetime,
    user: User | str | None = None,
    mode: str = "incremental",
    dry_run: bool = False,
    partitions: list[dict[str, str]] | None = None,
    scheduled_for: datetime | None = None,
    about: SyncRun | None = None,
    once: str | None = None,
) -> Requested:
    """Ask for a run of a sync; the one verb behind panel, API, command and schedule.

    1. Insert a pending run; the partial unique index lets one in at a time.
    2. If somebody was first, theirs is the answer (and if it ended meanwhile, try again).
    3. Show it in the sync's status row.

    about: the run that this one decides upon or takes back. once: what the caller calls this request; sent again,
    it gets the same run, also when that has ended. (The run's uuid is made of it, and uuids are unique.)
    """
    values: dict[str, Any] = {
        "uuid": str(uuid.uuid4() if once is None else uuid.uuid5(REQUESTS, f"{sync.key}\n{once}")),
        "sync_id": sync.id,
        "status": "pending",
        "mode": mode,
        "dry_run": dry_run,
        "triggered_by": triggered_by,
        "requested_by": user.username if isinstance(user, User) else user,
        "scheduled_for": scheduled_for,
        "requested_at": now,
        "not_before": now,
    }
    if partitions is not None:
        values["partitions_wanted"] = partitions
    if about is not None:
        values["about_run_id"] = about.id
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(SyncRun).values(values).on_conflict_do_nothing().returning(SyncRun.id)
    for _ in range(20):
        run_id = session.scalar(statement)
        if run_id is not None:
            _mirror(session, sync.id, run_id, status="pending", error_code=None)
            return Requested(get(session, run_id), joined=False)
        winner = _winner(session, sync.id, scheduled_for, values["uuid"])
        if winner is not None:
            return Requested(winner, joined=True)
    raise RuntimeError(f"runs of sync {sync.key} begin and end faster than this one can be asked for")


def resume(session: Session, sync: DataSync, *, now: datetime) -> bool:
    """Let the automatic sync go on that an undo, or a person, has paused. False if it was not paused."""
    if sync.paused_reason is None and sync.paused_until is None:
        return False
    sync.paused_reason, sync.paused_until, sync.updated_at = None, None, now
    return True


def cancel(session: Session, run: SyncRun, *, now: datetime, user: User | str | None) -> bool:
    """A person wants a run to stop. True if this wish is news; a second one, or a late one, changes nothing.

    A pending run is cancelled at once. A running one stays `running` until its child is gone: the engine sees
    the wish, stops the child and writes the end, so that no second run starts beside a dying child.
    """
    waiting = SyncRun.status == "pending"
    name = user.username if isinstance(user, User) else user
    params = {"by": name} if name else {}
    changed = _change(
        session,
        run.id,
        leaving=ACTIVE,
        where=or_(SyncRun.stop_requested_at.is_(None), SyncRun.stop_reason != CANCEL),
        values={
            "status": case((waiting, "cancelled"), else_=SyncRun.status),
            "finished_at": case((waiting, literal(now, SyncRun.finished_at.type)), else_=SyncRun.finished_at),
            "error_code": case((waiting, "E_CANCELLED"), else_=SyncRun.error_code),
            "error_message": case((waiting, _message("E_CANCELLED", params)), else_=SyncRun.error_message),
            "error_params": params,
            "stop_requested_at": now,
            "stop_reason": CANCEL,
            "stop_requested_by": name,
        },
    )
    if changed is None:
        return False
    if changed.status == "cancelled" and run.dry_run:
        _show_the_real_one(session, changed.sync_id, run.id)
    elif changed.status == "cancelled":
        _mirror(session, changed.sync_id, run.id, status="cancelled", error_code="E_CANCELLED")
    get(session, run.id)
    return True


def waiting_runs(now: datetime, limit: int) -> Select[int]:
    """The pending runs whose time has come, longest waiting first."""
    return (
        select(SyncRun.id)
        .where(SyncRun.status == "pending", SyncRun.not_before <= now)
        .order_by(SyncRun.not_before, SyncRun.id)
        .limit(limit)
    )


def ahead(session: Session, now: datetime) -> dict[int, int]:
    """Of each pending run whose time has come: how many others execute, or have waited longer for their turn."""
    executing = case((SyncRun.status == "running", 0), else_=1)
    places = (
        select(SyncRun.id, SyncRun.status)
        .where(SyncRun.status.in_(ACTIVE), or_(SyncRun.status == "running", SyncRun.not_before <= now))
        .order_by(executing, SyncRun.not_before, SyncRun.id)
    )
    found = session.execute(places).all()
    return {run_id: place for place, (run_id, status) in enumerate(found) if status == "pending"}


def claim(session: Session, run_id: int, *, epoch: int, now: datetime) -> SyncRun | None:
    """Take a pending run for the engine that leads with `epoch`; None if it is not to be had.

    1. pending → running, if its time has come and the lease is still ours.
    2. Write the attempt down before it is made: if we die now, the row tells. Parts that earlier attempts finished
       are not this one's.
    3. An ordinary run fetches everything anew, so nobody need decide about older holds any more.
    """
    leader = select(EngineLease.epoch).where(EngineLease.id == 1).scalar_subquery()
    changed = _change(
        session,
        run_id,
        leaving=("pending",),
        where=and_(SyncRun.not_before <= now, leader == epoch),
        values={
            "status": "running",
            "epoch": epoch,
            "started_at": func.coalesce(SyncRun.started_at, literal(now, SyncRun.started_at.type)),
            "child_pid": None,
            "child_started": None,
            "child_boot_id": None,
            "waiting": null(),
        },
    )
    if changed is None:
        return None
    session.execute(
        insert(RunAttempt).values(run_id=run_id, number=changed.attempt, epoch=epoch, started_at=now)
    )
    _mirror(session, changed.sync_id, run_id, status="running", error_code=None)
    run = get(session, run_id)
    if not run.dry_run:  # whose attempts begin anew each time
        session.execute(
            update(RunPartition)
            .where(RunPartition.run_id == run_id, RunPartition.state == "done")
            .values(state="resumed")
            .execution_options(synchronize_session=False)
        )
    if run.mode not in (APPROVE, UNDO) and not run.dry_run:
        older = and_(SyncRun.sync_id == run.sync_id, SyncRun.id < run_id)
        for held in decide(session, older, decision="superseded", now=now, user=None):
            audit.record(session, ENGINE, "hold_superseded", run.sync.key, run=held, by=run_id)
    return run


def decide(
    session: Session,
    which: ColumnElement[bool],
    *,
    decision: str,
    now: datetime,
    user: User | str | None,
) -> list[int]:
    """Write down what became of held runs that nobody has decided about; which these were, by their ids."""
    changed = session.execute(
        update(SyncRun)
        .where(which, SyncRun.status == "held", SyncRun.decision.is_(None))
        .values(
            decision=decision,
            decided_by=user.username if isinstance(user, User) else user,
            decided_at=now,
        )
        .returning(SyncRun.id),
        execution_options={"synchronize_session": False},
    ).all()
    return [get(session, run_id).id for (run_id,) in changed]


def adopt(session: Session, run_id: int, *, left_by: int | None, epoch: int) -> bool:
    """Take over the running run of a leader that is gone; from now on its old epoch changes nothing here."""
    owner = SyncRun.epoch.is_(None) if left_by is None else SyncRun.epoch == left_by
    return _change(session, run_id, leaving=("running",), where=owner, values={"epoch": epoch}) is not None


def note_child(
    session: Session, run_id: int, *, epoch: int, pid: int, started: int | None, boot_id: str
) -> bool:
    """Write down which process works on a run, so that a later engine finds that one and no stranger."""
    values = {"child_pid": pid, "child_started": started, "child_boot_id": boot_id}
    return _change(session, run_id, leaving=("running",), epoch=epoch, values=values) is not None


def note_progress(session: Session, run_id: int, *, epoch: int, values: Mapping[str, Any]) -> bool:
    """Counts, parts and what it waits for, as the child reports them; never a status."""
    columns = {name: null() if value is None else value for name, value in values.items()}
    if "status" in columns:
        raise ValueError("a status is no progress")
    return _change(session, run_id, leaving=("running",), epoch=epoch, values=columns) is not None


def request_stop(session: Session, run_id: int, *, epoch: int, reason: str, now: datetime) -> bool:
    """A deadline has passed (`reason`: its E_… code): note the wish. A person's cancel is not overwritten."""
    values = {"stop_requested_at": now, "stop_reason": reason}
    wish = SyncRun.stop_requested_at.is_(None)
    return _change(session, run_id, leaving=("running",), epoch=epoch, where=wish, values=values) is not None


def retry(
    session: Session,
    run_id: int,
    *,
    epoch: int,
    now: datetime,
    not_before: datetime,
    error_code: str,
    error_params: Mapping[str, Any],
) -> bool:
    """running → pending, with the next attempt's number. Refused (False) if a person wants the run to stop.

    The run waits openly: `waiting` says until when, and the attempt that ended says why.
    """
    until = not_before.isoformat() if not_before > now else None
    changed = _change(
        session,
        run_id,
        leaving=("running",),
        epoch=epoch,
        where=or_(SyncRun.stop_requested_at.is_(None), SyncRun.stop_reason != CANCEL),
        values={
            "status": "pending",
            "epoch": None,
            "attempt": SyncRun.attempt + 1,
            "not_before": not_before,
            "child_pid": None,
            "child_started": None,
            "child_boot_id": None,
            "stop_requested_at": None,
            "stop_reason": None,
            "waiting": {"reason": "retry", "until": until},
        },
    )
    if changed is None:
        return False
    _end_attempt(session, run_id, changed.attempt - 1, now, error_code, error_params)
    _mirror(session, changed.sync_id, run_id, status="pending", error_code=None)
    return True


@dataclass(frozen=True)
class Tries:
    """The attempts of a run that failed, the one that is ending now with them.

    in_row: since one of them last got further, that one with them: who makes progress may go on trying. Those that the
    engine itself interrupted do not count.
    """

    in_row: int
    all: int


def tries(session: Session, run: SyncRun) -> Tries:
    """How often this run has been tried, now that its newest attempt has failed. Call it before `retry`."""
    ended = session.execute(
        select(RunAttempt.parts_done)
        .where(
            RunAttempt.run_id == run.id,
            RunAttempt.ended_at.is_not(None),
            func.coalesce(RunAttempt.error_code, "") != INTERRUPTED,
        )
        .order_by(RunAttempt.number)
    ).all()
    done = [row[0] for row in ended] + [parts_done(session, run.id)]
    # A rehearsal's attempts begin anew each time: none of them gets further.
    further = [place for place, parts in enumerate(done) if parts and not run.dry_run]
    return Tries(len(done) - (further[-1] if further else 0), len(done))


def parts_done(session: Session, run_id: int) -> int:
    """How many parts the newest attempt has finished; those of earlier ones are `resumed`."""
    mine = (RunPartition.run_id == run_id, RunPartition.state == "done")
    return session.scalar(select(func.count()).select_from(RunPartition).where(*mine)) or 0


def finish(
    session: Session,
    run_id: int,
    outcome: Outcome,
    *,
    epoch: int,
    now: datetime,
    next_run_at: datetime | None = None,
    data_as_of: datetime | None = None,
) -> SyncRun | None:
    """Write the end of a run, once; None if it is not ours to end (any more).

    1. running → success | failed | cancelled | held, with counts, duration and the error in words.
    2. End its attempt, and the parts of a success whose events were lost with the child.
    3. The sync's status row: newest status, failures in a row, after a success the rows and the difference.
       A rehearsal leaves no trace in it: it says nothing about the data that are there.
    `next_run_at`: move the schedule to this moment (back-off; panel/engine/schedule.py reckons it).
    `data_as_of`: of when the source's data are after this success (panel/engine/resume.py finds it).
    """
    run = get(session, run_id)
    sync = run.sync
    seconds = outcome.seconds
    if seconds is None or run.attempt > 1:
        seconds = max((now - run.started_at).total_seconds(), 0.0) if run.started_at else None
    values: dict[str, Any] = {
        "status": outcome.status,
        "finished_at": now,
        "duration_seconds": None if seconds is None else round(seconds, 3),
        "error_code": outcome.error_code,
        "error_message": _message(outcome.error_code, outcome.error_params),
        "error_params": dict(outcome.error_params) if outcome.error_code else null(),
        "waiting": null(),
    }
    values |= counted(outcome.counts, outcome.partitions)
    if outcome.records is not None:
        values["records"] = outcome.records
    whole = outcome.status == "success" and not run.dry_run and run.partitions_wanted is None
    took: float | None = values["duration_seconds"]
    if whole:
        known = usual.usual(session, run.sync_id, run.mode, before=run_id)
        values["unusual"] = known.far_from(took) if known and took is not None else None
        values["data_as_of"] = data_as_of
    changed = _change(session, run_id, leaving=("running",), epoch=epoch, values=values)
    if changed is None:
        return None

    _end_attempt(session, run_id, changed.attempt, now, outcome.error_code, outcome.error_params)
    if outcome.status == "success" and run.mode == APPROVE and run.about_run_id is not None:
        approved = SyncRun.id == run.about_run_id
        decide(session, approved, decision="approved", now=now, user=run.requested_by)
    mirrored: dict[str, Any] = {"status": outcome.status, "error_code": outcome.error_code}
    if outcome.status == "success":
        session.execute(
            update(RunPartition)
            .where(RunPartition.run_id == run_id, RunPartition.state.in_(("planned", "staged")))
            .values(state="done")
            .execution_options(synchronize_session=False)
        )
    if whole and data_as_of is not None:
        mirrored["data_as_of"] = data_as_of
    if outcome.status == "success" and run.mode == UNDO:
        # Else the next due time would bring back what a person has just taken back.
        mirrored["paused_reason"] = UNDO
    elif whole:
        # A run of some parts says nothing of the others: "last success" stays what it was.
        mirrored |= {"consecutive_failures": 0, "last_success_at": now}
    if whole and run.mode == ORDINARY:
        known = usual.usual(session, run.sync_id, run.mode)
        mirrored["usual_seconds"] = None if known is None else known.median
    if whole and outcome.records is not None:
        before = sync.records
        mirrored["records"] = outcome.records
        mirrored["records_delta"] = None if before is None else outcome.records - before
    if outcome.status == "failed" and run.mode != UNDO:
        mirrored["consecutive_failures"] = DataSync.consecutive_failures + 1
    if next_run_at is not None:
        mirrored["next_run_at"] = next_run_at
    if run.dry_run:
        _show_the_real_one(session, changed.sync_id, run_id)
    else:
        _mirror(session, changed.sync_id, run_id, **mirrored)
    return get(session, run_id)


def counted(counts: Mapping[str, int] | None, partitions: Mapping[str, int] | None) -> dict[str, int]:
    """A child's counts as columns of the run."""
    columns = {name: int(counts[name]) for name in COUNTS if counts and name in counts}
    for name in PARTITIONS:
        if partitions and partitions.get(name) is not None:
            columns[f"partitions_{name}"] = int(partitions[name])
    return columns


def get(session: Session, run_id: int) -> SyncRun:
    """The run as the database has it now, whatever the session remembers of it."""
    run = session.get(SyncRun, run_id, populate_existing=True)
    if run is None:
        raise LookupError(f"there is no run {run_id}")
    return run


def _change(
    session: Session,
    run_id: int,
    *,
    leaving: tuple[str, ...],
    values: dict[str, Any],
    epoch: int | None = None,
    where: ColumnElement[bool] | None = None,
) -> Row[int, int, str] | None:
    """The compare-and-set: one statement that changes one row, or nothing."""
    conditions: list[ColumnElement[bool]] = [SyncRun.id == run_id, SyncRun.status.in_(leaving)]
    if epoch is not None:
        conditions.append(SyncRun.epoch == epoch)
    if where is not None:
        conditions.append(where)
    statement = update(SyncRun).where(*conditions).values(**values)
    returning = statement.returning(SyncRun.sync_id, SyncRun.attempt, SyncRun.status)
    return session.execute(returning, execution_options={"synchronize_session": False}).one_or_none()


def _mirror(session: Session, sync_id: int, run_id: int, **values: Any) -> None:
    """Show a run in its sync's status row, unless a newer run is shown there."""
    session.execute(
        update(DataSync)
        .where(DataSync.id == sync_id, func.coalesce(DataSync.last_run_id, 0) <= run_id)
        .values(last_run_id=run_id, **values)
        .execution_options(synchronize_session=False)
    )
    session.get(DataSync, sync_id, populate_existing=True)


def _show_the_real_one(session: Session, sync_id: int, rehearsal: int) -> None:
    """A rehearsal was shown in the status row while it ran; afterwards the newest run is that did something."""
    real = session.execute(
        select(SyncRun.id, SyncRun.status, SyncRun.error_code)
        .where(SyncRun.sync_id == sync_id, SyncRun.dry_run.is_(False))
        .order_by(SyncRun.id.desc())
        .limit(1)
    ).one_or_none()
    run_id, status, error_code = (None, None, None) if real is None else tuple(real)
    session.execute(
        update(DataSync)
        .where(DataSync.id == sync_id, DataSync.last_run_id == rehearsal)
        .values(last_run_id=run_id, status=status, error_code=error_code)
        .execution_options(synchronize_session=False)
    )
    session.get(DataSync, sync_id, populate_existing=True)


def _winner(session: Session, sync_id: int, scheduled_for: datetime | None, request: str) -> SyncRun | None:
    """The run that stood in the way: of this very request, the active one, or that of the same due time."""
    same: ColumnElement[bool] = SyncRun.uuid == request
    reason = or_(same, SyncRun.status.in_(ACTIVE))
    if scheduled_for is not None:
        reason = or_(reason, SyncRun.scheduled_for == scheduled_for)
    found = (
        select(SyncRun)
        .where(SyncRun.sync_id == sync_id, reason)
        .order_by(case((same, 0), else_=1), SyncRun.id.desc())
        .limit(1)
    )
    return session.scalars(found, execution_options={"populate_existing": True}).one_or_none()


def _end_attempt(
    session: Session, run_id: int, number: int, now: datetime, code: str | None, params: Mapping[str, Any]
) -> None:
    session.execute(
        update(RunAttempt)
        .where(RunAttempt.run_id == run_id, RunAttempt.number == number)
        .values(
            ended_at=now,
            error_code=code,
            error_message=_message(code, params),
            parts_done=parts_done(session, run_id),
        )
        .execution_options(synchronize_session=False)
    )


def _message(code: str | None, params: Mapping[str, Any]) -> str | None:
    """The error in words, in English; pages translate code and params themselves."""
    if code is None:
        return None
    from panel import explain  # here, since it brings the translations along and most callers need none

    return explain.message(code, dict(params))[:500]
