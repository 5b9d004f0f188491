"""Holds that nobody decided about in time: the old data stay, and what was staged for them goes."""

from datetime import datetime

import structlog
from sqlalchemy.orm import Session, sessionmaker

from panel import audit, decisions
from panel.config import Config
from panel.db import writing

log = structlog.get_logger("engine.lapse")
ENGINE = "engine"  # who decides, in the trail


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
