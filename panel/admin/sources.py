"""The sources as the status table shows them: state, last and next sync, counts, and what to do next."""

import json
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from fetchers.core import registry
from fetchers.core.clean.text import fold
from fetchers.core.fetcher import Fetcher
from panel import attention, decisions, lateness, persian, runs, settings
from panel.admin import schema_words, show
from panel.auth.locale import current
from panel.config import Config
from panel.models import ACTIVE, DataSync, SyncRun
from panel.newest import of_each_sync

STRIP = 14
LONGER_THAN_USUAL = 1.5
BAR_HEIGHTS = 6
SOURCES_A_PAGE = 20
STATES_REMEMBERED = 5_000  # of settings; the sources of a large house in both languages

_told: dict[Hashable, str | None] = {}


class Named(Protocol):
    """A sync, or these columns of it."""

    @property
    def id(self) -> int: ...

    @property
    def key(self) -> str: ...

    @property
    def fetcher(self) -> str: ...


class Past(NamedTuple):
    """What the strip shows of a run."""

    id: int
    status: str
    duration_seconds: float | None
    started_at: datetime | None
    finished_at: datetime | None
    requested_at: datetime


class _Stored(NamedTuple):
    """What is kept of a sync's settings."""

    fetcher: str
    settings: Mapping[str, Any]
    secrets: bytes | None


@dataclass(frozen=True)
class Bar:
    """One run in the strip: its colour is the status, its height the duration."""

    url: str
    status: str
    height: int
    title: str


@dataclass(frozen=True)
class Source:
    """One row of the status table."""

    sync: DataSync
    label: str
    broken: str | None  # why the fetcher's file cannot be used
    missing: str | None  # which settings are missing
    run: SyncRun | None  # the newest one
    bars: list[Bar]
    timeliness: lateness.Timeliness
    elapsed: float | None
    question: str  # what the button asks before it syncs
    hold: SyncRun | None = None  # the run that waits for a decision
    in_parts: bool = False  # some can be chosen
    news: str | None = None  # what was heard of the schema lately
    paused_until: datetime | None = None  # a person's pause that is not over
    waiting: str | None = None  # why nothing moves, and when it goes on
    behind: int = 0  # runs that are before it, where all places are taken
    heals: bool = False  # its newest run failed, and is made up for without a person

    @property
    def active(self) -> bool:
        return self.run is not None and self.run.status in ACTIVE

    @property
    def stopping(self) -> bool:
        return self.run is not None and self.active and self.run.stop_requested_at is not None

    @property
    def slow(self) -> bool:
        """Running clearly longer than usual."""
        return is_slow(self.elapsed, self.sync.usual_seconds)

    @property
    def cannot(self) -> str | None:
        """Why the button cannot be pressed."""
        if self.broken:
            return _("The fetcher's file must be mended first.")
        if self.missing:
            return _("The settings must be completed first.")
        return None


@dataclass(frozen=True)
class Standing:
    """What is known of every source, also of those on other pages of the status table."""

    id: int
    key: str
    label: str
    status: str | None
    broken: str | None
    missing: str | None
    hold: attention.Hold | None = None
    halt: attention.Halt | None = None
    timeliness: lateness.Timeliness | None = None  # of one that is not in time

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @cached_property
    def need(self) -> str | None:
        """What it needs a person for (attention.KINDS); until somebody does something, it stays as it is."""
        return attention.kind_of(self)

    @property
    def heals(self) -> bool:
        """Whether its newest run failed, and is made up for without a person."""
        return self.status == "failed" and self.need is None


@dataclass(frozen=True)
class Chosen:
    """A page of the sources that were asked for."""

    standings: Sequence[Standing]
    total: int
    page: int
    pages: int


def label(key: str) -> str:
    """What people call a source, in their language."""
    return registry.load(key).label(current())


def labels(syncs: Iterable[Named]) -> dict[int, str]:
    """What people call these sources, by id; sources of one fetcher are told apart by their keys."""
    by_fetcher: dict[str, list[Named]] = {}
    for sync in syncs:
        by_fetcher.setdefault(sync.fetcher, []).append(sync)
    named = {}
    for fetcher, same in by_fetcher.items():
        name = label(fetcher)
        for sync in same:
            named[sync.id] = name if len(same) == 1 else f"{name} (\u2068{sync.key}\u2069)"
    return named


def counted(key: str) -> str:
    """What is counted of a source, in its own words: the rows of its first table (engine/verdict.py)."""
    fetcher = registry.load(key).fetcher
    if fetcher is None:
        return _("Records")
    first = fetcher.streams()[0]
    return (first.latest or first).label(current())


def other_counts(key: str) -> str | None:
    """What new, changed and gone count of a source, where that is another thing than `counted` afterwards."""
    fetcher = registry.load(key).fetcher
    first = None if fetcher is None else fetcher.streams()[0]
    if first is None or first.latest is None:
        return None
    return _("The other figures count rows of “%(rows)s”.", rows=first.label(current()))


def choices(syncs: Collection[Named]) -> list[tuple[str, str]]:
    """The sources for a list to choose from: key, and what people call it."""
    named = labels(syncs)
    return [(sync.key, named[sync.id]) for sync in syncs]


def listing(sync: DataSync) -> registry.Listing:
    """The fetcher file of a sync: its class, or why it cannot be used."""
    return registry.load(sync.fetcher)


def in_parts(sync: DataSync) -> bool:
    """Whether a source has parts, of which some can be chosen."""
    fetcher = listing(sync).fetcher
    return bool(fetcher and any(stream.partition_columns for stream in fetcher.streams()))


def standings(session: Session, config: Config, now: datetime) -> list[Standing]:
    """Every source, in the catalogue's order."""
    columns = (
        DataSync.id, DataSync.key, DataSync.fetcher, cast(DataSync.settings, Text), DataSync.secrets,
        DataSync.status,
    )  # fmt: skip
    locale = current()
    files: dict[str, tuple[registry.Listing, str]] = {}  # of a thousand sources, a few kinds
    missing = _Missing(session, config)
    holds = {id: attention.Hold(*waits) for id, waits in decisions.waiting_syncs(session).items()}
    late = {sync.id: how for sync, how in lateness.not_in_time(session, now)}
    halts = attention.halts(session, now)
    found = []
    for id, key, fetcher, stored, secrets, status in session.execute(select(*columns).order_by(DataSync.key)):
        if fetcher not in files:
            listing = registry.load(fetcher)
            files[fetcher] = listing, listing.label(locale)
        file, label = files[fetcher]
        found.append(
            Standing(
                id=id,
                key=key,
                label=label,
                status=status,
                broken=file.error,
                missing=missing.of(file, stored, secrets),
                hold=holds.get(id),
                halt=halts.get(id),
                timeliness=late.get(id),
            )
        )
    return found


def choose(everything: Sequence[Standing], search: str, which: str | None, page: int) -> Chosen:
    """The page of the status table that was asked for; where there are several, those that need a person come first.

    which: needs, active; None: all.
    """
    words = fold(search).split()
    fitting = [
        one
        for one in everything
        if (which != "needs" or one.need)
        and (which != "active" or one.active)
        and all(word in fold(f"{one.label} {one.key}") for word in words)
    ]
    pages = max(1, -(-len(fitting) // SOURCES_A_PAGE))
    if pages > 1:
        fitting.sort(key=lambda one: one.need is None)
    page = min(page, pages)
    return Chosen(fitting[(page - 1) * SOURCES_A_PAGE : page * SOURCES_A_PAGE], len(fitting), page, pages)


def sources(session: Session, config: Config, now: datetime, chosen: Sequence[Standing]) -> list[Source]:
    """These sources as the status table shows them, in this order. As many statements for a page as for one."""
    wanted = select(DataSync).where(DataSync.id.in_([one.id for one in chosen]))
    syncs = {sync.id: sync for sync in session.scalars(wanted)}
    missing = {one.id: one.missing for one in chosen}
    healing = {one.id for one in chosen if one.heals}
    return _built(
        [syncs[one.id] for one in chosen if one.id in syncs], missing, healing, session, config, now
    )


def source(sync: DataSync, session: Session, config: Config, now: datetime) -> Source:
    """One source as the status table shows it."""
    missing = _Missing(session, config).of(listing(sync), json.dumps(sync.settings), sync.secrets)
    [one] = _built([sync], {sync.id: missing}, set(), session, config, now)
    return one


def _built(
    syncs: Sequence[DataSync],
    missing: Mapping[int, str | None],
    healing: Collection[int],
    session: Session,
    config: Config,
    now: datetime,
) -> list[Source]:
    ids = [sync.id for sync in syncs]
    strips = _strips(session, ids)
    # A rehearsal says nothing about the data that are there, so it is shown only while it runs.
    rehearsed = select(SyncRun).where(
        SyncRun.sync_id.in_(ids), SyncRun.status.in_(ACTIVE), SyncRun.dry_run.is_(True)
    )
    newest = {run.sync_id: run for run in session.scalars(rehearsed)}
    last = [strip[-1].id for sync_id, strip in strips.items() if sync_id not in newest]
    newest |= {run.sync_id: run for run in session.scalars(select(SyncRun).where(SyncRun.id.in_(last)))}
    holds = decisions.holds(session, ids)
    waits = any(run.status == "pending" for run in newest.values())
    ahead = runs.ahead(session, now) if waits else {}
    found = []
    for sync in syncs:
        file, run = listing(sync), newest.get(sync.id)
        behind = 0 if run is None else ahead.get(run.id, 0)
        name = file.label(current())
        found.append(
            Source(
                sync=sync,
                label=name,
                broken=file.error,
                missing=missing[sync.id],
                run=run,
                bars=_bars(strips.get(sync.id, ()), now),
                timeliness=lateness.timeliness(sync, now),
                elapsed=elapsed(run, now),
                question=_question(name, sync),
                hold=holds.get(sync.id),
                in_parts=in_parts(sync),
                news=schema_words.news(sync, now),
                paused_until=sync.paused_until if sync.paused_until and now < sync.paused_until else None,
                waiting=show.waiting(run, now) if run is not None else None,
                behind=behind if behind >= config.runs_at_once else 0,
                heals=sync.id in healing and run is not None and run.status == "failed",
            )
        )
    return found


def _strips(session: Session, ids: Sequence[int]) -> dict[int, list[Past]]:
    """The newest runs of each source, the newest last; rehearsals are none."""
    columns = (
        SyncRun.sync_id, SyncRun.id, SyncRun.status, SyncRun.duration_seconds, SyncRun.started_at,
        SyncRun.finished_at, SyncRun.requested_at,
    )  # fmt: skip
    newest = of_each_sync(select(*columns), STRIP, lambda run: [run.dry_run.is_(False)])
    strips: dict[int, list[Past]] = {}
    for sync_id, id, status, seconds, started, finished, requested in session.execute(
        newest.where(DataSync.id.in_(ids)).order_by(SyncRun.id)
    ):
        strips.setdefault(sync_id, []).append(Past(id, status, seconds, started, finished, requested))
    return strips


def is_slow(elapsed: float | None, usual: float | None) -> bool:
    """Whether a run takes clearly longer than usual; both in seconds."""
    return bool(elapsed and usual and elapsed > max(LONGER_THAN_USUAL * usual, usual + 30))


def elapsed(run: SyncRun | Past | None, now: datetime) -> float | None:
    """Seconds since an active run began."""
    if run is None or run.status not in ACTIVE or run.started_at is None:
        return None
    return max((now - run.started_at).total_seconds(), 0)


class _Missing:
    """The settings without which a run cannot start, by the names that the form shows.

    They are worked out once for each state of the settings: that opens sealed passwords, and a page asks for all.
    """

    def __init__(self, session: Session, config: Config) -> None:
        self._session = session
        self._config = config
        self._listed: list[str] | None = None
        self._around: dict[str, Hashable] = {}

    def of(self, file: registry.Listing, stored: str, secrets: bytes | None) -> str | None:
        """None if nothing is missing, or if the fetcher's file is broken. stored: the row's settings, as JSON."""
        if file.fetcher is None:
            return None
        if file.key not in self._around:
            self._around[file.key] = self._what_else(file.fetcher)
        state = (self._around[file.key], stored, secrets)
        if state not in _told:
            if len(_told) >= STATES_REMEMBERED:
                _told.clear()
            _told[state] = self._tell(_Stored(file.key, json.loads(stored), secrets))
        return _told[state]

    def _what_else(self, fetcher: type[Fetcher]) -> Hashable:
        """What the answer depends on beside the row."""
        fields = [settings.extra(info) for info in fetcher.Settings.model_fields.values()]
        from_environment = tuple(self._config.variable(field.get("env")) for field in fields)
        listed = any(field.get("filled_from") for field in fields)
        campuses = tuple(self._campuses()) if listed else None
        return current(), fetcher, self._config.secret_key, from_environment, campuses

    def _tell(self, sync: _Stored) -> str | None:
        fields = settings.declared(sync)
        # An empty list of campuses is a plan without parts, which a run reports in its own words.
        names = [
            settings.extra(fields[name]).get(f"title_{current()}") or name if name in fields else why
            for name, why in settings.resolve(sync, self._config, self._campuses).problems
            if not (name in fields and settings.extra(fields[name]).get("filled_from"))
        ]
        comma = "، " if current() == "fa" else ", "
        return comma.join(dict.fromkeys(str(name) for name in names)) or None

    def _campuses(self) -> list[str]:
        if self._listed is None:
            self._listed = settings.active_campuses(self._session)
        return self._listed


def _bars(runs: Sequence[Past], now: datetime) -> list[Bar]:
    seconds = [run.duration_seconds or elapsed(run, now) or 0.0 for run in runs]
    longest = max(seconds, default=0.0) or 1.0
    # One look for all: a page has many hundred bars.
    address, locale = url_for("runs.index"), current()
    words = {status: str(show.STATUS_WORDS[status]) for status in {run.status for run in runs}}
    bars = []
    for run, took in zip(runs, seconds, strict=True):
        at = persian.jalali_datetime(run.finished_at or run.requested_at, locale)
        lasted = f" · {persian.duration(took, locale)}" if took else ""
        bars.append(
            Bar(
                url=f"{address}{run.id}",
                status=run.status,
                height=max(1, round(took / longest * BAR_HEIGHTS)),
                title=f"{words[run.status]} · {at}{lasted}",
            )
        )
    return bars


def _question(name: str, sync: DataSync) -> str:
    """What will happen, said before it happens."""
    lines = [
        _(
            "Hamgam asks the gateway for %(source)s and brings the database in step: "
            "new and changed records are written, records that are gone leave the table.",
            source=name,
        ),
        _("If far too many would leave, nothing is removed and the run needs approval."),
    ]
    if sync.usual_seconds:
        lines.append(_("It usually takes %(duration)s.", duration=show.duration(sync.usual_seconds)))
    elif sync.last_success_at is None:
        lines.append(_("This is the first sync of this source; it takes longer than later ones."))
    return "\n".join(lines)
