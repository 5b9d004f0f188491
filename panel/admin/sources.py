"""The sources as the status table shows them: state, last and next sync, counts, and what to do next."""

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fetchers.core import registry
from panel import decisions, lateness, settings
from panel.admin import schema_words, show
from panel.auth.locale import current
from panel.config import Config
from panel.models import ACTIVE, DataSync, SyncRun

STRIP = 14
LONGER_THAN_USUAL = 1.5
BAR_HEIGHTS = 6


@dataclass(frozen=True)
class Bar:
    """One run in the strip: its colour is the status, its height the duration."""

    run_id: int
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
    standing: lateness.Standing
    elapsed: float | None
    question: str  # what the button asks before it syncs
    hold: SyncRun | None = None  # the run that waits for a decision
    in_parts: bool = False  # some can be chosen
    news: str | None = None  # what was heard of the schema lately
    paused_until: datetime | None = None  # a person's pause that is not over
    waiting: str | None = None  # why nothing moves, and when it goes on

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


def label(key: str) -> str:
    """What people call a source, in their language."""
    return registry.load(key).label(current())


def listing(sync: DataSync) -> registry.Listing:
    """The fetcher file of a sync: its class, or why it cannot be used."""
    return registry.load(sync.fetcher)


def sources(session: Session, config: Config, now: datetime) -> list[Source]:
    """Every source, in the catalogue's order."""
    syncs = session.scalars(select(DataSync).order_by(DataSync.key)).all()
    return [source(sync, session, config, now) for sync in syncs]


def source(sync: DataSync, session: Session, config: Config, now: datetime) -> Source:
    file = listing(sync)
    last = session.scalars(
        select(SyncRun)
        .where(SyncRun.sync_id == sync.id, SyncRun.dry_run.is_(False))
        .order_by(SyncRun.id.desc())
        .limit(STRIP)
    ).all()
    # A rehearsal says nothing about the data that are there, so it is shown only while it runs.
    active = session.scalar(
        select(SyncRun).where(SyncRun.sync_id == sync.id, SyncRun.dry_run, SyncRun.status.in_(ACTIVE))
    )
    newest = active or (last[0] if last else None)
    name = file.label(current())
    return Source(
        sync=sync,
        label=name,
        broken=file.error,
        missing=None if file.error else _missing(sync, session, config),
        run=newest,
        bars=_bars(list(reversed(last)), now),
        standing=lateness.standing(sync, now),
        elapsed=elapsed(newest, now),
        question=_question(name, sync),
        hold=decisions.waiting(session, sync),
        in_parts=bool(file.fetcher and any(one.partition_columns for one in file.fetcher.streams())),
        news=schema_words.news(sync, now),
        paused_until=sync.paused_until if sync.paused_until and now < sync.paused_until else None,
        waiting=show.waiting(newest, now) if newest is not None else None,
    )


def is_slow(elapsed: float | None, usual: float | None) -> bool:
    """Whether a run takes clearly longer than usual; both in seconds."""
    return bool(elapsed and usual and elapsed > max(LONGER_THAN_USUAL * usual, usual + 30))


def elapsed(run: SyncRun | None, now: datetime) -> float | None:
    """Seconds since an active run began."""
    if run is None or run.status not in ACTIVE or run.started_at is None:
        return None
    return max((now - run.started_at).total_seconds(), 0)


def _missing(sync: DataSync, session: Session, config: Config) -> str | None:
    """The settings without which a run cannot start, by the names that the form shows."""
    if settings.configured(sync, session, config):
        return None
    fields = settings.declared(sync)
    comma = "، " if current() == "fa" else ", "
    names = [
        settings.extra(fields[name]).get(f"title_{current()}") or name if name in fields else why
        for name, why in settings.resolved(sync, session, config).problems
        if not (name in fields and settings.extra(fields[name]).get("filled_from"))
    ]
    return comma.join(dict.fromkeys(str(name) for name in names))


def _bars(runs: list[SyncRun], now: datetime) -> list[Bar]:
    seconds = [run.duration_seconds or elapsed(run, now) or 0.0 for run in runs]
    longest = max(seconds, default=0.0) or 1.0
    return [
        Bar(
            run_id=run.id,
            status=run.status,
            height=max(1, round(took / longest * BAR_HEIGHTS)),
            title=f"{show.STATUS_WORDS[run.status]} · {show.exact(run.finished_at or run.requested_at)}"
            + (f" · {show.duration(took)}" if took else ""),
        )
        for run, took in zip(runs, seconds, strict=True)
    ]


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
