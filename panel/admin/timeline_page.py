"""«گاه‌شمار»: what happened, day by day; of all sources, of one, and round one run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from flask import request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from markupsafe import Markup
from sqlalchemy import select

from panel import days, persian, timeline
from panel.admin import audit, base, day_boxes, show, sources
from panel.auth.locale import current
from panel.clock import utcnow
from panel.extensions import db
from panel.models import AuditEntry, DataSync, SyncRun

KIND_WORDS = {
    "runs": lazy("Runs"),
    "changes": lazy("Settings and schedules"),
    "decisions": lazy("Decisions"),
}
ICONS = {
    "hold_accepted": "check",
    "hold_rejected": "shield",
    "hold_lapsed": "clock",
    "hold_superseded": "turn",
    "run_undone": "turn",
    "run_cancelled": "cross",
    "settings_changed": "gear",
    "schedule_changed": "calendar",
    "sync_paused": "stop",
    "sync_resumed": "turn",
    "pause_ended": "turn",
}
COUNTS_TOLD = ("added", "changed", "gone", "rejected")


@dataclass(frozen=True)
class Told:
    """One event as it is shown. source: what its source is called, where that is not known from the page; who: a
    person, or a program in words; look, counts: of a run, the status that colours it, and its counts in words."""

    at: datetime
    icon: str
    run: SyncRun | None = None
    look: str = ""
    source: str = ""
    who: str = ""
    did: str = ""
    details: Markup | str = ""
    counts: str = ""


@dataclass(frozen=True)
class Day:
    """A day with what happened in it, the newest first; week: the heading of its week, on the first day of that."""

    name: str
    week: str
    events: list[Told]


class TimelineView(base.PanelView):
    """Runs, changes and decisions in one list. Not in the menu: the pages of runs lead here."""

    below = "runs"

    def __init__(self) -> None:
        super().__init__(name=lazy("Timeline"), url="/timeline", endpoint="timeline")

    def is_visible(self) -> bool:
        return False

    @expose("/")
    def index(self) -> ResponseReturnValue:
        session = db.session()
        columns = select(DataSync.id, DataSync.key, DataSync.fetcher).order_by(DataSync.key)
        syncs = session.execute(columns).all()
        labels = sources.labels(syncs)
        ids = {sync.key: sync.id for sync in syncs}
        key, kind = request.args.get("source", ""), request.args.get("kind", "")
        sync = session.get(DataSync, ids[key]) if key in ids else None
        kinds = seen_kinds()
        span = day_boxes.span(request.args)
        wanted = timeline.Wanted(
            kinds=(kind,) if kind in kinds else kinds,
            sync=sync,
            since=days.begins(span.since) if span.since else None,
            until=days.ends(span.until) if span.until else None,
            after=timeline.place(request.args.get("after", "")),
        )
        found = timeline.Page([], None) if span.problems else timeline.page(session, wanted)
        by_key = {one.key: labels[one.id] for one in syncs}
        # What was changed at another source stands in this one's list where both share a setting.
        told = tell(
            found.events,
            {} if sync else labels,
            {name: of for name, of in by_key.items() if not sync or name != key},
        )
        return self.render(
            "timeline.html",
            days=by_days(told),
            older=found.older,
            begun=wanted.after is not None,
            choices=[(one.key, labels[one.id]) for one in syncs],
            key=key if sync else "",
            label=labels[sync.id] if sync else "",
            kinds={name: KIND_WORDS[name] for name in kinds},
            kind=kind if kind in kinds else "",
            given={name: request.args.get(name, "")[: day_boxes.LONGEST] for name in ("since", "until")},
            filtered=any(request.args.get(name) for name in ("source", "kind", "since", "until")),
            problems=span.problems,
            address_with=base.address_with,
            now=utcnow(),
        )


def seen_kinds() -> tuple[str, ...]:
    """What this person may see: who changed settings is in the audit trail, which is for administrators."""
    sees_trail = current_user.can(audit.Trail.sees)
    return tuple(kind for kind in timeline.KINDS if kind != "changes" or sees_trail)


def round_run(run: SyncRun) -> list[Told]:
    """What led to a run and what followed, the newest first."""
    return tell(timeline.around(db.session(), run, seen_kinds()), {}, {})


def tell(
    events: Iterable[timeline.Event], labels: Mapping[int, str], by_key: Mapping[str, str]
) -> list[Told]:
    """Events in words. labels, by_key: what sources are called, by id and by key; none where the page says it."""
    return [
        _run(event.run, labels) if event.run is not None else _entry(event.entry, by_key)
        for event in events
        if event.run is not None or event.entry is not None
    ]


def by_days(told: Iterable[Told]) -> list[Day]:
    """Events under the days in Tehran on which they happened, and those under their weeks, which begin on Saturday."""
    found: list[Day] = []
    shown: date | None = None
    for day, events in groupby(told, key=lambda one: persian.tehran(one.at).date()):
        begins = day - timedelta(days=(day.weekday() + 2) % 7)
        of_day = list(events)
        at = of_day[0].at
        name = f"{persian.weekday(at, current())} {persian.jalali_date(at, current())}"
        week = "" if begins == shown else _week(begins)
        shown = begins
        found.append(Day(name, week, of_day))
    return found


def _week(begins: date) -> str:
    first = days.begins(begins)
    last = days.begins(begins + timedelta(days=6))
    return _(
        "Week from %(first)s to %(last)s",
        first=persian.jalali_date(first, current()),
        last=persian.jalali_date(last, current()),
    )


def _run(run: SyncRun, labels: Mapping[int, str]) -> Told:
    words = [
        f"{show.COUNT_WORDS[name]} {show.number(getattr(run, name))}"
        for name in COUNTS_TOLD
        if getattr(run, name)
    ]
    if run.read and not words:
        words = [_("no change")]
    return Told(
        run.requested_at,
        "eye" if run.dry_run else show.STATUS_ICONS.get(run.status, "dash"),
        run=run,
        look=show.look(run),
        source=labels.get(run.sync_id, ""),
        counts=show.listed(words),
    )


def _entry(entry: AuditEntry | None, by_key: Mapping[str, str]) -> Told:
    assert entry is not None
    details = audit.written_out(entry)
    source = by_key.get(entry.subject or "", "") if entry.action not in timeline.OF_CAMPUSES else ""
    if entry.action in timeline.OF_CAMPUSES and entry.subject:
        details = Markup('<span class="ltr">{}</span>').format(entry.subject)
    return Told(
        entry.at,
        ICONS.get(entry.action, "pencil"),
        source=source,
        who=audit.who(entry),
        did=str(audit.ACTION_WORDS.get(entry.action, entry.action)),
        details="" if details == "–" else details,
    )
