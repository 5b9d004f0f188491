"""What needs a person now, the most urgent first; and apart from it, what failed and goes on by itself.

    a failure ── heals: the schedule comes back to it, and its reason may pass ── else somebody has to act
                 └── three in a row, or data that are older than they should be: no longer

Whoever shows it adds words and a way to what can be done (panel/admin/attention_card.py).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Text, and_, cast, or_, select
from sqlalchemy.orm import Session

from panel.gateways import Gateway
from panel.holidays import Trouble as Gap
from panel.lateness import LATE, OVERDUE, Timeliness
from panel.models import DataSync, SyncRun
from panel.storage import Trouble

ENGINE, DISK, HELD, FAILED, BROKEN, MISSING, DOWN, LATE_TURN, STALE, PAUSED, UNPLANNED, CALENDAR = KINDS = (
    "engine", "disk", "held", "failed", "broken", "missing", "gateway", "overdue", "stale", "paused", "unplanned",
    "calendar",
)  # fmt: skip
_URGENCY = {kind: place for place, kind in enumerate(KINDS)}
_BY_ENGINE = (LATE_TURN, STALE)  # that nothing starts explains these
_EPOCH = datetime.fromtimestamp(0, UTC)

FAILURES_IN_ROW = 3  # from then on it is no passing trouble
# What a later attempt may do without, as fetchers/core/errors.py and the engine say of it.
PASSING = frozenset(
    {
        "E_CONNECT", "E_TIMEOUT", "E_SERVER", "E_RATE", "E_UNAVAILABLE", "E_TRUNCATED", "E_NOT_JSON", "E_ENVELOPE",
        "E_PAGING", "E_OOM", "E_MOVED", "E_STALLED", "E_LOST", "E_INTERRUPTED",
    }
)  # fmt: skip
_CERTIFICATE = "tls"  # how the reasons of an E_CONNECT begin that a person must look at
_PASSING_STORAGE = ("busy", "gone")


@dataclass(frozen=True)
class Hold:
    """A run that waits for a decision, and since when."""

    run: int
    since: datetime | None


@dataclass(frozen=True)
class Setback:
    """The newest run of a source failed, or waits for another attempt. heals: it is tried again without a person."""

    run: int | None  # None: it is not on the list any more
    at: datetime | None
    heals: bool


@dataclass(frozen=True)
class Halt:
    """A source whose newest run failed (setback), or whose schedule starts nothing (stuck: paused or unplanned)."""

    setback: Setback | None = None
    stuck: str | None = None


class Stands(Protocol):
    """What is known of a source."""

    @property
    def broken(self) -> str | None: ...

    @property
    def missing(self) -> str | None: ...

    @property
    def hold(self) -> Hold | None: ...

    @property
    def halt(self) -> Halt | None: ...

    @property
    def timeliness(self) -> Timeliness | None: ...

    @property
    def need(self) -> str | None: ...


@dataclass(frozen=True)
class Need:
    """One thing that stays as it is until somebody does something.

    source: whose it is; None for what concerns all. since: when it began; None where nobody knows. run: the one that it
    is about. about: the gateway that is down, the disk's trouble, what is missing on the calendar.
    """

    kind: str
    source: Any = None
    since: datetime | None = None
    run: int | None = None
    about: Gateway | Trouble | Gap | None = None


@dataclass(frozen=True)
class Attention:
    """needs: the most urgent first, of one kind the longest first. by_themselves: sources that are tried again."""

    needs: Sequence[Need]
    by_themselves: Sequence[Any]


def kind_of(source: Stands) -> str | None:
    """What a source needs a person for; of several things the one that explains the others; None: nothing."""
    if source.hold is not None:
        return HELD
    if source.broken:
        return BROKEN
    if source.missing:
        return MISSING
    late = source.timeliness
    behind = late is not None and late.needs_a_person
    halt = source.halt
    if halt is not None and halt.setback is not None and (behind or not halt.setback.heals):
        return FAILED
    if behind:
        assert late is not None
        return LATE_TURN if late.turn == OVERDUE else STALE
    return None if halt is None else halt.stuck


def goes_on(source: Stands) -> bool:
    """Whether something is not as it should be, and mends itself."""
    if source.need is not None:
        return False
    tried_again = source.halt is not None and source.halt.setback is not None
    return tried_again or (source.timeliness is not None and source.timeliness.turn == LATE)


def attention(
    sources: Iterable[Stands],
    *,
    engine_down: bool = False,
    disk: Trouble | None = None,
    gateways: Iterable[Gateway] = (),
    calendar: Iterable[Gap] = (),
    is_new: bool = False,
) -> Attention:
    """All that needs a person, each thing once: late sources are not named while it is the engine that is missing.

    is_new: the house is not set up yet, and the page leads to where it is; so missing settings are not named either.
    """
    needs, going_on = [], []
    if engine_down:
        needs.append(Need(ENGINE))
    if disk is not None:
        needs.append(Need(DISK, about=disk))
    for source in sources:
        if source.need is None:
            if goes_on(source) and not (engine_down and _waits_for_the_engine(source)):
                going_on.append(source)
        elif not (engine_down and source.need in _BY_ENGINE) and not (is_new and source.need == MISSING):
            needs.append(_of(source, source.need))
    needs += [Need(DOWN, since=one.lamp.since, about=one) for one in gateways if one.lamp.kind == "down"]
    needs += [Need(CALENDAR, about=gap) for gap in calendar]
    return Attention(sorted(needs, key=_urgency), going_on)


def _waits_for_the_engine(source: Stands) -> bool:
    return source.halt is None or source.halt.setback is None


def _urgency(need: Need) -> tuple[int, datetime]:
    return _URGENCY[need.kind], need.since or _EPOCH


def _of(source: Stands, kind: str) -> Need:
    late, halt = source.timeliness, source.halt
    if kind == HELD and source.hold is not None:
        return Need(kind, source, source.hold.since, source.hold.run)
    if kind == FAILED and halt is not None and halt.setback is not None:
        return Need(kind, source, halt.setback.at, halt.setback.run)
    if kind in _BY_ENGINE and late is not None:
        return Need(kind, source, late.due_at if kind == LATE_TURN else late.stale_since)
    return Need(kind, source)


def may_heal(code: str | None, params: Mapping[str, Any]) -> bool:
    """Whether the reason of a failure may pass without a person."""
    if code == "E_PARTIAL":
        codes = params.get("codes") or ()
        return bool(codes) and all(may_heal(one, {}) for one in codes)
    if code == "E_STORAGE":
        return params.get("reason") in _PASSING_STORAGE
    if code == "E_CONNECT" and str(params.get("reason", "")).startswith(_CERTIFICATE):
        return False
    return code in PASSING


def halts(session: Session, now: datetime) -> dict[int, Halt]:
    """By sync, of those of which there is something to tell; one statement."""
    failed = or_(DataSync.status == "failed", and_(DataSync.status == "pending", SyncRun.attempt > 1))
    # Of the other kinds the engine plans the next turn within moments.
    unplanned = and_(DataSync.schedule_kind == "calendar", DataSync.next_run_at.is_(None))
    paused = and_(DataSync.schedule_kind != "off", DataSync.paused_reason.is_not(None))
    found = session.execute(
        select(
            DataSync.id, DataSync.status, DataSync.schedule_kind, DataSync.next_run_at, DataSync.paused_reason,
            DataSync.paused_until, DataSync.consecutive_failures, SyncRun.id, SyncRun.attempt, SyncRun.finished_at,
            SyncRun.requested_at, SyncRun.error_code, cast(SyncRun.error_params, Text),
        )
        .join_from(DataSync, SyncRun, SyncRun.id == DataSync.last_run_id, isouter=True)
        .where(or_(failed, paused, unplanned))
    )  # fmt: skip
    told = {}
    for sync, status, kind, due, reason, until, failures, run, attempt, ended, asked, code, params in found:
        comes_back = kind != "off" and due is not None and reason is None and not (until and now < until)
        setback, stuck = None, None
        if status == "failed":
            passes = failures < FAILURES_IN_ROW and may_heal(code, json.loads(params or "null") or {})
            setback = Setback(run, ended, heals=comes_back and passes)
        elif status == "pending" and attempt > 1:
            setback = Setback(run, asked, heals=True)  # its next attempt is written down
        if kind != "off" and reason is not None:
            stuck = PAUSED
        elif kind == "calendar" and due is None:
            stuck = UNPLANNED
        told[sync] = Halt(setback, stuck)
    return told
