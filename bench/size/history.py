"""A control database after some busy weeks: syncs, and behind them runs with attempts, parts, log lines, skipped turns.

The rows are what the engine would have left: of runs that ended well, failed, were cancelled or held. They are the
same at every call.
"""

import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.orm import Session

from panel import db, explain, settings
from panel.config import Config
from panel.models import Base, DataSync, RunAttempt, RunLog, RunPartition, SkippedTick, SyncRun
from panel.seed import prepare

FETCHER = "faculty"
BEAT = timedelta(hours=1)  # every sync is due once an hour
LARGE_EVERY, LARGE_PARTS = 10, 20  # every tenth source comes in parts, as students do
RECORDS = 3_000
ENDS = ("success", "failed", "cancelled", "held")
OF_A_THOUSAND = (966, 25, 5, 4)
UNDECIDED = 3  # holds that still wait for a person
SKIPPED = 100  # every so many runs, a turn was skipped because the one before it was still going
AT_ONCE = 20_000  # rows of one statement
ERRORS: dict[str, tuple[str, dict[str, Any]]] = {
    "failed": ("E_SERVER", {"status": 503}),
    "cancelled": ("E_CANCELLED", {"by": "reza"}),
    "held": ("E_SHRUNK", {"gone": 912, "before": RECORDS}),
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How much there is: syncs, and runs behind all of them."""

    syncs: int
    runs: int


def fill(config: Config, size: Size, gateway: dict[str, Any], now: datetime) -> None:
    """Make an instance of this size. gateway: the settings by which a run reaches it, the password among them.

    Every sync has a schedule and is due tomorrow.
    """
    prepare(config)
    engine = db.open_engine(config.panel_database_url)
    with db.writing(db.sessionmaker(engine)) as session:
        ids = _syncs(session, config, size, gateway, now)
    words = {code: explain.message(code, params) for code, params in ERRORS.values()}
    with db.intent_to_write(), engine.begin() as connection:
        history = _History(ids, size, now, words)
        for model, rows in (
            (SyncRun, history.runs()),
            (RunAttempt, history.attempts()),
            (RunPartition, history.parts()),
            (RunLog, history.lines()),
            (SkippedTick, history.skipped()),
        ):
            _put(connection, model, rows)
        for row in history.newest():
            connection.execute(update(DataSync).where(DataSync.id == row.pop("id")).values(row))
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT setval('sync_runs_id_seq', :newest)"), {"newest": size.runs})
    if engine.dialect.name == "postgresql":
        # What autovacuum does within a minute or two.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _syncs(session: Session, config: Config, size: Size, gateway: dict[str, Any], now: datetime) -> list[int]:
    """As many syncs as are wanted, each with settings and a sealed password of its own; their ids."""
    box = settings.vault(config)
    open_ones = {name: value for name, value in gateway.items() if name != "password"}
    known = list(session.scalars(select(DataSync).order_by(DataSync.id)))[: size.syncs]
    for number in range(len(known), size.syncs):
        sync = DataSync(key=f"{FETCHER}-{number + 1:04}", fetcher=FETCHER, created_at=now, updated_at=now)
        session.add(sync)
        known.append(sync)
    for number, sync in enumerate(known):
        sync.fetcher = FETCHER
        # No two sources have quite the same settings, so that none profits from another's.
        sync.settings = {**open_ones, "connect_timeout": 10 + number / 1000}
        sync.secrets = box.seal({"password": gateway["password"]})
        sync.schedule_kind, sync.interval_minutes = "interval", int(BEAT.total_seconds() // 60)
        sync.next_run_at = sync.renewal_due_at = now + timedelta(days=1)
        sync.timeout_seconds = 3600
    session.flush()
    return [sync.id for sync in known]


class _History:
    """Runs numbered from 1, the newest an hour old at most, each sync's an hour apart."""

    def __init__(self, ids: list[int], size: Size, now: datetime, words: dict[str, str]) -> None:
        self._ids = ids
        self._number = size.runs
        self._step = BEAT / len(ids)
        self._first = now - self._step * size.runs
        self._words = words
        dice = random.Random(4)
        self._ends = dice.choices(ENDS, OF_A_THOUSAND, k=size.runs)
        self._ends[-1] = "success"
        self._seconds = [round(dice.lognormvariate(0.5, 0.6), 3) for _ in range(size.runs)]
        self._held = [place for place, end in enumerate(self._ends) if end == "held"][-UNDECIDED:]

    def runs(self) -> Iterator[Row]:
        for place, end in enumerate(self._ends):
            at, seconds = self._at(place), self._seconds[place]
            code, params = ERRORS.get(end, (None, None))
            went_well = end == "success"
            changed = place % 7 if went_well else 0
            parts = self._parts(place)
            yield {
                "id": place + 1,
                "uuid": str(uuid.UUID(int=place + 1)),
                "sync_id": self._ids[place % len(self._ids)],
                "status": end,
                "mode": "incremental",
                "dry_run": False,
                "triggered_by": "schedule" if end != "cancelled" else "panel",
                "scheduled_for": at if end != "cancelled" else None,
                "requested_at": at,
                "not_before": at,
                "started_at": at,
                "finished_at": self._ended(place),
                "duration_seconds": seconds,
                "attempt": self._tried(place),
                "epoch": 1,
                "decision": "superseded" if end == "held" and place not in self._held else None,
                "error_code": code,
                "error_params": params,
                "error_message": None if code is None else self._words[code],
                "read": RECORDS if went_well else 0,
                "added": 0,
                "changed": changed,
                "unchanged": RECORDS - changed if went_well else 0,
                "gone": 0,
                "rejected": 0,
                "duplicates": 0,
                "partitions_planned": parts,
                "partitions_done": parts if went_well else 0,
                "partitions_failed": 0 if went_well else 1,
                "partitions_held": 0,
                "records": RECORDS if went_well else None,
                "data_as_of": at if went_well else None,
            }

    def attempts(self) -> Iterator[Row]:
        for place, end in enumerate(self._ends):
            tried, at = self._tried(place), self._at(place)
            for number in range(1, tried + 1):
                failed = number < tried or end == "failed"
                yield {
                    "run_id": place + 1,
                    "number": number,
                    "epoch": 1,
                    "started_at": at,
                    "ended_at": at + timedelta(seconds=self._seconds[place] * number / tried),
                    "error_code": "E_SERVER" if failed else None,
                    "error_message": self._words["E_SERVER"] if failed else None,
                    "parts_done": 0 if failed else self._parts(place),
                }

    def parts(self) -> Iterator[Row]:
        counts = {"read": RECORDS, "added": 0, "changed": 0, "unchanged": RECORDS, "gone": 0}
        for place, end in enumerate(self._ends):
            parts = self._parts(place)
            for position in range(parts):
                yield {
                    "run_id": place + 1,
                    "part": "" if parts == 1 else f"campus=1110,term={4001 + position}",
                    "position": position,
                    "state": "done" if end == "success" else "failed" if position == 0 else "planned",
                    "counts": counts if end == "success" else None,
                    "seconds": round(self._seconds[place] / parts, 3),
                }

    def lines(self) -> Iterator[Row]:
        for place, end in enumerate(self._ends):
            at, parts = self._at(place), self._parts(place)
            yield self._line(place, at, "info", f"Attempt 1: {parts} parts to fetch.")
            if end != "success":
                yield self._line(place, at, "error", "503, trying again in 2 s")

    def skipped(self) -> Iterator[Row]:
        for place in range(SKIPPED, self._number, SKIPPED):
            yield {
                "sync_id": self._ids[place % len(self._ids)],
                "due_at": self._at(place) + self._step / 2,
                "reason": "still_running",
                "run_id": place + 1,
            }

    def newest(self) -> Iterator[Row]:
        """What the status rows show."""
        many = len(self._ids)
        for newest in range(max(0, self._number - many), self._number):
            last = next((place for place in range(newest, -1, -many) if self._ends[place] == "success"), None)
            end = self._ends[newest]
            yield {
                "id": self._ids[newest % many],
                "last_run_id": newest + 1,
                "status": end,
                "error_code": ERRORS[end][0] if end in ERRORS else None,
                "consecutive_failures": int(end == "failed"),
                "last_success_at": None if last is None else self._ended(last),
                "data_as_of": None if last is None else self._at(last),
                "usual_seconds": 1.6,  # the median of all
                "records": RECORDS,
                "records_delta": 0,
            }

    def _at(self, place: int) -> datetime:
        return self._first + self._step * place

    def _ended(self, place: int) -> datetime:
        return self._at(place) + timedelta(seconds=self._seconds[place])

    def _parts(self, place: int) -> int:
        return 1 if (place % len(self._ids)) % LARGE_EVERY else LARGE_PARTS

    def _tried(self, place: int) -> int:
        return 3 if self._ends[place] == "failed" else 1 + (place % 33 == 0)

    @staticmethod
    def _line(place: int, at: datetime, level: str, message: str) -> Row:
        return {"run_id": place + 1, "at": at, "level": level, "message": message}


def _put(connection: Connection, model: type[Base], rows: Iterable[Row]) -> None:
    waiting = iter(rows)
    while some := list(islice(waiting, AT_ONCE)):
        connection.execute(insert(model), some)
