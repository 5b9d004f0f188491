"""What dry runs leave behind for people to look at: the diary that they would have written, and how they would end.

Each has a file of its own below `instance/rehearsals`, laid out as the destination's books; the newest few of a
source stay. The destination itself is never touched (fetchers/core/load/rehearsal.py).
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetchers.core.load.rehearsal import path_of
from fetchers.core.store import reading
from panel.config import Config
from panel.models import SyncRun

# (stream, part, key) of a row that would appear
Place = tuple[str, str, str]


@dataclass(frozen=True)
class Foretold:
    """How the real run would end. error_code, error_params: why it would be held."""

    status: str  # success, held
    error_code: str | None
    error_params: Mapping[str, Any]


def folder(config: Config) -> Path:
    """Of all rehearsals."""
    return config.instance / "rehearsals"


def staging(config: Config, run: SyncRun) -> Path:
    """Where the parts are that a run holds, or that a rehearsal says would be held."""
    return (folder(config) if run.dry_run else config.instance) / "staging"


def diary_url(config: Config, run: SyncRun) -> str:
    """The database with a run's lines of the change diary; a rehearsal's is a file that may be gone."""
    if not run.dry_run:
        return config.data_database_url
    return f"sqlite:///{_path(config, run)}"


def is_kept(config: Config, run: SyncRun) -> bool:
    """Whether a rehearsal's file is still there."""
    return _path(config, run).is_file()


def foretold(config: Config, run: SyncRun) -> Foretold | None:
    """How the real run would end; None where the rehearsal did not come to its end, or its file is gone.

    Raises StorageError.
    """
    found = _ask(
        config,
        run,
        "SELECT outcome, details FROM _hamgam_ledger WHERE run = ? AND kind = 'closing'",
        [run.uuid],
    )
    for outcome, details in found:
        error = json.loads(details)["error"] or {}
        return Foretold(outcome, error.get("code"), error.get("params") or {})
    return None


def newcomers(config: Config, run: SyncRun, places: Iterable[Place]) -> dict[Place, dict[str, Any]]:
    """The searched columns of rows that would appear: no table has them yet. Raises StorageError."""
    found: dict[Place, dict[str, Any]] = {}
    for place in places:
        statement = "SELECT row FROM newcomers WHERE stream = ? AND part = ? AND key = ?"
        for (row,) in _ask(config, run, statement, place):
            found[place] = json.loads(row)
    return found


def _path(config: Config, run: SyncRun) -> Path:
    return path_of(folder(config), run.sync.fetcher, run.uuid)


def _ask(config: Config, run: SyncRun, statement: str, values: Iterable[str]) -> list[tuple[Any, ...]]:
    db = reading.look_into(f"sqlite:///{_path(config, run)}")
    if db is None:
        return []
    try:
        with closing(db):
            return list(db.execute(statement, tuple(values)))
    except sqlite3.Error as error:
        raise reading.unreadable(error) from error
