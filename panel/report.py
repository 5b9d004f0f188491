"""The monthly sheet of a source: what its runs did, how long it went without a success, and who decided what.

Months are those of Tehran. It tells what the list of runs still knows (`PANEL_KEEP_RUNS_DAYS`), and counts real runs
alone: a rehearsal did nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from fetchers.core.clean.jalali import FIRST_YEAR, LAST_YEAR, to_gregorian, to_jalali
from panel import runs
from panel.models import TERMINAL, DataSync, SkippedTick, SyncRun
from panel.zones import TEHRAN

MONTHS = 12  # on one sheet
DECISIONS = 200  # of one month, the newest
COUNTS = ("read", "added", "changed", "gone", "rejected")


class Month(NamedTuple):
    """A Jalali month, such as 1405/08."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def before(self, months: int = 1) -> "Month":
        """So many months earlier; later, for a negative number."""
        number = self.year * 12 + self.month - 1 - months
        return Month(number // 12, number % 12 + 1)

    @property
    def begins(self) -> datetime:
        """The first midnight in Tehran, in UTC."""
        day = to_gregorian(self.year, self.month, 1)
        return datetime.combine(day, time(), TEHRAN).astimezone(UTC)

    @property
    def ends(self) -> datetime:
        """The midnight after its last day."""
        return self.before(-1).begins

    @classmethod
    def of(cls, moment: datetime) -> "Month":
        """The month in Tehran at this moment."""
        day = to_jalali(moment.astimezone(TEHRAN))
        return cls(day.year, day.month)

    @classmethod
    def read(cls, text: str) -> "Month | None":
        """`1405-08`; None for anything that is no month."""
        year, _dash, month = text.partition("-")
        if not (text.isascii() and year.isdigit() and month.isdigit() and len(text) <= 7):
            return None
        found = cls(int(year), int(month))
        return found if FIRST_YEAR < found.year < LAST_YEAR and 1 <= found.month <= 12 else None


@dataclass(frozen=True)
class Line:
    """One month of a source. gap: seconds, the longest time in it without a success; None where nothing was to run."""

    month: Month
    ended: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    records: int | None = None  # after its last success
    usual: float | None = None  # seconds: the median of its successes
    gap: float | None = None
    skipped: int = 0  # turns without a run

    @property
    def runs(self) -> int:
        return sum(self.ended.values())

    @property
    def success_rate(self) -> float | None:
        """The share of successes among the runs that nobody cancelled."""
        judged = self.runs - self.ended.get("cancelled", 0)
        return self.ended.get("success", 0) / judged if judged else None


@dataclass(frozen=True)
class Decision:
    """Somebody decided: what (approved, rejected, lapsed, superseded, undone, cancelled), about which run, when."""

    at: datetime
    what: str
    by: str | None
    run: int


@dataclass(frozen=True)
class Sheet:
    """A month of a source, and those before it. failures: how many runs failed for which reason (E_… code)."""

    month: Month
    lines: Sequence[Line]  # the newest first
    failures: Sequence[tuple[str, int]]
    skipped: Sequence[tuple[str, int]]
    decisions: Sequence[Decision]

    @property
    def line(self) -> Line:
        return self.lines[0]


def sheet(session: Session, sync: DataSync, month: Month, now: datetime) -> Sheet:
    """The sheet of a source for a month, with the eleven before it."""
    months = [month.before(back) for back in range(MONTHS)]
    ended, counts = _by_month(session, sync, months)
    successes = _successes(session, sync, months[-1].begins, month.ends)
    first = session.scalar(select(func.min(SyncRun.requested_at)).where(SyncRun.sync_id == sync.id))
    skipped = _skipped_by_month(session, sync, months)
    lines = []
    for one in months:
        of = [success for success in successes if one.begins <= success.at < one.ends]
        took = [success.seconds for success in of if success.seconds is not None]
        known = [success.records for success in of if success.records is not None]
        lines.append(
            Line(
                month=one,
                ended=ended.get(one, {}),
                counts=counts.get(one, {}),
                records=known[-1] if known else None,
                usual=median(took) if took else None,
                gap=longest_gap([success.at for success in successes], one, first, now),
                skipped=skipped.get(one, 0),
            )
        )
    return Sheet(
        month, lines, _failures(session, sync, month), _skipped(session, sync, month),
        _decisions(session, sync, month),
    )  # fmt: skip


def longest_gap(
    successes: Sequence[datetime], month: Month, first: datetime | None, now: datetime
) -> float | None:
    """The longest time within a month without a success, in seconds.

    successes: in order; the last one before the month counts, for a gap may begin in the month before. Nothing is a gap
    before the first run, or after now.
    """
    if first is None:
        return None
    begins, ends = max(month.begins, first), min(month.ends, now)
    if begins >= ends:
        return None
    within = [begins, *(at for at in successes if begins < at < ends), ends]
    return max((later - earlier).total_seconds() for earlier, later in pairwise(within))


class _Success(NamedTuple):
    at: datetime
    seconds: float | None
    records: int | None


def _successes(session: Session, sync: DataSync, since: datetime, until: datetime) -> list[_Success]:
    """The successes of the whole source, oldest first."""
    found = session.execute(
        select(SyncRun.finished_at, SyncRun.duration_seconds, SyncRun.records)
        .where(
            SyncRun.sync_id == sync.id, SyncRun.status == "success", SyncRun.dry_run.is_(False),
            SyncRun.is_whole(), SyncRun.mode != runs.UNDO,
            SyncRun.finished_at >= since, SyncRun.finished_at < until,
        )
        .order_by(SyncRun.finished_at)
    )  # fmt: skip
    return [_Success(at, seconds, records) for at, seconds, records in found if at is not None]


def _by_month(
    session: Session, sync: DataSync, months: Sequence[Month]
) -> tuple[dict[Month, dict[str, int]], dict[Month, dict[str, int]]]:
    """How many runs ended how in each month, and what they counted together."""
    place = case(*((SyncRun.finished_at >= month.begins, at) for at, month in enumerate(months)), else_=None)
    sums = [func.sum(getattr(SyncRun, name)) for name in COUNTS]
    found = session.execute(
        select(place, SyncRun.status, func.count(), *sums)
        .where(
            SyncRun.sync_id == sync.id, SyncRun.dry_run.is_(False), SyncRun.status.in_(TERMINAL),
            SyncRun.finished_at >= months[-1].begins, SyncRun.finished_at < months[0].ends,
        )
        .group_by(place, SyncRun.status)
    )  # fmt: skip
    ended: dict[Month, dict[str, int]] = {}
    counts: dict[Month, dict[str, int]] = {}
    for at, status, number, *summed in found:
        ended.setdefault(months[at], {})[status] = number
        total = counts.setdefault(months[at], dict.fromkeys(COUNTS, 0))
        for name, count in zip(COUNTS, summed, strict=True):
            total[name] += int(count or 0)
    return ended, counts


def _skipped_by_month(session: Session, sync: DataSync, months: Sequence[Month]) -> dict[Month, int]:
    place = case(*((SkippedTick.due_at >= month.begins, at) for at, month in enumerate(months)), else_=None)
    found = session.execute(
        select(place, func.count())
        .where(
            SkippedTick.sync_id == sync.id, SkippedTick.due_at >= months[-1].begins,
            SkippedTick.due_at < months[0].ends,
        )
        .group_by(place)
    )  # fmt: skip
    return {months[at]: number for at, number in found}


def _failures(session: Session, sync: DataSync, month: Month) -> list[tuple[str, int]]:
    found = session.execute(
        select(SyncRun.error_code, func.count())
        .where(
            SyncRun.sync_id == sync.id, SyncRun.status == "failed", SyncRun.dry_run.is_(False),
            SyncRun.finished_at >= month.begins, SyncRun.finished_at < month.ends,
        )
        .group_by(SyncRun.error_code)
        .order_by(func.count().desc(), SyncRun.error_code)
    )  # fmt: skip
    return [(code or "E_INTERNAL", number) for code, number in found]


def _skipped(session: Session, sync: DataSync, month: Month) -> list[tuple[str, int]]:
    found = session.execute(
        select(SkippedTick.reason, func.count())
        .where(
            SkippedTick.sync_id == sync.id,
            SkippedTick.due_at >= month.begins,
            SkippedTick.due_at < month.ends,
        )
        .group_by(SkippedTick.reason)
        .order_by(func.count().desc(), SkippedTick.reason)
    )
    return [(reason, number) for reason, number in found]


def _decisions(session: Session, sync: DataSync, month: Month) -> list[Decision]:
    """What was decided in a month, and by whom; the oldest first."""

    begins, ends = month.begins, month.ends
    decided = and_(SyncRun.decided_at >= begins, SyncRun.decided_at < ends)
    of_its_own = or_(
        SyncRun.status == "cancelled", and_(SyncRun.mode == runs.UNDO, SyncRun.status == "success")
    )
    ended = and_(of_its_own, SyncRun.finished_at >= begins, SyncRun.finished_at < ends)
    found = session.scalars(
        select(SyncRun)
        .where(
            SyncRun.sync_id == sync.id,
            SyncRun.dry_run.is_(False),
            or_(decided, ended),
        )
        .order_by(SyncRun.id.desc())
        .limit(DECISIONS)
    ).all()  # fmt: skip

    def told(run: SyncRun) -> Iterator[Decision]:
        if run.decision is not None and run.decided_at is not None and begins <= run.decided_at < ends:
            yield Decision(run.decided_at, run.decision, run.decided_by, run.id)
        if run.finished_at is None or not begins <= run.finished_at < ends:
            return
        if run.status == "cancelled":
            yield Decision(run.finished_at, "cancelled", run.stop_requested_by, run.id)
        elif run.mode == runs.UNDO and run.status == "success":
            yield Decision(run.finished_at, "undone", run.requested_by, run.about_run_id or run.id)

    return sorted((one for run in found for one in told(run)), key=lambda one: one.at)
