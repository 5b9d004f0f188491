"""Files that nobody needs any more: what was staged for runs that are over, and old rehearsals.

A run's own process takes its files away; these are of runs whose process was killed.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import and_, not_, select
from sqlalchemy.orm import Session

from panel import rehearsals
from panel.config import Config
from panel.models import TERMINAL, SyncRun

# <source>-<uuid>.db, and what SQLite keeps beside it
FILE = re.compile(
    r".+-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.db(-wal|-shm|-journal)?"
)
# A restored control database may not know a run whose hold was staged since; a person has this long to notice.
OF_UNKNOWN_RUNS = timedelta(days=7)


def of_staging(session: Session, config: Config, now: datetime) -> list[Path]:
    """Staged files whose run has ended and holds nothing that is undecided."""
    files = {path: found[1] for path in _files(config.staging) if (found := FILE.fullmatch(path.name))}
    if not files:
        return []
    waits = and_(SyncRun.status == "held", SyncRun.decision.is_(None))
    over = and_(SyncRun.status.in_(TERMINAL), not_(waits))
    asked = select(SyncRun.uuid, over).where(SyncRun.uuid.in_(set(files.values())))
    known = {row[0]: row[1] for row in session.execute(asked)}
    return [
        path
        for path, uuid in files.items()
        if (known[uuid] if uuid in known else _age(path, now) > OF_UNKNOWN_RUNS)
    ]


def of_rehearsals(config: Config, now: datetime) -> list[Path]:
    """Rehearsals that are older than the details of a run may be."""
    if not config.keep.details:
        return []
    folder = rehearsals.folder(config)
    return [
        path
        for path in (*_files(folder), *_files(folder / "staging"))
        if FILE.fullmatch(path.name) and _age(path, now) > timedelta(days=config.keep.details)
    ]


def remove(paths: Iterable[Path]) -> int:
    """Take files away; how many bytes that were. Raises OSError."""
    size = 0
    for path in paths:
        try:
            size += path.stat().st_size
            path.unlink()
        except FileNotFoundError:  # its own process was quicker
            continue
    return size


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.db*") if path.is_file())


def _age(path: Path, now: datetime) -> timedelta:
    try:
        return now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return timedelta(0)
