"""What is known of a gateway, for people: read from where its askers keep it, and never written.

The control plane reads it from here. It is a small file that is read whole, not a database: nothing of it can be
locked or hurt by a reader.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fetchers.core.wire import courtesy, gateway
from fetchers.core.wire.courtesy import Cause, State


@dataclass(frozen=True)
class Lamp:
    """How a gateway does. kind: well, slow, failing, paused, down, or unknown (nobody has asked it yet).

    since: since when it is so. until: when it is asked again, of one that is down or has asked for a pause; awaited:
    whether somebody waits for that moment, else it comes with the next run. pace: share of the usual one. seconds and
    usual: how long the slow address takes now, and usually.
    """

    kind: str = "unknown"
    since: datetime | None = None
    until: datetime | None = None
    awaited: bool = False
    cause: Cause | None = None
    failures: int = 0
    pace: float = 1.0
    seconds: float | None = None
    usual: float | None = None
    answered_at: datetime | None = None


def read(folder: Path, key: str) -> Lamp:
    """The lamp of the gateway with this key (gateway.key_of). Raises OSError where its file is there and unreadable."""
    try:
        written = (folder / gateway.file_name(key) / "state.json").read_bytes()
    except FileNotFoundError:
        return Lamp()
    state = gateway.read_state(written, key)
    now = gateway.boottime()
    state.wake(gateway.boot_id(), now)
    return of(state, now, datetime.now(UTC))


def of(state: State, now: float, wall: datetime) -> Lamp:
    """The lamp of a state. now: seconds since boot; wall: the same moment for people."""
    kind = state.kind_now(now)
    until = None
    if kind == "paused":
        until = wall + timedelta(seconds=state.paused_until - now)
    elif state.open_until is not None:
        until = wall + timedelta(seconds=max(state.open_until, state.paused_until, now) - now)
    speed = state.paths.get(state.slowed_by) if kind == "slow" else None
    return Lamp(
        kind=kind,
        # A pause ends without anybody writing it down: since when it is over is not known.
        since=_moment(state.since) if kind == state.kind else None,
        until=until,
        awaited=any(now - run.waits < courtesy.FRESH for run in state.runs.values()),
        cause=state.cause,
        failures=state.failures,
        pace=state.factor,
        seconds=speed.recent[-1] if speed and speed.recent else None,
        usual=speed.usual if speed else None,
        answered_at=_moment(state.answered_at),
    )


def _moment(wall: float | None) -> datetime | None:
    return datetime.fromtimestamp(wall, UTC) if wall else None
