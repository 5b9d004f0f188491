"""How many records a source had after each sync, and how long each took: over twelve Jalali months.

    few syncs: a point each ── many: a point a day (Tehran's) ── and in a table: a line a month

It tells what the list of runs still knows (`PANEL_KEEP_RUNS_DAYS`), of syncs of the whole source that succeeded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, cast, extract, func, select, union_all
from sqlalchemy.orm import Session

from panel import runs
from panel.models import SyncRun
from panel.report import MONTHS, Month
from panel.zones import TEHRAN

ONE_EACH = 90  # syncs; of more, those of a day are one point
DAY = 86_400  # seconds
# Of what the marks below the charts are: months for at least so many days, hours for at most so many.
MONTHS_FROM, HOURS_UP_TO = 45, 3
EARLIEST = 200  # runs among which the first one is looked for
MARKS = 8  # at most, of days and hours


class Point(NamedTuple):
    """One sync, or those of a day: when the last one ended, rows then; mean and longest of their durations, seconds."""

    at: datetime
    records: int | None
    syncs: int
    mean: float | None
    longest: float | None


@dataclass(frozen=True)
class Trend:
    """points: the oldest first. by_day: whether they are days."""

    points: Sequence[Point]
    by_day: bool


@dataclass(frozen=True)
class OfMonth:
    """One month: rows at its end, and how many more those are than at the end of the month before that is known."""

    month: Month
    syncs: int
    records: int | None
    change: int | None
    mean: float | None
    longest: float | None


def trend(session: Session, sync_id: int, now: datetime) -> Trend:
    """The trend of a source in the last twelve Jalali months, this one among them."""
    since = Month.of(now).before(MONTHS - 1).begins
    # Made anew for each statement: to compile one marks what it is made of, and the other would not be found again.
    few = select(SyncRun.id).where(*_successes(sync_id, since)).limit(ONE_EACH + 1).subquery()
    by_day = (session.scalar(select(func.count()).select_from(few)) or 0) > ONE_EACH
    place = _day(now) if by_day else SyncRun.id
    grouped = (
        select(
            func.max(SyncRun.id).label("newest"),
            func.count().label("syncs"),
            func.avg(SyncRun.duration_seconds).label("mean"),
            func.max(SyncRun.duration_seconds).label("longest"),
        )
        .where(*_successes(sync_id, since))
        .group_by(place)
        .subquery()
    )
    found = session.execute(
        select(SyncRun.finished_at, SyncRun.records, grouped.c.syncs, grouped.c.mean, grouped.c.longest)
        .join(grouped, SyncRun.id == grouped.c.newest)
        .order_by(SyncRun.finished_at)
    )
    return Trend([Point(*row) for row in found], by_day)


def with_a_line(session: Session, sync_ids: Sequence[int], now: datetime) -> set[int]:
    """Those of these sources that have two points at least, without reading them: one alone is no chart."""
    if not sync_ids:
        return set()
    since = Month.of(now).before(MONTHS - 1).begins
    each = [select(SyncRun.sync_id).where(*_successes(one, since)).limit(2).subquery() for one in sync_ids]
    found = session.scalars(union_all(*(select(two.c.sync_id) for two in each))).all()
    return {one for one in sync_ids if found.count(one) == 2}


def by_month(points: Sequence[Point]) -> list[OfMonth]:
    """The same a line a month, the newest first."""
    lines: list[OfMonth] = []
    before = None
    for month, some in groupby(points, lambda point: Month.of(point.at)):
        of = list(some)
        syncs = sum(point.syncs for point in of)
        timed = [(point.mean, point.syncs) for point in of if point.mean is not None]
        known = [point.records for point in of if point.records is not None]
        records = known[-1] if known else None
        lines.append(
            OfMonth(
                month=month,
                syncs=syncs,
                records=records,
                change=None if records is None or before is None else records - before,
                mean=sum(mean * many for mean, many in timed) / sum(many for _, many in timed)
                if timed
                else None,
                longest=max((point.longest for point in of if point.longest is not None), default=None),
            )
        )
        before = records if records is not None else before
    return lines[::-1]


def marks(points: Sequence[Point]) -> tuple[str, list[datetime]]:
    """Where the time below a chart is marked: `months`, `days` or `hours`, and the moments at which they begin."""
    if not points:
        return "days", []
    first, last = points[0].at, points[-1].at
    days = (last - first).total_seconds() / DAY
    if days >= MONTHS_FROM:
        begins = [Month.of(last).before(back).begins for back in range(MONTHS, -1, -1)]
        return "months", [at for at in begins if first <= at <= last]
    hours = days < HOURS_UP_TO
    step = timedelta(hours=1) if hours else timedelta(days=1)
    step *= max(1, -(-(last - first) // (step * MARKS)))
    here = first.astimezone(TEHRAN)
    at = datetime.combine(here.date(), time(here.hour if hours else 0), TEHRAN)
    found = []
    while at <= last:
        if at >= first:
            found.append(at.astimezone(UTC))
        at += step
    return ("hours" if hours else "days"), found


def _successes(sync_id: int, since: datetime) -> list[ColumnElement[bool]]:
    """Which runs these are. Numbers are given in the order of requests, so an index finds where the time begins.

    A clock that was set back may have put some runs before their time: the smallest number of several counts.
    """
    earliest = (
        select(SyncRun.id)
        .where(SyncRun.requested_at >= since)
        .order_by(SyncRun.requested_at)
        .limit(EARLIEST)
        .subquery()
    )
    first = select(func.min(earliest.c.id)).scalar_subquery()
    return [
        SyncRun.sync_id == sync_id,
        SyncRun.status == "success",
        SyncRun.id >= first,
        SyncRun.finished_at >= since,
        SyncRun.dry_run.is_(False),
        SyncRun.mode != runs.UNDO,
        SyncRun.is_whole(),
    ]


def _day(now: datetime) -> ColumnElement[int]:
    """The number of the day in Tehran on which a run ended. Iran has had no summer time since 1401."""
    ahead = now.astimezone(TEHRAN).utcoffset() or timedelta()
    seconds = cast(extract("epoch", SyncRun.finished_at), BigInteger) + int(ahead.total_seconds())
    return seconds // DAY
