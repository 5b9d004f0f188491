"""Which process is which. A process number alone proves nothing: it is used again for strangers.

A process is known by its number, its start time in clock ticks since boot (/proc/<pid>/stat, field 22:
https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html) and the boot's id. What a run started carries the
run's id in its environment as well, so that its stray helpers are found too. Where there is no /proc nothing
is recognised, and nothing that is not recognised is ever killed.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from panel import clock

RUN_VARIABLE = "HAMGAM_RUN_ID"
_PROC = Path("/proc")


def started(pid: int) -> int | None:
    """When a living process began, in ticks since boot; None if there is none (a zombie has ended)."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat[stat.rfind(")") + 1 :].split()  # the name in brackets may hold anything
    if fields[0] in ("Z", "X"):
        return None
    return int(fields[19])


def lives(pid: int | None, started_at: int | None, boot_id: str | None) -> bool:
    """Whether exactly that process still lives on this machine."""
    if pid is None or started_at is None or boot_id != clock.boot_id():
        return False
    return started(pid) == started_at


def namespace() -> str:
    """The namespace that our process numbers belong to; numbers of another mean nothing here."""
    try:
        return os.readlink(_PROC / "self" / "ns" / "pid")
    except OSError:
        return "unknown"


def of_run(uuid: str) -> list[int]:
    """Every living process that a run started, itself or through others."""
    mark = f"{RUN_VARIABLE}={uuid}".encode()
    found = []
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0") and started(int(entry.name)) is not None:
                found.append(int(entry.name))
    return found


def killed_for_memory() -> int | None:
    """How many processes of this machine the kernel has killed for memory since its start; None if it does not tell.

    /proc/vmstat counts a control group's limit as well as the whole machine's.
    """
    try:
        lines = (_PROC / "vmstat").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def kill_run(
    uuid: str, pid: int | None, started_at: int | None, boot_id: str | None, patience: float = 10.0
) -> bool:
    """End what is left of a run that nobody supervises any more. True if nothing of it lives.

    1. Its child, if the process of that number is still the same one: with its whole group.
    2. Whatever else carries its id.
    3. Wait until they are gone.
    """
    deadline = time.monotonic() + patience
    while True:
        child = lives(pid, started_at, boot_id)
        rest = of_run(uuid)
        if not child and not rest:
            return True
        if time.monotonic() > deadline:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if child and pid is not None:
                os.killpg(pid, signal.SIGKILL)
        for stray in rest:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
        time.sleep(0.02)
