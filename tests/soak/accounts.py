"""The accountant: each due time was answered once, by a run or by a line that says why there was none.

Due times are reckoned from what somebody entered, never from the tables that are judged here.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

MINUTE = timedelta(minutes=1)
# The end of a run is dated before it is committed, and the engine may be stopped or wait for the database between.
LEEWAY = timedelta(minutes=2)


@dataclass(frozen=True)
class Beat:
    """A schedule as it was entered: due at `first`, and from then on each minute."""

    source: str
    first: datetime

    def due(self, until: datetime) -> Iterator[datetime]:
        """Its due times, up to a moment and with it."""
        moment = self.first
        while moment <= until:
            yield moment
            moment += MINUTE

    def holds(self, moment: datetime) -> bool:
        """Whether it is due then, at any time."""
        return moment >= self.first and (moment - self.first) % MINUTE == timedelta(0)


@dataclass(frozen=True)
class Run:
    """A row of sync_runs. due: the time that it answers; None: a person asked for it."""

    number: int
    source: str
    status: str
    due: datetime | None
    requested: datetime
    finished: datetime | None


@dataclass(frozen=True)
class Skip:
    """A row of skipped_ticks."""

    source: str
    due: datetime
    reason: str
    run: int | None


@dataclass
class Account:
    """What became of the due times of one source."""

    source: str
    due: int = 0
    on_time: int = 0
    caught_up: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    latest: timedelta = timedelta()  # the latest request for a run, after its due time
    wrong: list[str] = field(default_factory=list)


def account(beat: Beat, until: datetime, runs: Iterable[Run], skips: Iterable[Skip]) -> Account:
    """Account for every due time of a source up to a moment.

    1. Each was answered, and once: also those that a back-off has left out in advance.
    2. Nothing was answered that was not due.
    3. The reason of each line holds: so says the run that it names.
    """
    found = Account(beat.source)
    mine = [run for run in runs if run.source == beat.source]
    lines = [skip for skip in skips if skip.source == beat.source]
    answers: dict[datetime, list[str]] = {}
    for run in mine:
        if run.due is not None:
            answers.setdefault(run.due, []).append(f"run {run.number}")
    for skip in lines:
        answers.setdefault(skip.due, []).append(f"skipped, {skip.reason}")

    for due in beat.due(until):
        found.due += 1
        if due not in answers:
            found.wrong.append(f"{beat.source}: nothing tells of {_at(due)}")
    for due, told in sorted(answers.items()):
        if len(told) > 1:
            found.wrong.append(f"{beat.source}: {_at(due)} was answered more than once: {', '.join(told)}")
        if not beat.holds(due):
            found.wrong.append(f"{beat.source}: {_at(due)} was never due: {', '.join(told)}")

    by_number = {run.number: run for run in mine}
    found.wrong += [
        f"{beat.source}: {_at(skip.due)} was skipped as {skip.reason} for run {skip.run}: {why}"
        for skip in lines
        if (why := _is_no_reason(skip, by_number.get(skip.run or 0))) is not None
    ]
    _count(found, until, mine, lines)
    return found


def _is_no_reason(skip: Skip, run: Run | None) -> str | None:
    if skip.reason not in ("still_running", "caught_up", "backing_off"):
        return "nobody asked for that"
    if run is None:
        return "there is no such run of this source"
    if skip.reason == "still_running":
        over = run.finished is not None and run.finished < skip.due - LEEWAY
        return "it had ended long before" if over else None
    if skip.reason == "caught_up":
        came_after = run.due is not None and run.due < skip.due <= run.requested
        return None if came_after else "it does not make up for that time"
    return None if run.status == "failed" and run.due is not None else "it did not fail at its due time"


def _count(found: Account, until: datetime, runs: list[Run], skips: list[Skip]) -> None:
    found.skipped.update(skip.reason for skip in skips if skip.due <= until)
    for run in runs:
        if run.due is None or run.due > until:
            continue
        late = run.requested - run.due
        found.latest = max(found.latest, late)
        found.caught_up += late > MINUTE
        found.on_time += late <= MINUTE


def _at(moment: datetime) -> str:
    return f"{moment:%H:%M:%S.%f}".rstrip("0").rstrip(".")


def read(panel: Path) -> tuple[list[Run], list[Skip]]:
    """The runs and the skipped due times of a control database. panel: its file."""
    with closing(sqlite3.connect(f"file:{panel}?mode=ro", uri=True, timeout=30)) as db:
        runs = db.execute(
            "SELECT r.id, s.key, r.status, r.scheduled_for, r.requested_at, r.finished_at"
            " FROM sync_runs r JOIN data_syncs s ON s.id = r.sync_id ORDER BY r.id"
        ).fetchall()
        skips = db.execute(
            "SELECT s.key, t.due_at, t.reason, t.run_id FROM skipped_ticks t JOIN data_syncs s ON s.id = t.sync_id"
        ).fetchall()
    return (
        [
            Run(number, source, status, due and utc(due), utc(requested), finished and utc(finished))
            for number, source, status, due, requested, finished in runs
        ],
        [Skip(source, utc(due), reason, run) for source, due, reason, run in skips],
    )


def utc(text: str) -> datetime:
    """A moment as the control database keeps it, without its zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
