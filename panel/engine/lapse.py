"""Holds that are over: those that nobody decided about in time; and what was staged for one, which nobody needs."""

from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import audit, decisions
from panel.config import Config
from panel.db import writing
from panel.models import SyncRun
from panel.runs import ENGINE

log = structlog.get_logger("engine.lapse")


def let_holds_lapse(factory: sessionmaker[Session], config: Config, now: datetime) -> list[int]:
    """Write down that old holds have lapsed; their runs' ids.

    It looks without writing first: this is asked every few seconds, and the answer is mostly none.
    """
    from fetchers.core.load.staging import Staging  # here: it brings the destination's driver along

    with factory() as session:
        if not decisions.overdue(session, now):
            return []
    lapsed = []
    with writing(factory) as session:
        for run in decisions.lapse(session, now):
            audit.record(session, ENGINE, "hold_lapsed", run.sync.key, run=run.id)
            lapsed.append((run.id, run.sync.fetcher, run.uuid))
    for run_id, source, uuid in lapsed:
        log.info("nobody decided about a hold in time; the old data stay", run=run_id)
        Staging(config.instance / "staging", source, uuid).discard()
    return [run_id for run_id, _, _ in lapsed]


def discard_decided(factory: sessionmaker[Session], config: Config) -> list[int]:
    """Remove what was staged for holds that are decided (a rejected one, above all); their runs' ids.

    A hold that is being accepted is not decided yet: its decision is the success of that run.
    """
    from fetchers.core.load.staging import Staging  # here: it brings the destination's driver along

    uuids = [path.stem[-36:] for path in config.staging.glob("*.db")]  # <source>-<uuid>.db
    if not uuids:
        return []
    with factory() as session:
        decided = select(SyncRun).where(
            SyncRun.uuid.in_(uuids), SyncRun.status == "held", SyncRun.decision.is_not(None)
        )
        over = [(run.id, run.sync.fetcher, run.uuid) for run in session.scalars(decided)]
    for run_id, source, uuid in over:
        log.info("a hold is decided; what was staged for it goes", run=run_id)
        Staging(config.staging, source, uuid).discard()
    return [run_id for run_id, _, _ in over]
