"""An installation without its panel: asked, cancelled and looked at by its database, with engines of quick times.

The engines are real processes before a simulated gateway, and so are their children, which may have a failpoint.
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import doorbell, runs
from panel.clock import utcnow
from panel.config import load
from panel.db import session_factory, writing
from panel.engine.lease import Holder, holder
from panel.models import TERMINAL, DataSync, SkippedTick, SyncRun
from panel.seed import prepare
from tests.acceptance.house import House, ask, until
from tests.conftest import ROOT
from tests.faults import oracle

# As fast as it goes, and tried again at once.
QUICK = {"requests_per_second": 0, "retry_budget": 20}
WORLD = ("--size", "tiny", "--seed", "5", "--totals", "present")


class Office:
    """A house, its database, and its engines."""

    python = sys.executable

    def __init__(self, house: House) -> None:
        self.house = house
        self.folder = house.instance.parent / "office"
        self.folder.mkdir()
        self.config = load(house.environ)
        prepare(self.config)
        self.factory: sessionmaker[Session] = session_factory(self.config.panel_database_url)
        self.engines: list[subprocess.Popen[bytes]] = []
        for key in ("faculty", "students"):
            self.change(key, retry_wait_seconds=0, settings=QUICK)

    # -- engines ------------------------------------------------------------------------------------------

    def engine(
        self,
        *,
        lease: float = 60.0,
        fail_at: str = "",
        child: tuple[str, ...] = (),
        settle: bool = False,
        clock: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start an engine. fail_at: of its children (tests/faults/failpoints.py); the mark is `reached`.

        child: another command in place of the child's. settle: stand still before the end of a run is written.
        clock: its wall clock may be set (`set_clock`).
        """
        if fail_at:
            child = (sys.executable, "-m", "tests.faults.failpoints", fail_at, str(self.folder))
        own = ["--settle", str(self.folder)] if settle else []
        if clock:
            set_before = (self.folder / "clock").exists()
            own += ["--clock", str(self.folder / "clock" if set_before else self.set_clock(timedelta()))]
        argv = [sys.executable, "-m", "tests.faults.engine_process", str(lease), *own, *child]
        log = (self.folder / "engines.log").open("ab")
        with log:
            engine = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=self.house.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.engines.append(engine)
        return engine

    def loaded(self) -> oracle.State:
        """The students in step with the gateway, then a delta at the gateway: what is stored now (`since` run 1)."""
        engine = self.engine()
        code, run = self.sync()
        assert code == 0, run
        engine.terminate()
        assert engine.wait(30) == 0
        delta = {"added": 30, "changed": 30, "gone": 18, "stream": "students"}
        ask(f"{self.house.gateway.url}/__sim__/delta", delta)
        return oracle.state(self.house.data)

    def wrong(self, before: oracle.State, since: int = 0) -> list[str]:
        """What the oracle says of a house whose trouble is over."""
        return oracle.verdict(self.house, before, oracle.wanted(self.house), since=since, patience=15)

    def set_clock(self, ahead: timedelta) -> Path:
        """Set the wall clock of the engines that have `clock`: so far ahead of ours."""
        file, new = self.folder / "clock", self.folder / "clock.new"
        new.write_text(str(ahead.total_seconds()))
        return new.replace(file)

    def kill(self, engine: subprocess.Popen[bytes]) -> None:
        """By -9."""
        engine.kill()
        engine.wait(30)

    def stop(self, engine: subprocess.Popen[bytes]) -> None:
        """Let it stand still, outside of any transaction: inside one it would keep SQLite's only lock."""

        def stands_still() -> bool:
            engine.send_signal(signal.SIGSTOP)
            with contextlib.closing(
                sqlite3.connect(self.config.instance / "panel.db", timeout=1, isolation_level=None)
            ) as db:
                try:
                    db.execute("BEGIN IMMEDIATE")
                    db.execute("ROLLBACK")
                    return True
                except sqlite3.OperationalError:
                    engine.send_signal(signal.SIGCONT)
                    return False

        until(stands_still, "a moment outside of transactions")

    def log(self) -> str:
        """What the engines have said."""
        return (self.folder / "engines.log").read_text(encoding="utf-8", errors="replace")

    def leader(self) -> Holder | None:
        with self.factory() as session:
            return holder(session)

    def led_by(self, engine: subprocess.Popen[bytes], seconds: float = 60.0) -> Holder:
        """Wait until this engine leads."""

        def leads() -> Holder | None:
            assert engine.poll() is None, self.log()
            found = self.leader()
            return found if found is not None and found.pid == engine.pid else None

        found: Holder = until(leads, "the engine's lead", seconds)
        return found

    # -- failpoints ---------------------------------------------------------------------------------------

    def reached(self) -> None:
        """Wait until the failpoint's moment has come."""
        try:
            until((self.folder / "reached").exists, "the failpoint's moment")
        except AssertionError as error:
            error.add_note(f"The engines said:\n{self.log()}")
            raise

    def go(self) -> None:
        """Let whoever stands still go on."""
        (self.folder / "go").touch()

    # -- runs ---------------------------------------------------------------------------------------------

    def change(self, key: str, settings: Mapping[str, Any] | None = None, **columns: Any) -> None:
        """Change settings and columns of a sync."""
        with writing(self.factory) as session:
            sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
            sync.settings = {**sync.settings, **(settings or {})}
            for name, value in columns.items():
                setattr(sync, name, value)

    def row(self, key: str = "students") -> DataSync:
        """The sync and its status row."""
        with self.factory() as session:
            return session.scalars(select(DataSync).where(DataSync.key == key)).one()

    def ask(self, key: str = "students", **options: Any) -> int:
        """Ask for a run, as every door does; its id."""
        with writing(self.factory) as session:
            sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
            run = runs.request(session, sync, **{"triggered_by": "panel", "now": utcnow(), **options}).run
        doorbell.ring(self.config.instance)
        return run.id

    def cancel(self, run_id: int) -> bool:
        with writing(self.factory) as session:
            return runs.cancel(session, runs.get(session, run_id), now=utcnow(), user="reza")

    def run(self, run_id: int) -> SyncRun:
        """The run as it is now, with its sync and attempts."""
        with self.factory() as session:
            found = runs.get(session, run_id)
            assert found.sync.key
            assert found.attempts is not None
            return found

    def ended(self, run_id: int, status: str, seconds: float = 90.0) -> SyncRun:
        """Wait until a run has this status."""
        said = f"run {run_id} to be {status}"
        until(lambda: self.run(run_id).status == status, said, seconds)
        return self.run(run_id)

    def child(self, run_id: int) -> int:
        """Wait until the engine has written down the run's process; its number."""
        pid: int = until(
            lambda: self.run(run_id).status == "running" and self.run(run_id).child_pid, "a child"
        )
        return pid

    def sync(self, key: str = "students", seconds: float = 90.0) -> tuple[int, dict[str, Any]]:
        """Ask the engine that leads for a run, and wait for its end: 0 or 1, and the run."""
        run_id = self.ask(key)
        until(lambda: self.run(run_id).status in TERMINAL, f"the end of run {run_id}", seconds)
        run = self.run(run_id).to_dict()
        return int(run["status"] != "success"), run

    def codes(self, run_id: int) -> list[str | None]:
        """How each attempt ended."""
        return [attempt.error_code for attempt in self.run(run_id).attempts]

    def all_runs(self) -> list[SyncRun]:
        with self.factory() as session:
            return list(session.scalars(select(SyncRun).order_by(SyncRun.id)))

    def skipped(self) -> list[SkippedTick]:
        with self.factory() as session:
            return list(session.scalars(select(SkippedTick).order_by(SkippedTick.due_at)))

    def published(self, run_id: int) -> set[str]:
        """The parts that the ledger says this run has published."""
        uuid = self.run(run_id).uuid
        found = self.house.data.rows("SELECT part FROM _hamgam_ledger WHERE run = ? AND kind = 'part'", uuid)
        return {part for (part,) in found}

    def asked(self, since: int = 0) -> list[str]:
        """The parts that the gateway was asked for, by its own log, from its request number `since` on."""
        return [f"campus={campus},term={term}" for campus, term in self.house.asked_parts()[since:]]

    def close(self) -> None:
        """End the engines, then whoever stands still at a failpoint (it may hold a lock, and be nobody's child)."""
        for engine in self.engines:
            if engine.poll() is None:
                engine.send_signal(signal.SIGCONT)
                engine.kill()
            engine.wait(30)
        for process in psutil.process_iter(["cmdline"]):
            if str(self.folder) in " ".join(process.info["cmdline"] or ()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self.factory.kw["bind"].dispose()


@pytest.fixture
def build_office(build_house: Callable[..., House]) -> Iterator[Callable[..., Office]]:
    """Build an office: `build_office("--latency", "50", database=…)`. Its engines end with the test."""
    made: list[Office] = []

    def build(*options: str, database: str = "") -> Office:
        made.append(Office(build_house(*WORLD, *options, database=database)))
        return made[-1]

    yield build
    for office in made:
        office.close()


def signal_group(pid: int, number: signal.Signals) -> None:
    """To a child with everything that it started."""
    os.killpg(pid, number)
