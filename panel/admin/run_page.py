"""One run as its page shows it: how far it is, how long it will take, and what went wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fetchers.core.errors import FetchError
from panel import explain, rehearsals, usual
from panel.admin import show, sources
from panel.causes.cause import KEPT, KEPT_OR_WHOLE
from panel.config import Config
from panel.engine.verdict import DEADLINES, LOST
from panel.models import RunPartition, SyncRun
from panel.runs import INTERRUPTED

# Fewer finished parts say nothing about the rest.
ENOUGH_PARTS = 3
# Whoever is ended from outside may not have told of the part that it has just published.
UNTOLD = (*DEADLINES, LOST, INTERRUPTED, "E_OOM", "E_CANCELLED")


@dataclass(frozen=True)
class Progress:
    """How far a run is. A percentage only where the whole is known."""

    planned: int | None
    done: int
    failed: int
    held: int
    elapsed: float | None
    rate: float | None  # records a second
    left: float | None  # seconds, where it can be known
    usual: float | None
    slow: bool
    waiting: str | None

    @property
    def known(self) -> bool:
        return (self.planned or 0) > 1

    @property
    def finished(self) -> int:
        return self.done + self.failed + self.held


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal says of the real run. held: why that would be held; kept: the list can be looked at."""

    kept: bool
    held: str | None
    trouble: str | None = None


def progress(
    run: SyncRun, session: Session, now: datetime, states: Mapping[str, int] | None = None
) -> Progress:
    """How far a run is. states: how many of its parts are in which, as the map beside it shows them; the run's own
    figures come a little later, and stay when its parts are forgotten.

    Parts that the newest attempt found done say nothing of its speed.
    """
    known = usual.usual(session, run.sync_id, run.mode, before=run.id)
    elapsed = sources.elapsed(run, now)
    took = elapsed if elapsed is not None else run.duration_seconds
    planned, done = run.partitions_planned, run.partitions_done
    failed, held = run.partitions_failed, run.partitions_held
    taken_over = 0
    if states:
        taken_over = states.get("resumed", 0)
        planned = sum(n for state, n in states.items() if state != "not_due")
        done = states.get("done", 0) + taken_over
        failed, held = states.get("failed", 0), states.get("held", 0)
    finished = done + failed + held
    left = None
    mine = finished - taken_over
    if run.attempts and planned and mine >= ENOUGH_PARTS and run.status == "running":
        since = max((now - run.attempts[-1].started_at).total_seconds(), 0)
        left = since / mine * (planned - finished)
    return Progress(
        planned=planned,
        done=done,
        failed=failed,
        held=held,
        elapsed=elapsed,
        rate=run.read / took if took and took >= 1 and run.read else None,
        left=left,
        usual=None if known is None else known.median,
        slow=sources.is_slow(elapsed, None if known is None else known.median),
        waiting=show.waiting(run, now),
    )


def explanation(run: SyncRun, now: datetime, done: int = 0) -> explain.Explanation | None:
    """What happened, are the data safe, what to do; nothing where nothing went wrong. done: parts that are finished."""
    if run.error_code is None or run.status in ("success", "running"):
        return None
    params = dict(run.error_params or {})
    if run.status == "cancelled" and run.stop_requested_by:
        params.setdefault("by", run.stop_requested_by)
    why = show.explained(run.error_code, params)
    if run.dry_run:
        why = replace(why, safe=_("This was a rehearsal: nothing was written."))
    elif why.safe == _(KEPT_OR_WHOLE) and not done and (not run.started_at or run.error_code not in UNTOLD):
        why = replace(why, safe=_(KEPT))
    decided = show.decision(run, now)
    return replace(why, todo=decided) if decided else why


def rehearsed(run: SyncRun, config: Config) -> Rehearsed | None:
    """What a rehearsal says; None of every other run."""
    if not run.dry_run:
        return None
    try:
        told = rehearsals.foretold(config, run)
    except FetchError as error:
        return Rehearsed(False, None, show.explained(error.code, error.params).what)
    held = None
    if told is not None and told.status == "held":
        held = show.explained(told.error_code or "E_SHRUNK", dict(told.error_params)).what
    elif run.status == "success" and run.partitions_held:
        held = show.explained("E_SHRUNK").what
    return Rehearsed(rehearsals.is_kept(config, run), held)


def counts(run: SyncRun, session: Session) -> list[tuple[str, str, int]]:
    """The counts in their fixed order: name, word, number. Behind them, of a run with held parts, what is in those.

    A run counts what it has published; who waits for a decision would wonder at no records read.
    """
    told = [(name, str(word), getattr(run, name)) for name, word in show.COUNT_WORDS.items()]
    held = held_back([run], session).get(run.id, 0)
    if not held:
        return told
    (read, word, number), *rest = told
    return [(read, word, number + held), *rest, ("held", _("Held back"), held)]


def held_back(runs: Sequence[SyncRun], session: Session) -> dict[int, int]:
    """Records that were read of parts which are held, by the runs that have such; one statement for all of them."""
    ids = [run.id for run in runs if run.partitions_held]
    if not ids:
        return {}
    read = func.sum(RunPartition.counts["read"].as_integer())
    held = (
        select(RunPartition.run_id, read)
        .where(RunPartition.run_id.in_(ids), RunPartition.state == "held")
        .group_by(RunPartition.run_id)
    )
    return {run_id: int(found or 0) for run_id, found in session.execute(held)}
