"""What keeps the databases from being read or written, in words: what happened, are the data safe, what to do.

The drivers say "disk I/O error" or "attempt to write a readonly database", and not which file. Here what they say is
looked at together with what is true of the disks beneath: the same answer for pages, commands and /healthz.
"""

import errno
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from fetchers.core.store import disk
from panel.config import Config

BUSY, FULL, READ_ONLY, FAILING, DAMAGED, CLOSED, GONE = (
    "busy", "disk_full", "read_only", "io", "corrupt", "cannot_open", "gone",
)  # fmt: skip

# SQLite's primary result codes (sqlite.org/rescode.html).
_BY_CODE = {5: BUSY, 6: BUSY, 8: READ_ONLY, 10: FAILING, 11: DAMAGED, 13: FULL, 14: CLOSED, 26: DAMAGED}


def N_(text: str) -> str:
    """Mark a text for the catalogue; it is translated when it is shown."""
    return text


_TEXTS = {
    BUSY: (N_("The database is busy"), N_("Nothing was changed. Try again in a few seconds.")),
    FULL: (
        N_("The server’s disk is full"),
        N_(
            "Nothing was changed, and your data are safe. Whoever looks after the server must make room: "
            "{free} MB are free in {folder}. What is there can be read meanwhile."
        ),
    ),
    READ_ONLY: (
        N_("The server’s disk is read-only"),
        N_(
            "Nothing was changed, and your data are safe. Whoever looks after the server must make {folder} "
            "writable; a disk that became read-only by itself has found an error. "
            "What is there can be read meanwhile."
        ),
    ),
    FAILING: (
        N_("The server’s disk does not work as it should"),
        N_(
            "Nothing was changed. Whoever looks after the server must look at the disk of {folder}, "
            "and take a backup while it can be read."
        ),
    ),
    DAMAGED: (
        N_("A database file is damaged"),
        N_(
            "Nothing was changed, so that it does not get worse. Whoever looks after the server must stop Hamgam, put "
            "the newest backup back (python -m panel restore newest), and look at the disk of {folder}."
        ),
    ),
    CLOSED: (
        N_("The database cannot be opened"),
        N_(
            "Nothing was changed. Whoever looks after the server must see that {folder} is there and lets "
            "the account of the panel in."
        ),
    ),
    GONE: (
        N_("The database does not answer"),
        N_(
            "Nothing was changed. Try again in a few seconds; if it stays so, whoever looks after the server "
            "must see whether PostgreSQL runs."
        ),
    ),
}
# Where our files are is nothing for strangers.
FOR_STRANGERS = N_("Nothing was changed. Whoever looks after the server finds in its log what to do.")
RETRY_AFTER = {BUSY: 5, GONE: 5}  # seconds; a person is needed for the others
LATER = 60


@dataclass(frozen=True)
class Trouble:
    """What is wrong. reason: a word that stays the same in every version."""

    reason: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What happened, an English sentence (a msgid)."""
        return _TEXTS[self.reason][0]

    @property
    def todo(self) -> str:
        """Whether the data are safe and what to do: a format (a msgid) for `params`."""
        return _TEXTS[self.reason][1]

    @property
    def retry_after(self) -> int:
        """Seconds after which a program may try again."""
        return RETRY_AFTER.get(self.reason, LATER)

    @property
    def can_read(self) -> bool:
        """Whether the databases can still be read, as far as is known."""
        return self.reason in (BUSY, FULL, READ_ONLY)

    def __str__(self) -> str:
        return f"{self.title}. {self.todo.format_map(self.params)}"


def of(error: Exception, config: Config) -> Trouble | None:
    """The trouble that a driver's or the system's error tells of; None for anything else, a mistake of ours."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        reason = _BY_CODE.get(getattr(original, "sqlite_errorcode", 0) & 0xFF)
        return None if reason is None else _about(reason, config)
    if isinstance(original, OSError):
        if original.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return _about(disk.by_errno(original.errno) or FAILING, config)
        closed = Path(str(original.filename)).parent
        refused = original.errno in (errno.EACCES, errno.EPERM) and closed in _folders(config)
        return _with_words(READ_ONLY, closed) if refused else None
    if isinstance(error, DBAPIError):
        from psycopg import errors  # here: a house on SQLite never loads it

        if isinstance(original, errors.DiskFull):
            return _about(FULL, config)
        if isinstance(original, errors.LockNotAvailable | errors.QueryCanceled | errors.DeadlockDetected):
            return Trouble(BUSY)
        if isinstance(original, errors.OperationalError):
            return Trouble(GONE)
    return None


def of_disks(config: Config) -> Trouble | None:
    """A disk of this house on which nothing can be written now."""
    for folder in _folders(config):
        found = disk.trouble(folder)
        if found is not None:
            return _with_words(found, folder)
    return None


def _about(reason: str, config: Config) -> Trouble | None:
    """The trouble, with what is true of the disks: an "I/O error" on a full one is a full disk."""
    if reason == BUSY:
        return Trouble(BUSY)
    found = None if reason == DAMAGED else of_disks(config)
    if found is not None:
        return found
    folder = config.instance
    if reason == READ_ONLY:
        closed = [path for path in _paths(config) if path.exists() and not os.access(path, os.W_OK)]
        if not closed:
            return None  # the database is writable: a transaction of ours wrote without having said so
        folder = closed[0].parent
    return _with_words(reason, folder)


def _with_words(reason: str, folder: Path) -> Trouble:
    return Trouble(reason, {"folder": str(folder), "free": f"{disk.free_megabytes(folder):g}"})


def _folders(config: Config) -> list[Path]:
    """Where the files of this house are."""
    return list(dict.fromkeys([config.instance, *(path.parent for path in _paths(config))]))


def _paths(config: Config) -> list[Path]:
    """The databases that are files."""
    files = (_file(config.panel_database_url), _file(config.data_database_url))
    return [path for path in files if path is not None]


def _file(url: str) -> Path | None:
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None
