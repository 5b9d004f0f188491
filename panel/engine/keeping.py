"""Keeping house: the engine removes what is older than the rules say, a little at a time, while no run is about.

In this order: old rehearsals, files of lists, details of old runs, the diary, and last the runs that the diary no
longer tells of.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from panel import audit, leftovers, undoing
from panel.config import Config
from panel.db import writing
from panel.engine.history import History
from panel.models import ACTIVE, DataSync, SyncRun
from panel.runs import ENGINE

log = structlog.get_logger("engine.keeping")
RUNS_LOOKED_AT = 50  # for the newest that can be undone


def forget_what_is_old(
    factory: sessionmaker[Session],
    config: Config,
    epoch: int,
    now: datetime,
    go_on: Callable[[], bool],
    *,
    beside_runs: bool = False,
) -> bool:
    """Remove what is older than the rules say; True if nothing is left to remove.

    It stops as soon as a run is asked for, and goes on where it was at the next call.
    beside_runs: it does not stop for runs, since they leave it no time. Raises FetchError, OSError.
    """
    from fetchers.core.store import retention  # here: it brings the destination's driver along

    def idle() -> bool:
        if not go_on():
            return False
        if beside_runs:
            return True
        with factory() as session:
            return session.scalar(select(SyncRun.id).where(SyncRun.status.in_(ACTIVE)).limit(1)) is None

    if not idle():
        return False
    _remove_rehearsals(config, now)
    _remove_exports(config, now)
    history = History(factory, config.keep, now, idle)
    try:
        history.forget_details()
        history.forget_due_times()
        history.forget_trail()
        done = _cut_diaries(factory, config, epoch, now, idle)
        history.forget_runs(lambda uuids: retention.told_of(config.data_database_url, uuids))
    finally:
        if removed := history.forgotten.counts():
            log.info("old runs were removed", **removed)
            with writing(factory) as session:
                audit.record(session, ENGINE, "history_cut").details = removed
    return done and history.forgotten.done


def _remove_rehearsals(config: Config, now: datetime) -> None:
    if files := leftovers.of_rehearsals(config, now):
        log.info("old rehearsals were removed", files=len(files), bytes=leftovers.remove(files))


def _remove_exports(config: Config, now: datetime) -> None:
    from panel.exports import orders  # here: few engines ever meet one

    if files := orders.forget_old(config, now):
        log.info("old files of lists were removed", files=files)


def _cut_diaries(
    factory: sessionmaker[Session], config: Config, epoch: int, now: datetime, idle: Callable[[], bool]
) -> bool:
    """Cut the change diary of each source by its own rule (`diary_days`); True if nothing is left to cut."""
    from fetchers.core.store import retention

    with factory() as session:
        columns = select(DataSync.id, DataSync.key, DataSync.fetcher, DataSync.diary_days)
        kept = session.execute(columns.where(DataSync.diary_days > 0).order_by(DataSync.id)).all()
    if not kept or not idle():
        return not kept
    newest = now - timedelta(days=min(days for _, _, _, days in kept))
    if not retention.reaches_back(config.data_database_url, newest, now):
        return True
    done = True
    for sync_id, key, fetcher, days in kept:
        if not idle():
            return False
        streams = _streams(fetcher)
        if not streams:
            continue
        with factory() as session:
            undoable = _undoable(session, sync_id)
        rule = retention.Rule(streams, now - timedelta(days=days), undoable)
        removed = retention.cut(config.data_database_url, rule, epoch=epoch, now=now, go_on=idle)
        if removed.lines:
            log.info("the diary was cut", sync=key, lines=removed.lines, since=rule.before.isoformat())
            with writing(factory) as session:
                audit.record(session, ENGINE, "diary_cut", key, lines=removed.lines)
        done = done and removed.done
    return done


def _streams(fetcher: str) -> tuple[str, ...]:
    kind = registry.load(fetcher).fetcher
    return () if kind is None else tuple(stream.name for stream in kind.streams())


def _undoable(session: Session, sync_id: int) -> tuple[str, ...]:
    """The source's runs that can be undone, the newest first; which of them wrote into the diary, the diary knows."""
    changed = or_(SyncRun.added > 0, SyncRun.changed > 0, SyncRun.gone > 0, SyncRun.status != "success")
    newest = (
        select(SyncRun)
        .where(SyncRun.sync_id == sync_id, changed)
        .order_by(SyncRun.id.desc())
        .limit(RUNS_LOOKED_AT)
    )
    return tuple(run.uuid for run in session.scalars(newest) if undoing.why_not(session, run) is None)
