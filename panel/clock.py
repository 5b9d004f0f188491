"""The only place that asks what time it is.

Functions that decide by time take `now` as an argument; the callers at the edge ask here.
"""

import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path


def utcnow() -> datetime:
    """The wall clock, timezone-aware, in UTC."""
    return datetime.now(UTC)


def boottime() -> float:
    """Seconds since this machine started, suspend included; never steps when somebody sets the clock.

    Linux has CLOCK_BOOTTIME (clock_gettime(2)); elsewhere the monotonic clock is the nearest thing.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@lru_cache(maxsize=1)
def boot_id() -> str:
    """What tells this start of the machine from the one before: a boottime of another boot says nothing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
