"""What a child is told: the one line on its stdin."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from fetchers.core import registry
from panel import gateways, rehearsals, runs, settings
from panel.config import Config
from panel.engine import resume
from panel.engine.retry import Fault
from panel.models import DataSync, SyncRun

SHORTEST_SECRET = 4  # shorter ones would mask half of every sentence
_SECRET_NAMES = ("password", "secret", "token", "api_key", "apikey")

Resolve = Callable[[DataSync, Session, Config], settings.Resolved]


@dataclass(frozen=True)
class Spec:
    """The order for a child, and the secrets in it, in every form in which they might be printed."""

    order: dict[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def build(
    session: Session,
    run: SyncRun,
    config: Config,
    *,
    epoch: int,
    now: datetime,
    resolve: Resolve = settings.resolved,
) -> Spec | Fault:
    """The order for a run, or why there can be none: settings that a person must complete.

    An approval and an undo ask no gateway, so they get no settings and no secret, and incomplete ones do not
    hinder them.
    """
    sync = run.sync
    if run.mode in (runs.APPROVE, runs.UNDO):
        return _about_another(session, run, config, epoch, now)
    found = resolve(sync, session, config)
    if found.problems:
        return _fault(sync, found)
    order = {
        "run": run.uuid,
        "attempt": run.attempt,
        "epoch": epoch,
        "source": sync.fetcher,
        "settings": found.values,
        "database": config.data_database_url,
        "staging": str(config.instance / "staging"),
        "rehearsals": str(rehearsals.folder(config)),
        "mode": run.mode,
        "dry_run": run.dry_run,
        "partitions": run.partitions_wanted,
        "resume": [earlier.uuid for earlier in resume.unfinished(session, run, now)],
        "guard": {
            "part_rows": sync.guard_part_rows,
            "part_percent": sync.guard_part_percent,
            "total_rows": sync.guard_total_rows,
            "total_percent": sync.guard_total_percent,
        },
        "new_fields": sync.new_fields,
        "gateways": gateways.for_a_child(session, config),
        "now": _utc(now),
    }
    return Spec(order, _secrets(sync, {**found.values, "database_password": _password(config)}))


def _about_another(session: Session, run: SyncRun, config: Config, epoch: int, now: datetime) -> Spec | Fault:
    about = session.get(SyncRun, run.about_run_id) if run.about_run_id is not None else None
    if about is None:
        return Fault("E_MOVED" if run.mode == runs.APPROVE else "E_UNDO")
    order = {
        "run": run.uuid,
        "attempt": run.attempt,
        "epoch": epoch,
        "source": run.sync.fetcher,
        "database": config.data_database_url,
        "staging": str(config.instance / "staging"),
        "mode": run.mode,
        "about": about.uuid,
        "now": _utc(now),
    }
    return Spec(order, ())


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _fault(sync: DataSync, found: settings.Resolved) -> Fault:
    listing = registry.load(sync.fetcher)
    if listing.error is not None:
        return Fault("E_FETCHER", {"detail": listing.error})
    filled = {
        name for name, info in settings.declared(sync).items() if settings.extra(info).get("filled_from")
    }
    if found.sealed:
        return Fault("E_SETTINGS", {"reason": "sealed"})
    names = [name for name, _ in found.problems]
    if all(name in filled for name in names):
        return Fault("E_PLAN")
    return Fault("E_SETTINGS", {"missing": [name or problem for name, problem in found.problems]})


def _password(config: Config) -> str:
    """The destination's password, if it has one: the order holds it, and no log may."""
    return str(make_url(config.data_database_url).password or "")


def _secrets(sync: DataSync, values: dict[str, Any]) -> tuple[str, ...]:
    declared = {name for name, info in settings.declared(sync).items() if settings.is_secret(info)}
    forms: set[str] = set()
    for name, value in values.items():
        secret = name in declared or any(word in name.lower() for word in _SECRET_NAMES)
        if secret and isinstance(value, str) and len(value) >= SHORTEST_SECRET:
            forms |= {
                value,
                json.dumps(value)[1:-1],
                json.dumps(value, ensure_ascii=False)[1:-1],
                quote(value),
            }
    return tuple(sorted(forms, key=len, reverse=True))
