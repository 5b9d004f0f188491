"""What is true of the disk beneath a database: SQLite calls most troubles of a disk an "I/O error"."""

import errno
import os
from pathlib import Path

NOTHING_LEFT = 64 * 1024  # bytes; what SQLite keeps beside an open file takes half of that

_BY_ERRNO = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
}


def by_errno(number: int | None) -> str | None:
    """The trouble that a system call's error number tells of: `disk_full`, `read_only`; None: another one."""
    return _BY_ERRNO.get(number or 0)


def trouble(folder: Path) -> str | None:
    """`read_only` or `disk_full`, where nothing can be written below this folder now; else None."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    if found.f_flag & os.ST_RDONLY:
        return "read_only"
    return "disk_full" if found.f_bavail * found.f_frsize < NOTHING_LEFT else None


def free_megabytes(folder: Path) -> float:
    """What this account may still write there, in MB, to one decimal place."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0.0
    return round(found.f_bavail * found.f_frsize / 1024**2, 1)
