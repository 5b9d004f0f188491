"""Earlier runs whose finished parts count as done, and so how old the data of a success are."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from panel import runs
from panel.models import RunPartition, SyncRun

RESUME_WITHIN = timedelta(hours=24)


def unfinished(session: Session, run: SyncRun, now: datetime) -> list[SyncRun]:
    """Earlier runs whose finished parts need not be asked for again, newest first.

    Those since the last success that fetched the whole source in the same mode and did not end well, of the
    last 24 hours. A run of some parts asks for everything, and its success ends nothing (an undo's does, since what
    it took back must be asked for again); a dry run asks for what a real one would.
    """
    if run.partitions_wanted is not None:
        return []
    return [
        earlier
        for earlier in session.scalars(
            select(SyncRun)
            .where(
                SyncRun.sync_id == run.sync_id,
                SyncRun.id < run.id,
                SyncRun.id > _last_success(session, run),
                SyncRun.status.in_(("failed", "cancelled")),
                SyncRun.dry_run.is_(False),
                SyncRun.mode == run.mode,
                SyncRun.started_at > now - RESUME_WITHIN,
            )
            .order_by(SyncRun.id.desc())
        )
        if earlier.partitions_wanted is None
    ]


def data_as_of(session: Session, run: SyncRun) -> datetime | None:
    """The moment before which no open part of the source was asked for, once this run has succeeded.

    Its own beginning, or that of the earliest run whose finished parts it took over. What an approval publishes was
    asked for by the run that held it; an undo brings back what was there before the run that it takes back.
    None: this run says nothing about the whole source.
    """
    if run.dry_run or run.partitions_wanted is not None:
        return None
    if run.mode == runs.UNDO:
        return _before(session, run)
    if run.mode == runs.APPROVE:
        held = None if run.about_run_id is None else session.get(SyncRun, run.about_run_id)
        return run.started_at if held is None or held.started_at is None else _since(session, held)
    return _since(session, run)


def _since(session: Session, run: SyncRun) -> datetime | None:
    if run.started_at is None:
        return None
    took_over = select(RunPartition.run_id).where(
        RunPartition.run_id == run.id, RunPartition.state == "resumed"
    )
    earlier: Sequence[SyncRun] = []
    if session.scalar(took_over.limit(1)) is not None:
        earlier = unfinished(session, run, run.started_at)
    return min(
        [run.started_at, *(one.started_at for one in earlier if one.started_at and one.partitions_done)]
    )


def _before(session: Session, run: SyncRun) -> datetime | None:
    """As of when the data were before the run that this undo takes back."""
    return session.scalar(
        select(SyncRun.data_as_of)
        .where(
            SyncRun.sync_id == run.sync_id,
            SyncRun.id < (run.about_run_id or run.id),
            SyncRun.data_as_of.is_not(None),
        )
        .order_by(SyncRun.id.desc())
        .limit(1)
    )


def _last_success(session: Session, run: SyncRun) -> int:
    latest = select(func.max(SyncRun.id)).where(
        SyncRun.sync_id == run.sync_id,
        SyncRun.status == "success",
        SyncRun.dry_run.is_(False),
        SyncRun.id < run.id,
        SyncRun.is_whole(),
    )
    return session.scalar(latest) or 0
