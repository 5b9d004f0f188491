"""What people decide about a held run: accept it once, keep the old data; and what time decides for them.

A held run has ended (`held` is terminal), so schedules go on. It waits for a decision until a person makes one, a
newer ordinary run begins (`superseded`, written by runs.claim), or it is older than the sync's `hold_days` (`lapsed`).
To accept is a run of its own, in mode `approve`; its success is the decision `approved` (written by runs.finish).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from panel import runs
from panel.models import ACTIVE, DataSync, SyncRun, User
from panel.runs import APPROVE, Requested


def N_(text: str) -> str:
    """Mark a text for the catalogue; who shows it translates it."""
    return text


_UNDECIDED = (SyncRun.status == "held", SyncRun.decision.is_(None))


class CannotDecide(Exception):
    """There is nothing to decide about this run now. Its text is an English sentence (a msgid)."""


def waits(run: SyncRun) -> bool:
    """Whether a run is held and nobody has decided."""
    return run.status == "held" and run.decision is None


def waiting(session: Session, sync: DataSync) -> SyncRun | None:
    """The newest run of a sync that waits for a decision."""
    return holds(session, [sync.id]).get(sync.id)


def holds(session: Session, sync_ids: Sequence[int]) -> dict[int, SyncRun]:
    """Of each of these syncs the newest run that waits for a decision."""
    held = select(SyncRun).where(SyncRun.sync_id.in_(sync_ids), *_UNDECIDED).order_by(SyncRun.id)
    return {run.sync_id: run for run in session.scalars(held)}


def waiting_syncs(session: Session) -> dict[int, tuple[int, datetime | None]]:
    """By sync: the newest run that waits for a decision, and since when."""
    held = select(SyncRun.sync_id, SyncRun.id, SyncRun.finished_at).where(*_UNDECIDED).order_by(SyncRun.id)
    return {sync: (run, ended) for sync, run, ended in session.execute(held)}


def approve(
    session: Session, run: SyncRun, *, triggered_by: str, now: datetime, user: User | str | None = None
) -> Requested:
    """Accept once: ask for a run that publishes what this one holds. Joined: that run is under way already.

    Raises CannotDecide.
    """
    _must_wait(run)
    asked = runs.request(
        session, run.sync, triggered_by=triggered_by, now=now, user=user, mode=APPROVE, about=run
    )
    if asked.joined and (asked.run.mode, asked.run.about_run_id) != (APPROVE, run.id):
        raise CannotDecide(N_("Another run of this source is active; wait until it has ended."))
    return asked


def reject(session: Session, run: SyncRun, *, now: datetime, user: User | str | None = None) -> None:
    """Keep the old data: the decision is written down, and nothing moves. Raises CannotDecide."""
    _must_wait(run)
    if _being_accepted(session, run):
        raise CannotDecide(N_("This run is just being accepted."))
    if not runs.decide(session, SyncRun.id == run.id, decision="rejected", now=now, user=user):
        _must_wait(runs.get(session, run.id))
    runs.get(session, run.id)


def overdue(session: Session, now: datetime) -> list[SyncRun]:
    """Runs that have waited for a decision longer than their sync allows."""
    held = select(SyncRun).where(*_UNDECIDED).order_by(SyncRun.id)
    return [
        run
        for run in session.scalars(held)
        if run.finished_at is not None and run.finished_at + timedelta(days=run.sync.hold_days) <= now
    ]


def lapse(session: Session, now: datetime) -> list[SyncRun]:
    """Old holds lapse into “kept the old data”; the runs, for the trail. One that is being accepted does not."""
    return [
        run
        for run in overdue(session, now)
        if not _being_accepted(session, run)
        and runs.decide(session, SyncRun.id == run.id, decision="lapsed", now=now, user=None)
    ]


def _being_accepted(session: Session, run: SyncRun) -> bool:
    accepting = select(SyncRun.id).where(
        SyncRun.about_run_id == run.id, SyncRun.mode == APPROVE, SyncRun.status.in_(ACTIVE)
    )
    return session.scalar(accepting.limit(1)) is not None


def _must_wait(run: SyncRun) -> None:
    if run.status != "held":
        raise CannotDecide(N_("This run is not held; there is nothing to decide."))
    if run.decision is not None:
        raise CannotDecide(ALREADY.get(run.decision, ALREADY["rejected"]))


ALREADY = {
    "approved": N_("This was accepted already."),
    "rejected": N_("It was decided already that the old data stay."),
    "superseded": N_("A newer run has begun since; its answer counts."),
    "lapsed": N_("Nobody decided in time, so the old data stay. Sync again to fetch anew."),
}
