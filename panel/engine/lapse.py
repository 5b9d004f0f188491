"""Holds that nobody decided about in time; and what was staged, once nobody waits for it any more."""

from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.orm import Session, sessionmaker

from panel import audit, decisions, leftovers
from panel.config import Config
from panel.db import writing
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


def discard_needless(factory: sessionmaker[Session], config: Config, now: datetime) -> list[Path]:
    """Remove what was staged for runs that have ended, but for holds that are not decided; the files that went.

    A run that was killed or stopped could not tidy up itself, and its source may not run again for long. A hold that
    is being accepted is not decided yet: its decision is the success of that run. Raises OSError.
    """
    with factory() as session:
        files = leftovers.of_staging(session, config, now)
    if files:
        log.info("nobody waits for what was staged; it goes", files=[path.name for path in files])
        leftovers.remove(files)
    return files
