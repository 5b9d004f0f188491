"""An engine without its process, and children that play what a test says."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store import ledger
from panel import runs
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.engine.lease import Lease
from panel.engine.supervise import House, supervise
from panel.models import DataSync, SyncRun
from panel.settings import Resolved

STUB = (sys.executable, str(Path(__file__).with_name("stub_child.py")))
PATIENCE = 60.0  # seconds: only reached when something is wrong


def until(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Wait for a condition; its value."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {PATIENCE:.0f} s")


def as_written(sync: DataSync, _session: Session, _config: Config) -> Resolved:
    """Settings straight from the row: the stub's play."""
    return Resolved(dict(sync.settings), {}, [])


class Workshop:
    """A leading engine without its process: ask, supervise, look."""

    def __init__(self, config: Config, factory: sessionmaker[Session]) -> None:
        self.config = config
        self.factory = factory
        self.lease = Lease(factory, config.data_database_url)
        assert self.lease.acquire()
        self.stopping = False
        self.house = House(
            config=config,
            factory=factory,
            ledger=ledger,
            safe=self.lease.safe,
            stopping=lambda: self.stopping,
            child=STUB,
            grace=1.0,
            pace=0.05,
            resolve=as_written,
        )

    @property
    def epoch(self) -> int:
        assert self.lease.epoch is not None
        return self.lease.epoch

    def ask(self, sync: DataSync, **options: Any) -> SyncRun:
        """A pending run."""
        with writing(self.factory) as session:
            return runs.request(session, sync, **{"triggered_by": "panel", "now": utcnow(), **options}).run

    def claim(self, run: SyncRun) -> SyncRun:
        """The same run, claimed by this engine."""
        with writing(self.factory) as session:
            claimed = runs.claim(session, run.id, epoch=self.epoch, now=utcnow())
        assert claimed is not None
        return claimed

    def execute(self, sync: DataSync, **options: Any) -> SyncRun:
        """One attempt, from request to verdict."""
        run = self.claim(self.ask(sync, **options))
        supervise(self.house, run.id, self.epoch)
        return self.look(run)

    def look(self, run: SyncRun) -> SyncRun:
        """The run as it is now, with its sync and attempts."""
        with self.factory() as session:
            found = runs.get(session, run.id)
            assert found.sync.key
            assert found.attempts is not None
            return found
