"""Which engine processes of this installation there are on this machine: each holds a lock on a file of its own.

The lease says who leads; this says who else is about, which the lease does not know. The kernel gives a lock back
however its process ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "engines"


@contextmanager
def signed(instance: Path) -> Iterator[None]:
    """This process is an engine, as long as the block lasts."""
    folder = instance / FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    for path in _signatures(folder):
        if not _is_held(path):
            path.unlink(missing_ok=True)
    own = folder / str(os.getpid())
    unsigned = own.with_name(f".{own.name}")
    descriptor = os.open(unsigned, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unsigned.rename(own)  # locked before it has its name, so that no other engine sweeps it away
        yield
    finally:
        own.unlink(missing_ok=True)
        os.close(descriptor)


def present(instance: Path) -> list[int]:
    """The process numbers of the engines that are alive."""
    return sorted(int(path.name) for path in _signatures(instance / FOLDER) if _is_held(path))


def _signatures(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
