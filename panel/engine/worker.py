"""The engine process: it leads or stands by, starts what is due, and ends in order.

APScheduler is its clock and its pool of threads, with nothing kept in it: what is due is in the database.
"""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import sessionmaker

from panel import runs, storage
from panel.clock import utcnow
from panel.config import Config
from panel.db import open_engine, writing
from panel.doorbell import Doorbell
from panel.engine import roll, schedule, wallclock
from panel.engine.dispatch import claim_waiting
from panel.engine.keeping import forget_what_is_old
from panel.engine.lapse import discard_needless, let_holds_lapse
from panel.engine.lease import Lease
from panel.engine.recover import recover
from panel.engine.supervise import House, Ledger, supervise
from panel.models import TERMINAL, SyncRun

log = structlog.get_logger("engine")

CLOCK_THREADS = 4


@dataclass(frozen=True)
class Pace:
    """The engine's times in seconds, and how many runs it executes at once."""

    lease: float = 60.0
    renew: float = 5.0
    tick: float = 1.0
    sweep: float = 10.0
    tidy: float = 30.0
    tidied: float = 6 * 3600.0  # after there was nothing left to do
    never_idle: float = 24 * 3600.0  # so long without an idle moment, and it tidies beside runs
    standby: float = 1.0
    first_sign: float = 15.0  # to the watchdog outside: whoever leads has looked for what was missed
    at_once: int = 4


class EngineBusy(Exception):
    """Another engine leads; it will execute the run."""


class Engine:
    """One engine. `run_forever` is the process; `execute` one run for a command, while nobody else leads."""

    def __init__(
        self,
        config: Config,
        *,
        pace: Pace | None = None,
        ledger: Ledger | None = None,
        **house: Any,
    ) -> None:
        """house: what to change of panel.engine.supervise.House (child, grace, resolve …)."""
        if ledger is None:
            from fetchers.core.store import ledger as books  # here: it brings the destination's driver along

            ledger = books
        pace = pace or Pace(at_once=config.runs_at_once)
        self._database = open_engine(config.panel_database_url, threads=pace.at_once + CLOCK_THREADS)
        self._factory = sessionmaker(self._database, expire_on_commit=False)
        self._config = config
        self._pace = pace
        self.lease = Lease(self._factory, config.data_database_url, seconds=pace.lease, fence=ledger)
        self.house = House(
            config=config,
            factory=self._factory,
            ledger=ledger,
            safe=self.lease.safe,
            stopping=lambda: self._stopping,
            **house,
        )
        self._stopping = False  # plain, since a signal handler sets it: an Event's lock could be held there
        self._busy: set[int] = set()
        self._tidy_after = 0.0
        self._tidied_at = time.monotonic()
        self._lock = threading.RLock()  # over claims and sweeps: a run just claimed is not an orphan
        self._bell: Doorbell | None = None
        self._ended = threading.Event()
        self._stands_by = False  # whether that was said
        self._set_back = timedelta()  # by which the wall clock was set back, and nothing is pulled back yet
        self._scheduler = BackgroundScheduler(
            executors={
                "default": ThreadPoolExecutor(CLOCK_THREADS),
                "runs": ThreadPoolExecutor(pace.at_once),
                "outside": ThreadPoolExecutor(1),  # whatever the world does, the others go on
            },
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone="UTC",
        )

    def run_forever(self) -> None:
        """Lead, or stand by until the leader is gone; until TERM or INT.

        1. The clock starts: renew the lease, look for due syncs, sweep.
        2. Stand by until the lease is free; then judge the runs that the last leader left behind.
        3. Each second, and whenever the doorbell rings: start what is waiting.
        4. At the end: stop the children, whose runs wait for the next engine, and give the lease back.
        """
        self._listen_to_signals()
        for job, seconds in (
            (self._renew, self._pace.renew),
            (self._tick, self._pace.tick),
            (self._sweep, self._pace.sweep),
            (self._tidy, self._pace.tidy),
        ):
            self._scheduler.add_job(self._guarded(job), "interval", seconds=seconds, id=job.__name__)
        if self._config.heartbeat_url is not None:
            from panel.engine.heartbeat import Heartbeat  # here: most have none, and it brings HTTP along

            beat = self._guarded(Heartbeat(self._config, self._factory, self._leads_on).beat)
            self._scheduler.add_job(
                beat, "interval", minutes=self._config.heartbeat_minutes, executor="outside", id="beat",
                next_run_time=utcnow() + timedelta(seconds=self._pace.first_sign),
            )  # fmt: skip
        self._start_the_clock()
        log.info("engine started", owner=self.lease.owner)
        try:
            with roll.signed(self._config.instance):
                while not self._stopping:
                    self._guarded(self._turn)()
        finally:
            self._end()

    def stop(self) -> None:
        """Ask the engine to end; safe in a signal handler."""
        self._stopping = True
        bell = self._bell
        if bell is not None:
            bell.wake()

    def execute(self, run_id: int) -> SyncRun:
        """Execute one run here and now, retries included. Raises EngineBusy when another engine leads."""
        if not self.lease.acquire():
            self._database.dispose()
            raise EngineBusy("another engine leads and will execute the run")
        self._scheduler.add_job(self._guarded(self._renew), "interval", seconds=self._pace.renew, id="renew")
        self._start_the_clock()
        try:
            recover(self.house, self._epoch(), frozenset())
            while True:
                with self._factory() as session:
                    run = runs.get(session, run_id)
                    run.sync  # noqa: B018 - loaded here: callers ask for run.to_dict()
                if run.status in TERMINAL or self._stopping or not self.lease.leading:
                    if self._config.engine == "inline":  # there, no engine is ever idle
                        self._guarded(self._tidy)()
                    return run
                with writing(self._factory) as session:
                    claimed = runs.claim(session, run_id, epoch=self._epoch(), now=utcnow())
                if claimed is None:
                    time.sleep(0.2)
                    continue
                supervise(self.house, run_id, self._epoch())
        finally:
            self._end()

    # One turn of the loop, and the clock's jobs. Each looks first whether we lead.

    def _turn(self) -> None:
        if not self.lease.leading:
            if self._busy or not self.lease.acquire():
                if not self._stands_by:
                    self._stands_by = True
                    log.info(
                        "standing by: another engine leads, or nothing can be led", owner=self.lease.owner
                    )
                time.sleep(self._pace.standby)
                return
            self._stands_by = False
            log.info("this engine leads", owner=self.lease.owner, epoch=self.lease.epoch)
            if self._bell is not None:
                self._bell.close()
            self._bell = Doorbell(self._config.instance)
            self._set_back = wallclock.since_heartbeat(self.lease.heard_before, utcnow()) or self._set_back
            self._guarded(self._sweep)()
        self._dispatch()
        if self._bell is not None:
            self._bell.wait(self._pace.tick)

    def _start_the_clock(self) -> None:
        """APScheduler's, and somebody who looks whether the wall clock, by which it goes, is set back."""
        self._scheduler.start()
        watch = wallclock.Watch()

        def look() -> None:
            while not self._ended.wait(self._pace.tick):
                back = watch.set_back()
                if back is not None:
                    log.warning("the wall clock was set back", seconds=round(back.total_seconds()))
                    if self.lease.leading:  # else the leader does it, or whoever leads next
                        self._set_back += back
                    for job in self._scheduler.get_jobs():  # else none would start before the former time
                        with suppress(JobLookupError):  # it has just ended
                            job.modify(next_run_time=utcnow())
                if self._set_back and self.lease.safe():
                    self._guarded(self._pull_back)()

        threading.Thread(target=look, name="wall clock", daemon=True).start()

    def _pull_back(self) -> None:
        by = self._set_back
        with writing(self._factory) as session:
            wallclock.pull_back(session, by, utcnow())
        self._set_back -= by

    def _renew(self) -> None:
        if self.lease.leading:
            self.lease.renew()

    def _tick(self) -> None:
        if self._stopping or not self.lease.safe():
            return
        now = utcnow()
        with self._factory() as session:
            if not schedule.is_anything_due(session, now):
                return
        with writing(self._factory) as session:
            started = schedule.start_due(session, now)
        if started and self._bell is not None:
            self._bell.wake()

    def _sweep(self) -> None:
        if self._stopping or not self.lease.safe():
            return
        with self._lock:
            recover(self.house, self._epoch(), frozenset(self._busy))
        let_holds_lapse(self._factory, self._config, utcnow())
        discard_needless(self._factory, self._config, utcnow())

    def _tidy(self) -> None:
        """Let go of what is older than the rules say, while no run is about; beside runs, if they are always there."""
        now = time.monotonic()
        beside_runs = now - self._tidied_at > self._pace.never_idle
        go_on = self._leads_on if beside_runs else self._idle
        if now < self._tidy_after or not go_on():
            return
        if forget_what_is_old(
            self._factory, self._config, self._epoch(), utcnow(), go_on, beside_runs=beside_runs
        ):
            self._tidied_at = time.monotonic()
            self._tidy_after = self._tidied_at + self._pace.tidied

    def _leads_on(self) -> bool:
        return not self._stopping and self.lease.safe()

    def _idle(self) -> bool:
        return self._leads_on() and not self._busy

    def _dispatch(self) -> None:
        with self._lock:
            if self._stopping or not self.lease.safe():
                return
            epoch = self._epoch()
            room = self._pace.at_once - len(self._busy)
            claimed = claim_waiting(self._factory, epoch=epoch, room=room, now=utcnow())
            self._busy.update(claimed)
        for run_id in claimed:
            # Not before it is in `_busy`: the sweep would take it for an orphan. Without a name of its own: APScheduler
            # refuses a job while one of the same name ends, as that of the attempt before may do just now, and the
            # run would be claimed for ever and begun by nobody.
            self._scheduler.add_job(self._supervise, args=(run_id, epoch), executor="runs")

    def _supervise(self, run_id: int, epoch: int) -> None:
        try:
            supervise(self.house, run_id, epoch)
        except Exception:
            log.exception("a supervisor broke", run=run_id)
        finally:
            with self._lock:
                self._busy.discard(run_id)
            if self._bell is not None and not self._stopping:
                self._bell.wake()

    def _guarded(self, job: Callable[[], None]) -> Callable[[], None]:
        def guarded() -> None:
            try:
                job()
            except DBAPIError as error:
                trouble = storage.of(error, self._config) or str(error.orig)[:200]
                log.warning("the control database does not answer", job=job.__name__, error=str(trouble))
                time.sleep(min(1.0, self._pace.tick))
            except Exception:
                log.exception("the engine stumbled", job=job.__name__)
                time.sleep(min(1.0, self._pace.tick))

        guarded.__name__ = job.__name__
        return guarded

    def _epoch(self) -> int:
        epoch = self.lease.epoch
        if epoch is None:
            raise RuntimeError("this engine does not lead")
        return epoch

    def _end(self) -> None:
        """Wait for the supervisors, which stop their children, then give back what we hold."""
        self._stopping = True
        while self._busy:
            time.sleep(0.05)
        self._ended.set()
        self._scheduler.shutdown(wait=True)
        self.lease.release()
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        self._database.dispose()
        log.info("engine ended", owner=self.lease.owner)

    def _listen_to_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return

        def on_signal(number: int, _frame: FrameType | None) -> None:
            self.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)


def execute_here(config: Config, run_id: int, **options: Any) -> SyncRun:
    """Execute one run in this process, for a command where no engine leads.

    Ctrl-C cancels the run, waits until its child is gone, and is raised again. Raises EngineBusy when an engine
    leads after all.
    """
    engine = Engine(config, **options)
    answer: list[SyncRun | BaseException] = []

    def work() -> None:
        try:
            answer.append(engine.execute(run_id))
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            answer.append(error)

    thread = threading.Thread(target=work, name=f"run-{run_id}")
    thread.start()
    interrupted: KeyboardInterrupt | None = None
    while thread.is_alive():
        try:
            thread.join(0.2)
        except KeyboardInterrupt as error:
            interrupted = error
            with writing(engine.house.factory) as session:
                runs.cancel(session, runs.get(session, run_id), now=utcnow(), user=None)
    if interrupted is not None:
        raise interrupted
    if isinstance(answer[0], BaseException):
        raise answer[0]
    return answer[0]
