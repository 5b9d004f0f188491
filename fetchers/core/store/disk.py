"""What is true of the disk beneath a database: SQLite calls most troubles of a disk an "I/O error"."""

import errno
import os
from pathlib import Path

_NAMELESS = getattr(os, "O_TMPFILE", 0)  # Linux alone has it
NOTHING_LEFT = 64 * 1024  # bytes; what SQLite keeps beside an open file takes half of that

_BY_ERRNO = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
    errno.EIO: "io",
}


def by_errno(number: int | None) -> str | None:
    """The trouble that a system call's error number tells of: `disk_full`, `read_only`, `io`; None: another one."""
    return _BY_ERRNO.get(number or 0)


def trouble(folder: Path) -> str | None:
    """`read_only`, `disk_full` or `io`, where nothing can be written in this folder now; else None.

    A file without a name is made and let go of: a file system that found an error in itself takes no more writes and
    does not say so of itself.
    """
    try:
        found = os.statvfs(folder)
        if found.f_bavail * found.f_frsize < NOTHING_LEFT:
            return "read_only" if found.f_flag & os.ST_RDONLY else "disk_full"
        if _NAMELESS:
            os.close(os.open(folder, _NAMELESS | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return by_errno(error.errno)  # None too where the file system knows no such files
    return None


def free_megabytes(folder: Path) -> float:
    """What this account may still write there, in MB, to one decimal place."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0.0
    return round(found.f_bavail * found.f_frsize / 1024**2, 1)
