"""Runs whose engine is gone: what is true of them is in the ledger, not in their row."""

import structlog
from sqlalchemy import select

from panel import clock, runs
from panel.db import writing
from panel.engine import process
from panel.engine.supervise import House, judge_and_conclude
from panel.models import SyncRun

log = structlog.get_logger("engine.recover")


def recover(house: House, epoch: int, busy: frozenset[int]) -> list[int]:
    """Judge every running run that no supervisor of this engine has; their ids.

    1. End what is left of its child, if it is on this machine: by start time and boot, never a stranger.
    2. Adopt the run, so that its former engine can change nothing any more.
    3. The ledger's closing entry makes it a success; else it is tried again while attempts remain.

    The fence was raised when we took the lease, so a child that we cannot reach publishes nothing either.
    busy: runs that our own supervisors follow.
    """
    with house.factory() as session:
        left = [
            run
            for run in session.scalars(select(SyncRun).where(SyncRun.status == "running"))
            if run.id not in busy
        ]
    judged = []
    for run in left:
        if not house.safe():
            break
        log.warning("a run was left behind", run=run.id, epoch=run.epoch, child=run.child_pid)
        if not process.kill_run(run.uuid, run.child_pid, run.child_started, run.child_boot_id):
            log.error("a child that was left behind does not end", run=run.id, child=run.child_pid)
            continue
        with writing(house.factory) as session:
            if not runs.adopt(session, run.id, left_by=run.epoch, epoch=epoch):
                continue
        # The machine or the engine went down before a child was there: not the run's fault.
        innocent = run.child_pid is None or run.child_boot_id != clock.boot_id()
        judge_and_conclude(
            house,
            run,
            epoch,
            None,
            None,
            run.stop_reason,
            seconds=None,
            lost=runs.INTERRUPTED if innocent else "E_LOST",
            at_once=True,
        )
        judged.append(run.id)
    return judged
