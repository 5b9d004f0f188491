"""One run, from the claim to the verdict."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.errors import FetchError, is_out_of_memory
from panel import runs, settings
from panel.clock import boot_id, utcnow
from panel.config import ROOT, Config
from panel.db import writing
from panel.engine import process, spec
from panel.engine.child import Child
from panel.engine.journal import Journal, Wish
from panel.engine.retry import Fault
from panel.engine.settle import settle
from panel.engine.verdict import DEADLINES, LAST_EVENTS, LOST, Closing, Judgement, judge
from panel.models import SyncRun

log = structlog.get_logger("engine.supervise")

LEADERSHIP_LOST = "lease"
LONGEST_WAIT = 3600.0  # a child may say that it waits for the gateway, but not for ever


class Ledger(Protocol):
    """The destination's books (fetchers.core.store.ledger)."""

    def destination_epoch(self, url: str) -> int: ...

    def raise_fence(self, url: str, epoch: int) -> None: ...

    def verdict(self, url: str, run: str) -> Closing | None: ...


@dataclass(frozen=True)
class House:
    """What a supervisor needs to know of the engine around it."""

    config: Config
    factory: sessionmaker[Session]
    ledger: Ledger
    safe: Callable[[], bool]  # the lease: may our children live?
    stopping: Callable[[], bool]  # is the engine asked to end?
    child: tuple[str, ...] = (sys.executable, "-m", "fetchers")
    cwd: Path = ROOT
    grace: float = 15.0  # seconds between TERM and KILL
    pace: float = 0.5  # seconds between two looks at deadlines and wishes, and between two batches
    patience: float = 30.0  # seconds for the ledger to come back before a run's end waits for the next sweep
    resolve: spec.Resolve = settings.resolved


@dataclass
class Watch:
    """The parent's deadlines: the whole attempt, and nothing new for too long. Monotonic seconds."""

    began: float
    timeout: float
    stall: float
    staged: int = -1
    _news_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._news_at = self.began

    def saw(self, event: Mapping[str, Any], at: float, now: datetime) -> None:
        """News are a plan, a part, more staged rows; and a wait that was announced, until its end."""
        kind = event["event"]
        if kind in ("plan", "partition"):
            self._news_at = max(self._news_at, at)
        if kind != "progress":
            return
        staged = event.get("staged")
        if isinstance(staged, int) and staged > self.staged:
            self.staged = staged
            self._news_at = max(self._news_at, at)
        waiting = event.get("waiting")
        if isinstance(waiting, Mapping):
            self._news_at = max(self._news_at, at + _seconds_until(waiting.get("until"), now))

    def overdue(self, at: float) -> str | None:
        """The deadline that has passed, if one has."""
        if at - self.began > self.timeout:
            return "E_TIMEOUT"
        return "E_STALLED" if at - self._news_at > self.stall else None


@dataclass
class _End:
    """What was seen of a child's end."""

    exit_code: int | None
    last: dict[str, Any] | None
    stop: str | None
    lost: str  # what it is called if nothing else explains it


def supervise(house: House, run_id: int, epoch: int) -> None:
    """Execute one claimed run from start to verdict.

    1. Make its order; settings that cannot work end it here.
    2. Start the child and write down which process it is.
    3. Follow it until it is gone: note what it says, stop it when a person, a deadline or the engine's end asks. What
       it has started itself ends with it.
    4. Ask the ledger, judge, and write the end by one compare-and-set.
    """
    began = time.monotonic()
    with house.factory() as session:
        run = runs.get(session, run_id)
        made = spec.build(session, run, house.config, epoch=epoch, now=utcnow(), resolve=house.resolve)
        watch = Watch(began, run.sync.timeout_seconds, run.sync.stall_seconds)
    if isinstance(made, Fault):
        conclude(house, run, epoch, Judgement("failed", made), seconds=time.monotonic() - began)
        return
    journal = Journal(house.factory, run_id, epoch, made.secrets)
    try:
        child = Child(house.child, made.order, uuid=run.uuid, cwd=house.cwd)
    except OSError as error:
        fault = Fault("E_INTERNAL", {"detail": f"the child could not be started: {error.strerror}"}, True)
        if is_out_of_memory(error):
            fault = Fault("E_OOM", retryable=True)
        conclude(house, run, epoch, Judgement("failed", fault), seconds=time.monotonic() - began)
        return
    try:
        end = _follow(house, run, epoch, child, journal, watch)
    finally:
        child.close()  # however we leave: no child outlives its supervisor
    if end.stop == LEADERSHIP_LOST:
        log.error("leadership lost; the next leader judges this run", run=run_id, epoch=epoch)
        return
    # What the child started and what left its group: a fork of it could write after the verdict. Only while we lead:
    # the next leader's child carries the same run's id.
    if not process.kill_run(run.uuid, None, None, None):
        log.error("what a run has started does not end; the next sweep judges the run", run=run_id)
        return
    seconds = time.monotonic() - began
    judge_and_conclude(
        house,
        run,
        epoch,
        end.exit_code,
        end.last,
        end.stop,
        seconds=seconds,
        lost=end.lost,
        patience=house.patience,
    )


def _follow(house: House, run: SyncRun, epoch: int, child: Child, journal: Journal, watch: Watch) -> _End:
    """Listen until the child is gone. TERM at the first reason to stop, KILL to the group after the grace."""
    noted = heard = False
    stop: str | None = None
    kill_at = flush_at = 0.0
    last: dict[str, Any] | None = None
    gone = False
    while not gone:
        gone = child.gone()
        events = child.close() if gone else child.read(house.pace)
        now, at = utcnow(), time.monotonic()
        if events and not heard:
            heard = True
            log.debug("the child speaks", run=run.id, says=events[0]["event"])
        for event in events:
            journal.take(event, now)
            watch.saw(event, at, now)
            # An error that follows our TERM is only its echo.
            if event["event"] in LAST_EVENTS and (stop is None or event["event"] != "error"):
                last = {**event, "error": journal.masked(event.get("error"))}
        if gone:
            break
        if not noted:
            noted = _note_child(house, run.id, epoch, child, boot_id())
        wish: Wish | None = None
        if at >= flush_at:
            wish = journal.flush()
            flush_at = at + house.pace
        if not house.safe() or (wish is not None and not wish.ours):
            stop = LEADERSHIP_LOST
            child.kill()
        elif stop is None:
            stop = wish.stop if wish is not None and wish.stop else None
            stop = stop or (runs.INTERRUPTED if house.stopping() else watch.overdue(at))
            if stop is not None:
                log.info("stopping a run", run=run.id, reason=stop)
                _note_stop(house, run.id, epoch, stop, now)
                child.terminate()
                kill_at = at + house.grace
        elif at >= kill_at:
            child.kill()
            kill_at = at + house.grace
    if stop != LEADERSHIP_LOST:
        _last_words(child, journal, last, stop)
        journal.flush()
    return _End(child.exit_code, last, stop, "E_OOM" if child.out_of_memory else LOST)


def judge_and_conclude(
    house: House,
    run: SyncRun,
    epoch: int,
    exit_code: int | None,
    last: Mapping[str, Any] | None,
    stop: str | None,
    *,
    seconds: float | None,
    lost: str = LOST,
    at_once: bool = False,
    patience: float = 0.0,
) -> None:
    """Ask the ledger and write the end; a run that cannot be judged now stays as it is, for the next sweep.

    patience: seconds in which the ledger may come back, while we know what the child said: the sweep does not.
    """
    try:
        closing = None if run.dry_run else _closing(house, run, patience)
        with house.factory() as session:
            current = runs.get(session, run.id)
            minutes = round(current.sync.stall_seconds / 60, 1)
            limits = {
                "seconds": current.sync.timeout_seconds,
                "minutes": int(minutes) if minutes.is_integer() else minutes,
            }
    except (FetchError, DBAPIError) as error:
        log.error("a run cannot be judged now", run=run.id, error=type(error).__name__)
        return
    if current.stop_reason == runs.CANCEL:
        stop = runs.CANCEL
    judgement = judge(
        closing=closing,
        exit_code=exit_code,
        last=last,
        stop=stop,
        dry_run=run.dry_run,
        stopped_by=current.stop_requested_by,
        limits=limits,
        lost=lost,
    )
    conclude(house, run, epoch, judgement, seconds=seconds, at_once=at_once)


def _closing(house: House, run: SyncRun, patience: float) -> Closing | None:
    """The run's closing entry; a database server that is being restarted is asked again for so many seconds."""
    until = time.monotonic() + patience
    while True:
        try:
            return house.ledger.verdict(house.config.data_database_url, run.uuid)
        except FetchError as error:
            if time.monotonic() >= until or not house.safe() or house.stopping():
                raise
            log.warning("the ledger does not answer yet", run=run.id, error=str(error))
            time.sleep(house.pace)


def conclude(
    house: House,
    run: SyncRun,
    epoch: int,
    judgement: Judgement,
    *,
    seconds: float | None = None,
    at_once: bool = False,
) -> None:
    """Write a judgement; while the database does not answer, keep trying as long as we lead."""
    while True:
        try:
            with writing(house.factory) as session:
                status = settle(
                    session, run.id, judgement, epoch=epoch, now=utcnow(), seconds=seconds, at_once=at_once
                )
        except DBAPIError as error:
            log.warning("the end of a run cannot be written yet", run=run.id, error=type(error.orig).__name__)
            if not house.safe() or house.stopping():
                return
            time.sleep(house.pace)
            continue
        code = judgement.fault.code if judgement.fault else None
        log.info(
            "run ended" if status != "pending" else "run will be tried again",
            run=run.id,
            status=status,
            error_code=code,
            seconds=None if seconds is None else round(seconds, 2),
        )
        return


def _note_child(house: House, run_id: int, epoch: int, child: Child, boot: str) -> bool:
    try:
        with writing(house.factory) as session:
            runs.note_child(session, run_id, epoch=epoch, pid=child.pid, started=child.started, boot_id=boot)
    except DBAPIError as error:
        log.warning("the child cannot be noted yet", run=run_id, error=type(error.orig).__name__)
        return False
    return True


def _note_stop(house: House, run_id: int, epoch: int, stop: str, now: datetime) -> None:
    if stop not in DEADLINES:
        return
    try:
        with writing(house.factory) as session:
            runs.request_stop(session, run_id, epoch=epoch, reason=stop, now=now)
    except DBAPIError as error:
        # The child is stopped all the same; the verdict names the deadline.
        log.warning("a deadline cannot be noted", run=run_id, error=type(error.orig).__name__)


def _last_words(child: Child, journal: Journal, last: Mapping[str, Any] | None, stop: str | None) -> None:
    """What a crash wrote to stderr goes into the run's log, masked; never into the error message."""
    now = utcnow()
    if child.unreadable:
        journal.line("warning", f"{child.unreadable} lines of the child's output were no events.", now)
    if child.stderr_tail and (last is None or last.get("event") == "error") and stop is None:
        for text in child.stderr_tail.splitlines()[-40:]:
            journal.line("error", text, now)


def _seconds_until(until: Any, now: datetime) -> float:
    if not isinstance(until, str):
        return 0.0
    try:
        moment = datetime.fromisoformat(until)
        return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)
    except (ValueError, TypeError):
        return 0.0
