"""Following a run from outside: a progress bar on a terminal, plain lines elsewhere, both on stderr."""

import sys
import threading
import time
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from sqlalchemy.orm import Session, sessionmaker

from panel.cli.status import waiting_words
from panel.models import TERMINAL, SyncRun

LOOK_EVERY = 0.25
LINE_EVERY = 5.0
# A lease may change hands; only after this long without any leader is the engine called gone.
NO_ENGINE = 10.0


class Gone(Exception):
    """Nobody works on the run any more."""


class Display(Protocol):
    def show(self, run: SyncRun) -> None: ...


def follow(
    factory: sessionmaker[Session], run_id: int, *, executed_by: threading.Thread | None = None
) -> SyncRun:
    """Watch the run until it ends. Raises Gone when its worker (a thread of ours, or the engine) is not there."""
    if sys.stderr.isatty():
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as progress:
            return _watch(factory, run_id, executed_by, Bar(progress))
    return _watch(factory, run_id, executed_by, Lines())


def _watch(
    factory: sessionmaker[Session], run_id: int, executed_by: threading.Thread | None, display: Display
) -> SyncRun:
    from panel import runs

    led_at = time.monotonic()
    while True:
        # Looked at before the row: a worker that is gone by then has written all that it will.
        at_work = executed_by.is_alive() if executed_by else None
        with factory() as session:
            run = runs.get(session, run_id)
            _ = run.sync.key  # loaded while the session is open
            if executed_by is None:
                at_work = _led(session)
        display.show(run)
        if run.status in TERMINAL:
            return run
        if at_work:
            led_at = time.monotonic()
        elif executed_by is not None or time.monotonic() - led_at > NO_ENGINE:
            raise Gone
        time.sleep(LOOK_EVERY)


def _led(session: Session) -> bool:
    from panel.engine import lease

    return lease.holder(session) is not None


def _facts(run: SyncRun) -> str:
    facts = f"{run.read:,} records"
    if run.partitions_failed:
        facts += f", {run.partitions_failed} parts failed"
    if run.stop_requested_at is not None:
        facts += ", stopping"
    elif run.waiting:
        facts += f", {waiting_words(run.waiting)}"
    return facts


class Bar:
    """One line that moves."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=None, facts="")

    def show(self, run: SyncRun) -> None:
        self.progress.update(
            self.task,
            description=f"{run.sync.key} (run {run.id}, {run.status})",
            total=run.partitions_planned,
            completed=run.partitions_done + run.partitions_failed + run.partitions_held,
            facts=_facts(run),
        )


class Lines:
    """A line when something happened, at most one each five seconds."""

    def __init__(self) -> None:
        self.said = ""
        self.at = 0.0

    def show(self, run: SyncRun) -> None:
        parts = (
            ""
            if run.partitions_planned is None
            else f"{run.partitions_done} of {run.partitions_planned} parts, "
        )
        line = f"{run.sync.key} (run {run.id}, {run.status}): {parts}{_facts(run)}"
        if line != self.said and time.monotonic() - self.at > LINE_EVERY:
            print(line, file=sys.stderr, flush=True)
            self.said, self.at = line, time.monotonic()
