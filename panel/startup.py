"""What must be well before anything is written: else a start says what is wrong, and changes nothing."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from panel.backup import sqlite_path
from panel.config import Config
from panel.restore import refuse_half_restored

HEADER = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html#the_database_header
# Looked through at a start: a few seconds. What is larger is looked through by the doctor.
LARGEST_LOOKED_THROUGH = 512 * 1024**2


class NotWell(Exception):
    """The installation cannot start. The sentence says what is wrong, that nothing was changed, and what to do."""


def refuse_what_is_not_well(config: Config, *, closely: bool = False) -> None:
    """Raises NotWell, or HalfRestored.

    1. A restore that was interrupted is to be finished first.
    2. Its folders and databases can be written.
    3. Its databases are databases; closely: and every page of them is sound.
    """
    refuse_half_restored(config.instance)
    databases = {
        name: path
        for name, url in (("control database", config.panel_database_url), ("data", config.data_database_url))
        if (path := sqlite_path(url)) is not None
    }
    for folder in (config.instance, *(path.parent for path in databases.values())):
        _refuse_unwritable(folder)
    for name, path in databases.items():
        if path.exists() and path.stat().st_size:
            _refuse_unwritable(path)
            _refuse_damaged(name, path, closely)


def damage(path: Path, check: str = "quick_check") -> str | None:
    """What SQLite finds wrong in a file; None where it is sound. Only reads, with one exception: a transaction that a
    killed process left half written (a hot journal, https://www.sqlite.org/lockingv3.html) is taken back, as SQLite
    does for whoever opens the file next; it says nothing of the file before.

    check: `integrity_check` looks into the indexes too, which takes some times as long.
    """
    try:
        try:
            answer = _said(path, check, "ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            answer = _said(path, check, "rw")
    except sqlite3.DatabaseError as error:
        answer = str(error)
    return None if answer == "ok" else answer[:120]


def _said(path: Path, check: str, mode: str) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=10)) as connection:
        return str(connection.execute(f"PRAGMA {check}(1)").fetchone()[0])


def is_read_only(path: Path) -> bool:
    """Whether the disk that holds it takes no writes at all."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _refuse_unwritable(path: Path) -> None:
    if os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0)):
        return
    if is_read_only(path):
        raise NotWell(
            f"{path} cannot be written: its disk is read-only. Nothing was changed. A disk that errs becomes "
            "read-only by itself: look at `dmesg`, then mount it writable again, and start again."
        )
    raise NotWell(
        f"{path} cannot be written by this account. Nothing was changed. Start with the account that it belongs "
        f"to, or give it to this one: chown -R {os.getuid()} {path}"
    )


def _refuse_damaged(name: str, path: Path, closely: bool) -> None:
    with path.open("rb") as file:
        found = None if file.read(len(HEADER)) == HEADER else "it does not begin as a database does"
    if found is None and closely and path.stat().st_size <= LARGEST_LOOKED_THROUGH:
        found = damage(path)
    if found is not None:
        raise NotWell(
            f"The {name} in {path} is damaged: {found}. Nothing was written, so that it does not get worse. "
            "Restore the newest backup (python -m panel restore newest); what is there is moved aside, not deleted. "
            "Then look at the disk."
        )
