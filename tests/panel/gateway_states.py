"""A gateway in some state, as its askers would have left it in the instance's folder."""

import time
from typing import Any

from fetchers.core.wire import gateway
from fetchers.core.wire.courtesy import Budget, Cause, Quickness
from panel import gateways
from panel.config import Config

ADDRESS = "https://gateway.example.ac.ir"  # of the example house


def put(config: Config, *, address: str = ADDRESS, waits: bool = False, **state: Any) -> None:
    """Leave this state. Moments (`open_until`, `paused_until`) are seconds from now; waits: a run stands before it."""
    now, wall = gateway.boottime(), time.time()
    with gateway.Shared(gateways.folder(config), gateway.key_of(address)).opened() as found:
        found.wake(gateway.boot_id(), now)
        run = found.come("run", Budget(4, 4.0), now)
        run.waits = now if waits else 0.0
        for name, value in state.items():
            moment = name in ("open_until", "paused_until") and value is not None
            setattr(found, name, now + value if moment else value)
        found.kind, found.since = found.kind_now(now), wall - 300
        if found.answered_at is None:
            found.answered_at = wall - 120


def well(config: Config) -> None:
    put(config, answered_at=time.time() - 120)


def down(config: Config, *, waits: bool = True) -> None:
    put(
        config,
        waits=waits,
        open_until=180.0,
        failures=12,
        cause=Cause("E_SERVER", {"host": "gateway.example.ac.ir", "status": 503}),
    )


def paused(config: Config) -> None:
    put(config, paused_until=240.0, cause=Cause("E_RATE", {}), failures=1)


def slow(config: Config) -> None:
    put(
        config,
        factor=0.5,
        judged=gateway.boottime(),
        slowed_by="/x",
        paths={"/x": Quickness(1.2, [3.4])},
        answered_at=time.time() - 120,
    )


def failing(config: Config) -> None:
    put(config, failures=4, cause=Cause("E_TIMEOUT", {"seconds": 60.0}), answered_at=time.time() - 120)
