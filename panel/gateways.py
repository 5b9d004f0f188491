"""The gateways behind the sources: how gently each is to be asked, and how it does.

Whoever asks a gateway (a run, a button, a command) is a child process, and all of them share one budget, one breaker
and one memory of it in the folder `instance/gateways` (fetchers/core/wire/gateway.py). Here is what the control plane
adds: which sources are behind which gateway, and the lamp of each, read from that folder and never written.
"""

import json
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from fetchers.core import registry
from fetchers.core.wire import gateway, lamps
from fetchers.core.wire.courtesy import Budget
from fetchers.core.wire.lamps import Lamp
from panel import explain, settings
from panel.config import Config
from panel.models import DataSync
from panel.models.base import iso

log = structlog.get_logger("gateways")

ASKED = ("base_url", "connections", "requests_per_second")  # the settings by which a gateway is known
STATES_REMEMBERED = 5_000  # of settings: they are read at each start of a run, and hardly ever change
LIGHTS = {"well": "green", "slow": "amber", "failing": "amber", "paused": "amber", "down": "red"}


_known: dict[Hashable, tuple[str, Budget] | None] = {}


@dataclass(frozen=True)
class Gateway:
    """One gateway: its address, the keys of its sources, the gentlest of their settings, and how it does."""

    address: str
    sources: tuple[str, ...]
    budget: Budget
    lamp: Lamp

    @property
    def light(self) -> str:
        """green, amber, red, or none where nobody has asked it yet."""
        return LIGHTS.get(self.lamp.kind, "none")

    @property
    def why(self) -> explain.Explanation | None:
        """What went wrong last, where the lamp is not green for it; in the reader's language."""
        cause = self.lamp.cause
        return None if cause is None else explain.explain(cause.code, cause.params)

    def to_dict(self) -> dict[str, Any]:
        """The gateway as REST and `status --json` know it."""
        lamp, cause = self.lamp, self.lamp.cause
        return {
            "gateway": self.address,
            "sources": list(self.sources),
            "light": self.light,
            "state": lamp.kind,
            "since": iso(lamp.since),
            "asked_again_at": iso(lamp.until),
            "error_code": cause.code if cause else None,
            "error_message": explain.message(cause.code, cause.params) if cause else None,
            "failures": lamp.failures,
            "pace": lamp.pace,
            "connections": self.budget.connections,
            "requests_per_second": self.budget.per_second or None,
            "last_answer_at": iso(lamp.answered_at),
        }


def folder(config: Config) -> Path:
    """Where what is known of the gateways is kept."""
    return config.instance / "gateways"


def for_a_child(session: Session, config: Config) -> dict[str, Any]:
    """What a child's order says of the gateways (fetchers.core.spec.Gateways)."""
    return {
        "folder": str(folder(config)),
        "budgets": {
            address: {"connections": budget.connections, "requests_per_second": budget.per_second}
            for address, (_, budget) in _behind(session, config).items()
        },
    }


def gateways(session: Session, config: Config) -> list[Gateway]:
    """Every gateway that a source is set to, by address."""
    return [
        Gateway(address, tuple(sources), budget, _lamp(config, address))
        for address, (sources, budget) in sorted(_behind(session, config).items())
    ]


def _behind(session: Session, config: Config) -> dict[str, tuple[list[str], Budget]]:
    """By gateway: the sources behind it, and the gentlest of their settings."""
    found: dict[str, tuple[list[str], Budget]] = {}
    ruled: dict[str, Hashable] = {}
    rows = select(DataSync.key, DataSync.fetcher, cast(DataSync.settings, Text)).order_by(DataSync.key)
    for key, fetcher, stored in session.execute(rows):
        if fetcher not in ruled:
            ruled[fetcher] = _ruled(fetcher, config)
        state = (fetcher, ruled[fetcher], stored)
        if state not in _known:
            if len(_known) >= STATES_REMEMBERED:
                _known.clear()
            _known[state] = _asked(fetcher, json.loads(stored), config)
        behind = _known[state]
        if behind is None:
            continue
        address, budget = behind
        sources, gentlest = found.get(address, ([], budget))
        sources.append(key)
        found[address] = (sources, gentlest.gentler(budget))
    return found


def _ruled(fetcher: str, config: Config) -> Hashable:
    """What else than its row says which gateway a source asks: its fetcher's file, and the environment."""
    kind = registry.load(fetcher).fetcher
    fields = {} if kind is None else kind.Settings.model_fields
    variables = [settings.extra(fields[name]).get("env") for name in ASKED if name in fields]
    return kind, tuple(config.variable(variable) for variable in variables)


def _asked(fetcher: str, stored: dict[str, Any], config: Config) -> tuple[str, Budget] | None:
    """Which gateway a source asks, and how gently by its own settings; None: none, or none yet."""
    plain = settings.known(fetcher, stored, config, *ASKED)
    try:
        address = gateway.key_of(str(plain.get("base_url") or ""))
        return address, Budget(int(plain["connections"]), float(plain["requests_per_second"]))
    except (KeyError, TypeError, ValueError):
        return None  # the source's own row says what is missing


def _lamp(config: Config, address: str) -> Lamp:
    try:
        return lamps.read(folder(config), address)
    except OSError as error:
        log.warning("the state of a gateway cannot be read", gateway=address, error=error.strerror)
        return Lamp()
