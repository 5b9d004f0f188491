"""What happened to the sources, one thing after the other: runs, what people changed, what they decided.

Two books tell it, and each has an order of its own: the runs, and the audit trail. A page takes from both what is
newest, and ends with the place in each at which the next page goes on; so it costs the same however much there is.

The trail has no index by source or action: somebody signs in a thousand times between two changes. A page looks at
LOOKED_AT of its entries at most, and where that does not fill it, it ends at the moment up to which it has looked.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from fetchers.core import registry
from panel import settings
from panel.models import AuditEntry, DataSync, SyncRun

EVENTS_A_PAGE = 40
LOOKED_AT = 100_000  # entries of the trail for one page; SQLite takes 30 ms for them
AROUND_LOOKED_AT = 2_000  # on each side of a run; its page asks again every two seconds
AROUND_RUNS = 2  # of the source, on each side
AROUND_ENTRIES = 8  # on each side

# Who decided stands on the page of the run as well, for everybody who may see runs.
DECISIONS = (
    "hold_accepted",
    "hold_rejected",
    "hold_lapsed",
    "hold_superseded",
    "run_undone",
    "run_cancelled",
)
# What may let the next run be another one. Who did this is for those who may read the trail.
OF_A_SOURCE = ("settings_changed", "schedule_changed", "sync_paused", "sync_resumed", "pause_ended")
OF_CAMPUSES = ("campus_added", "campus_changed", "campuses_imported")
OF_THE_CALENDAR = ("calendar_imported", "calendar_changed")
CHANGES = (*OF_A_SOURCE, *OF_CAMPUSES, *OF_THE_CALENDAR, "databases_moved")
KINDS = ("runs", "changes", "decisions")

_PLACE = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII).fullmatch


@dataclass(frozen=True)
class Event:
    """A run, or an entry of the trail."""

    at: datetime
    run: SyncRun | None = None
    entry: AuditEntry | None = None


@dataclass(frozen=True)
class Place:
    """Where a page begins: behind this run, and behind this entry."""

    run: int
    entry: int

    def __str__(self) -> str:
        return f"{self.run}-{self.entry}"


@dataclass(frozen=True)
class Wanted:
    """What is asked for. kinds: of KINDS; since, until: moments, the latter not included; after: where to begin."""

    kinds: Collection[str]
    sync: DataSync | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: Place | None = None


@dataclass(frozen=True)
class Page:
    """Events, the newest first. older: where the next page begins; None: there is nothing older."""

    events: list[Event]
    older: Place | None


def place(text: str) -> Place | None:
    """The place that an address names; None for nonsense."""
    found = _PLACE(text)
    return Place(int(found[1]), int(found[2])) if found else None


def page(session: Session, wanted: Wanted) -> Page:
    """The newest events that fit, behind the place where the page before it ended.

    1. One more of each book than the page holds.
    2. Always the newer of the two that come next, until the page is full.
    3. A run that is older than what was looked at of the trail waits: an entry may come before it.
    """
    runs = _runs(session, wanted) if "runs" in wanted.kinds else []
    actions = _actions(wanted.kinds)
    # Entries that are older than all of these runs are for the next page.
    oldest = runs[-1].requested_at if len(runs) > EVENTS_A_PAGE else None
    trail = _trail(session, wanted, actions, oldest) if actions else _Trail([], 0, None)
    events: list[Event] = []
    ran, told = 0, 0
    while len(events) < EVENTS_A_PAGE and (ran < len(runs) or told < len(trail.entries)):
        run = runs[ran] if ran < len(runs) else None
        entry = trail.entries[told] if told < len(trail.entries) else None
        if run is not None and (entry is None or run.requested_at >= entry.at):
            if entry is None and trail.reaches_to is not None and run.requested_at < trail.reaches_to:
                break
            events.append(Event(run.requested_at, run=run))
            ran += 1
        else:
            assert entry is not None
            events.append(Event(entry.at, entry=entry))
            told += 1
    runs_left = ran < len(runs)
    entries_left = told < len(trail.entries)
    if not runs_left and not entries_left and not trail.lowest:
        return Page(events, None)
    return Page(
        events,
        Place(
            (runs[ran - 1].id if ran else runs[0].id + 1) if runs_left else 0,
            (trail.entries[told - 1].id if told else trail.entries[0].id + 1)
            if entries_left
            else trail.lowest,
        ),
    )


def around(session: Session, run: SyncRun, kinds: Collection[str]) -> list[Event]:
    """What led to a run and what followed, the newest first: the runs of its source next to it, those that take it
    back or accept it, and what people did between them."""
    same = select(SyncRun).where(SyncRun.sync_id == run.sync_id)
    before = session.scalars(
        same.where(SyncRun.id < run.id).order_by(SyncRun.id.desc()).limit(AROUND_RUNS)
    ).all()
    after = session.scalars(same.where(SyncRun.id > run.id).order_by(SyncRun.id).limit(AROUND_RUNS)).all()
    about = session.scalars(
        select(SyncRun).where(SyncRun.about_run_id == run.id).order_by(SyncRun.id).limit(AROUND_ENTRIES)
    ).all()
    near = {one.id: one for one in (run, *before, *after, *about)}
    events = [Event(one.requested_at, run=one) for one in near.values()]
    entries = _entries_around(session, run, before, after, _actions(kinds))
    events += [Event(entry.at, entry=entry) for entry in entries]
    return sorted(events, key=lambda event: (event.at, event.run.id if event.run else 0), reverse=True)


@dataclass(frozen=True)
class _Trail:
    """Entries that fit. lowest: how far was looked, 0: to the end; reaches_to: the moment of that."""

    entries: Sequence[AuditEntry]
    lowest: int
    reaches_to: datetime | None


def _runs(session: Session, wanted: Wanted) -> Sequence[SyncRun]:
    where: list[ColumnElement[bool]] = []
    if wanted.sync is not None:
        where.append(SyncRun.sync_id == wanted.sync.id)
    # Runs have the numbers in whose order they were asked for, so that days need no index beside the number.
    if wanted.since is not None:
        first = _first_run(session, wanted.since)
        if first is None:
            return []
        where.append(SyncRun.id >= first)
    behind = wanted.after.run if wanted.after else None
    if wanted.until is not None:
        last = _first_run(session, wanted.until)
        behind = last if behind is None else behind if last is None else min(behind, last)
    if behind is not None:
        where.append(SyncRun.id < behind)
    newest = select(SyncRun).where(*where).order_by(SyncRun.id.desc()).limit(EVENTS_A_PAGE + 1)
    return session.scalars(newest).all()


def _first_run(session: Session, at: datetime) -> int | None:
    found = select(SyncRun.id).where(SyncRun.requested_at >= at)
    return session.scalar(found.order_by(SyncRun.requested_at, SyncRun.id).limit(1))


def _trail(
    session: Session, wanted: Wanted, actions: Collection[str], needed_since: datetime | None
) -> _Trail:
    oldest, newest = session.execute(
        select(
            select(func.min(AuditEntry.id)).scalar_subquery(),
            select(func.max(AuditEntry.id)).scalar_subquery(),
        )
    ).one()
    behind = (newest or 0) + 1
    if wanted.until is not None:
        behind = min(behind, _first_entry(session, wanted.until) or behind)
    if wanted.after is not None:
        behind = min(behind, wanted.after.entry)
    end = oldest or 0
    if wanted.since is not None:
        end = max(end, _first_entry(session, wanted.since) or behind)
    needed = end if needed_since is None else _first_entry(session, needed_since) or behind
    lowest = max(end, needed, behind - LOOKED_AT)
    entries = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.id < behind, AuditEntry.id >= lowest, *_fits(wanted.sync, actions))
        .order_by(AuditEntry.id.desc())
        .limit(EVENTS_A_PAGE + 1)
    ).all()
    if len(entries) > EVENTS_A_PAGE or lowest <= end:
        return _Trail(entries, 0, None)
    if lowest == needed:
        return _Trail(entries, lowest, needed_since)
    at = select(AuditEntry.at).where(AuditEntry.id >= lowest).order_by(AuditEntry.id).limit(1)
    return _Trail(entries, lowest, session.scalar(at))


def _first_entry(session: Session, at: datetime) -> int | None:
    found = select(AuditEntry.id).where(AuditEntry.at >= at)
    return session.scalar(found.order_by(AuditEntry.at, AuditEntry.id).limit(1))


def _entries_around(
    session: Session,
    run: SyncRun,
    before: Sequence[SyncRun],
    after: Sequence[SyncRun],
    actions: Collection[str],
) -> list[AuditEntry]:
    if not actions:
        return []
    then = _first_entry(session, run.requested_at)
    if then is None:
        then = (session.scalar(select(func.max(AuditEntry.id))) or 0) + 1
    fits = _fits(run.sync, actions)
    if before:
        fits.append(AuditEntry.at >= before[-1].requested_at)
    earlier = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.id < then, AuditEntry.id >= then - AROUND_LOOKED_AT, *fits)
        .order_by(AuditEntry.id.desc())
        .limit(AROUND_ENTRIES)
    ).all()
    if len(after) == AROUND_RUNS:
        fits.append(AuditEntry.at <= after[-1].requested_at)
    later = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.id >= then, AuditEntry.id < then + AROUND_LOOKED_AT, *fits)
        .order_by(AuditEntry.id)
        .limit(AROUND_ENTRIES)
    ).all()
    return [*earlier, *later]


def _actions(kinds: Collection[str]) -> tuple[str, ...]:
    return (DECISIONS if "decisions" in kinds else ()) + (CHANGES if "changes" in kinds else ())


def _fits(sync: DataSync | None, actions: Collection[str]) -> list[ColumnElement[bool]]:
    """These actions; of one source, those that it can feel."""
    if sync is None:
        return [AuditEntry.action.in_(actions)]
    own = [action for action in actions if action in (*DECISIONS, *OF_A_SOURCE)]
    around = [
        *(OF_CAMPUSES if _asks_for_campuses(sync) else ()),
        *(OF_THE_CALENDAR if sync.schedule_kind == "calendar" else ()),
    ]
    shared = cast(AuditEntry.details, String).contains(f'"{sync.key}"', autoescape=True)
    felt = or_(
        and_(
            AuditEntry.action.in_(own),
            or_(AuditEntry.subject == sync.key, and_(AuditEntry.action == "settings_changed", shared)),
        ),
        AuditEntry.action.in_([action for action in around if action in actions]),
    )
    return [felt]


def _asks_for_campuses(sync: DataSync) -> bool:
    fetcher = registry.load(sync.fetcher).fetcher
    fields = {} if fetcher is None else fetcher.Settings.model_fields
    return any(settings.extra(field).get("filled_from") == "campuses" for field in fields.values())
