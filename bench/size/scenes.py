"""What is looked at, one scene after the other; each gives its figures, and says what was not as it should be."""

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import Any

from sqlalchemy import Row, func, select, update

from bench.size.history import FETCHER, Size
from bench.size.house import Caller, House, until
from panel import db, runs
from panel.clock import utcnow
from panel.models import ACTIVE, DataSync, SkippedTick, SyncRun

SETTLE = 45.0  # seconds in which an engine that has just started takes over and tidies once
IDLE = 60.0
ASKED = 30  # requests of a run, one after the other
LOOKS = 50  # at each page
WARMED = 12  # looks that are not counted: templates are compiled, both workers wake up
LEAD = 5.0  # seconds from the setting of schedules to the first moment that is due


@dataclass
class Delays:
    """Seconds, of so many runs."""

    seconds: list[float]

    def at(self, percent: float) -> float:
        """The value that so many percent do not exceed."""
        ordered = sorted(self.seconds)
        return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def most(self) -> float:
        return max(self.seconds)


@dataclass
class Hourly:
    """Runs that came due at random moments."""

    minutes: float
    due: int
    started: Delays
    spoke: Delays
    cpu: float  # of one core, the engine itself
    lost: int  # due times that are neither a run nor noted as skipped
    not_well: int  # runs that did not succeed at their first attempt


@dataclass
class Burst:
    """Runs that came due at one moment."""

    due: int
    all_started: float
    all_ended: float
    out_of_order: int
    not_started: int
    not_well: int


@dataclass
class Asked:
    """Runs that somebody asked for, one after the other, while nothing else was to do."""

    spoke: Delays
    started: Delays


@dataclass
class Page:
    """One page, looked at again and again."""

    name: str
    path: str
    seconds: Delays
    kilobytes: float
    judged: bool = True  # whether the target is about it


@dataclass
class Figures:
    """What was found in one house. A scene that was left out is None."""

    database: str
    size: Size
    idle: float | None = None  # CPU of the engine as a share of one core
    pages: list[Page] = field(default_factory=list)
    asked: Asked | None = None
    hourly: Hourly | None = None
    burst: Burst | None = None


def settle() -> None:
    """Wait until an engine that has just started has tidied up."""
    time.sleep(SETTLE)


def idle(house: House) -> float:
    """The share of one core that an engine takes that has nothing to do."""
    settle()
    before, began = house.cpu(), time.monotonic()
    time.sleep(IDLE)
    return (house.cpu() - before) / (time.monotonic() - began)


def pages(house: House, size: Size) -> list[Page]:
    """How long the panel takes for the pages of a house of this size, for somebody who is signed in."""
    key = f"{FETCHER}-{size.syncs // 2:04}"
    looked_at = (
        ("status page", "/", True),
        ("its rows, as they refresh themselves", "/status/rows", True),
        ("status page, a search", "/?search=0500", True),
        ("run list", "/runs/", True),
        ("run list of one source", f"/runs/?source={key}", True),
        ("run list, successful ones", "/runs/?status=success", True),
        ("run list, held ones", "/runs/?status=held", True),
        ("run list of one source, failed ones", f"/runs/?source={key}&status=failed", True),
        ("run list, page 300", "/runs/?page=300", True),
        ("a run", f"/runs/{size.runs}", True),
        ("timeline", "/timeline/", True),
        ("timeline of one source", f"/timeline/?source={key}", True),
    )
    asked = (
        ("REST, runs", "/api/v1/runs", True),
        ("REST, runs of one source", f"/api/v1/runs?sync={key}", True),
        ("REST, held runs", "/api/v1/runs?status=held", True),
        ("REST, the oldest runs", f"/api/v1/runs?page={size.runs // 50}", True),
        ("REST, all sources", "/api/v1/syncs", False),
    )
    found = [look(house.person(), *one) for one in looked_at]
    return found + [look(house.program(), *one) for one in asked]


def look(caller: Caller, name: str, path: str, judged: bool) -> Page:
    """Look at a page again and again, once it is warm. Raises RuntimeError if it is not there."""
    for _ in range(WARMED):
        answer = caller.get(path)
        if answer.status != 200:
            raise RuntimeError(f"{path} answers {answer.status}")
    seconds = []
    for _ in range(LOOKS):
        answer = caller.get(path)
        seconds.append(answer.seconds)
        time.sleep(0.02)  # what the panel does after an answer is not the next one's to wait for
    return Page(name, path, Delays(seconds), len(answer.body) / 1000, judged)


def prime(house: House) -> None:
    """One run, so that the destination holds what the gateway has: later ones find it unchanged."""
    with db.writing(house.rows) as session:
        sync = session.scalars(select(DataSync).order_by(DataSync.id).limit(1)).one()
        run_id = runs.request(session, sync, triggered_by="cli", now=utcnow()).run.id
    until(lambda: not _active(house), "the end of the first run")
    with house.rows() as session:
        run = runs.get(session, run_id)
        if run.status != "success":
            raise RuntimeError(f"the first run ended as {run.status}: {run.error_message}")


def asked(house: House, size: Size) -> Asked:
    """How long it takes from a request to the first word of its child, asked over REST with nothing else to do."""
    program = house.program()
    ids = []
    for number in range(ASKED):
        key = f"{FETCHER}-{3 + number % (size.syncs - 2):04}"
        answer = program.post(f"/api/v1/syncs/{key}/runs", b"{}", "application/json")
        if answer.status != 202:
            raise RuntimeError(f"a run of {key} was answered with {answer.status}")
        until(lambda: not _active(house), f"the end of a run of {key}")
        with house.rows() as session:
            ids.append(
                session.scalars(
                    select(SyncRun.id)
                    .join(DataSync, DataSync.last_run_id == SyncRun.id)
                    .where(DataSync.key == key)
                ).one()
            )
        time.sleep(0.3)
    return Asked(
        spoke=Delays(_until_first_word(house, ids, SyncRun.requested_at)),
        started=Delays([(row[0] - row[1]).total_seconds() for row in _runs(house, ids)]),
    )


def hourly(house: House, size: Size, minutes: float) -> Hourly:
    """All sources due once an hour, each at a random moment of it."""
    dice = random.Random(7)
    begin = utcnow() + timedelta(seconds=LEAD)
    with db.writing(house.rows) as session:
        for sync_id in session.scalars(select(DataSync.id).order_by(DataSync.id)).all():
            phase = timedelta(seconds=dice.uniform(0, 3600))
            session.execute(
                update(DataSync)
                .where(DataSync.id == sync_id)
                .values(next_run_at=begin + phase, renewal_due_at=begin + phase)
            )
    with house.rows() as session:
        within = DataSync.next_run_at <= begin + timedelta(minutes=minutes)
        due = {
            row[0]: row[1] for row in session.execute(select(DataSync.id, DataSync.next_run_at).where(within))
        }
    time.sleep(LEAD)
    before, began = house.cpu(), time.monotonic()
    time.sleep(minutes * 60)
    cpu = (house.cpu() - before) / (time.monotonic() - began)
    _nothing_due(house)
    until(lambda: not _active(house), "the end of the last runs")
    ids, lost = [], 0
    with house.rows() as session:
        for sync_id, moment in due.items():
            at = (SyncRun.sync_id == sync_id, SyncRun.scheduled_for == moment)
            run_id = session.scalar(select(SyncRun.id).where(*at))
            skipped = (SkippedTick.sync_id == sync_id, SkippedTick.due_at == moment)
            if run_id is not None:
                ids.append(run_id)
            elif session.scalar(select(func.count()).select_from(SkippedTick).where(*skipped)) == 0:
                lost += 1
        ended = session.execute(select(SyncRun.status, SyncRun.attempt).where(SyncRun.id.in_(ids))).all()
    return Hourly(
        minutes=minutes,
        due=len(due),
        started=Delays([(started - due_at).total_seconds() for started, _, due_at in _runs(house, ids)]),
        spoke=Delays(_until_first_word(house, ids, SyncRun.scheduled_for)),
        cpu=cpu,
        lost=lost,
        not_well=_not_well(ended),
    )


def burst(house: House, size: Size, many: int) -> Burst:
    """So many sources due at the same moment: whether all start, in the order in which they were asked for."""
    moment = utcnow() + timedelta(seconds=LEAD)
    with db.writing(house.rows) as session:
        ids = session.scalars(select(DataSync.id).order_by(DataSync.id).limit(many)).all()
        session.execute(
            update(DataSync).where(DataSync.id.in_(ids)).values(next_run_at=moment, renewal_due_at=moment)
        )
    time.sleep(LEAD)
    due = (SyncRun.scheduled_for == moment,)

    def left() -> int:
        with house.rows() as session:
            ended = select(func.count()).select_from(SyncRun).where(*due, SyncRun.status.not_in(ACTIVE))
            return many - (session.scalar(ended) or 0)

    until(lambda: left() == 0, f"the end of {many} runs", seconds=1200.0)
    _nothing_due(house)
    with house.rows() as session:
        ended = session.execute(
            select(SyncRun.started_at, SyncRun.finished_at, SyncRun.status, SyncRun.attempt)
            .where(*due)
            .order_by(SyncRun.requested_at, SyncRun.id)
        ).all()
    starts = [row[0] for row in ended if row[0] is not None]
    return Burst(
        due=many,
        all_started=(max(starts) - moment).total_seconds(),
        all_ended=(max(row[1] for row in ended) - moment).total_seconds(),
        out_of_order=sum(later < earlier for earlier, later in zip(starts, starts[1:], strict=False)),
        not_started=many - len(starts),
        not_well=_not_well(ended),
    )


def _not_well(ended: Sequence[Row[Any]]) -> int:
    return sum(row.status != "success" or row.attempt > 1 for row in ended)


def _active(house: House) -> bool:
    with house.rows() as session:
        return session.scalar(select(SyncRun.id).where(SyncRun.status.in_(ACTIVE)).limit(1)) is not None


def _nothing_due(house: House) -> None:
    with db.writing(house.rows) as session:
        tomorrow = utcnow() + timedelta(days=1)
        session.execute(update(DataSync).values(next_run_at=tomorrow, renewal_due_at=tomorrow))


def _runs(house: House, ids: Sequence[int]) -> list[tuple[datetime, datetime, datetime]]:
    """When each run was started, asked for and due (if it was)."""
    columns = (SyncRun.started_at, SyncRun.requested_at, SyncRun.scheduled_for)
    with house.rows() as session:
        return [tuple(row) for row in session.execute(select(*columns).where(SyncRun.id.in_(ids)))]  # type: ignore[misc]


def _until_first_word(house: House, ids: Iterable[int], since: object) -> list[float]:
    heard = house.first_events()
    with house.rows() as session:
        began = dict(session.execute(select(SyncRun.id, since).where(SyncRun.id.in_(list(ids)))).all())  # type: ignore[call-overload, arg-type]
    return [(heard[run_id] - moment).total_seconds() for run_id, moment in began.items()]
