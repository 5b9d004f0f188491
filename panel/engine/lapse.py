"""Holds that nobody decided about in time; and what was staged, once nobody waits for it any more."""

from datetime import datetime

import structlog
from sqlalchemy import and_, not_, select
from sqlalchemy.orm import Session, sessionmaker

from panel import audit, decisions
from panel.config import Config
from panel.db import writing
from panel.models import TERMINAL, SyncRun
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


def discard_needless(factory: sessionmaker[Session], config: Config) -> list[int]:
    """Remove what was staged for runs that have ended, but for holds that are not decided; their runs' ids.

    A run that was killed or stopped could not tidy up itself, and its source may not run again for long. A hold that
    is being accepted is not decided yet: its decision is the success of that run.
    """
    from fetchers.core.load.staging import Staging  # here: it brings the destination's driver along

    uuids = [path.stem[-36:] for path in config.staging.glob("*.db")]  # <source>-<uuid>.db
    if not uuids:
        return []
    with factory() as session:
        waits = and_(SyncRun.status == "held", SyncRun.decision.is_(None))
        ended = select(SyncRun).where(SyncRun.uuid.in_(uuids), SyncRun.status.in_(TERMINAL), not_(waits))
        over = [(run.id, run.sync.fetcher, run.uuid) for run in session.scalars(ended)]
    for run_id, source, uuid in over:
        log.info("nobody waits for what a run has staged; it goes", run=run_id)
        Staging(config.staging, source, uuid).discard()
    return [run_id for run_id, _, _ in over]
