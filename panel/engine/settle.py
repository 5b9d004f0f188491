"""A judgement becomes the truth: the end of the run, or another attempt of it."""

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from panel import holidays, runs
from panel.engine import resume, schedule
from panel.engine.retry import Fault, GiveUp, decide
from panel.engine.verdict import Judgement
from panel.models import SyncRun

log = structlog.get_logger("engine.settle")

MOST_ATTEMPTS = 50  # a run that is interrupted for ever ends too
MOST_FAILED = 21  # and one that gets a little further each time; as many as `retries` allows at most


def settle(
    session: Session,
    run_id: int,
    judgement: Judgement,
    *,
    epoch: int,
    now: datetime,
    seconds: float | None = None,
    at_once: bool = False,
) -> str | None:
    """Write a judgement down; the status that the run has now, or None if it was not ours to judge.

    1. A failure that may heal goes back to waiting, while attempts remain.
    2. Everything else ends the run; the schedule's own failures back off, a success makes the data fresh.

    at_once: the next attempt need not wait (the engine was the trouble, not the gateway).
    """
    run = runs.get(session, run_id)
    if judgement.status == "failed" and _tries_again(session, run, judgement, epoch, now, at_once):
        return "pending"
    run = runs.get(session, run_id)
    if judgement.status == "failed" and run.stop_reason == runs.CANCEL:
        # Asked for between the judgement and this transaction: nothing was published, so the wish is granted.
        judgement = Judgement("cancelled", _cancelled(run), judgement.counts, judgement.partitions)
    fault = judgement.fault
    outcome = runs.Outcome(
        judgement.status,
        fault.code if fault else None,
        fault.params if fault else {},
        judgement.counts,
        judgement.partitions,
        judgement.records,
        seconds,
    )
    sync, moved = run.sync, None
    planned = sync.next_run_at
    if judgement.status == "failed" and run.triggered_by == "schedule":
        moved = schedule.after_failure(sync, sync.consecutive_failures + 1, now, holidays.calendar(session))
        if moved is not None and planned is not None:
            moved = max(moved, planned)
    as_of = resume.data_as_of(session, run) if judgement.status == "success" else None
    ended = runs.finish(session, run_id, outcome, epoch=epoch, now=now, next_run_at=moved, data_as_of=as_of)
    if ended is not None and as_of is not None:
        schedule.expect(ended.sync, now, holidays.calendar(session))
    if ended is not None and moved is not None and planned is not None:
        schedule.leave_out(session, sync, planned, moved, run_id)
    return None if ended is None else ended.status


def _tries_again(
    session: Session, run: SyncRun, judgement: Judgement, epoch: int, now: datetime, at_once: bool
) -> bool:
    fault = judgement.fault
    if fault is None or run.attempt >= MOST_ATTEMPTS:
        return False
    if fault.code == runs.INTERRUPTED:
        not_before = now
    else:
        tried = runs.tries(session, run)
        if tried.all >= MOST_FAILED:
            return False
        decision = decide(
            fault,
            attempt=tried.in_row,
            retries=run.sync.retries,
            wait=0 if at_once else run.sync.retry_wait_seconds,
            now=now,
        )
        if isinstance(decision, GiveUp):
            return False
        not_before = decision.not_before
    return runs.retry(
        session,
        run.id,
        epoch=epoch,
        now=now,
        not_before=not_before,
        error_code=fault.code,
        error_params=fault.params,
    )


def _cancelled(run: SyncRun) -> Fault:
    return Fault("E_CANCELLED", {"by": run.stop_requested_by} if run.stop_requested_by else {})
