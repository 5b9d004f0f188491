"""What a child reports, written down: parts, progress and log lines, in batches.

Events are gathered and written about twice a second in one transaction, which also learns whether the run is
still ours and whether somebody wants it to stop. A database that does not answer loses nothing: the next
batch is larger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from panel import explain, runs
from panel.db import writing
from panel.engine.verdict import reported
from panel.models import DataSync, RunLog, RunPartition, SyncRun

log = structlog.get_logger("engine.journal")

LOG_LINES = 2000
LOG_CHARACTERS = 500_000
CAPPED = "The log is full: further lines of this run are not kept."
LEVELS = ("info", "warning", "error")
MOST_NEWS = 20
STATES = ("done", "staged", "failed", "held")
NOT_DUE = "not_due"  # left out of the run's plan: closed, and asked for lately
MASK = "--------"


@dataclass(frozen=True)
class Wish:
    """What the run row says: is it ours, and should it stop?"""

    ours: bool
    stop: str | None


class Journal:
    """The notes of one attempt."""

    def __init__(
        self, factory: sessionmaker[Session], run_id: int, epoch: int, secrets: tuple[str, ...]
    ) -> None:
        self._factory = factory
        self._run_id = run_id
        self._epoch = epoch
        self._secrets = secrets
        self._plan: tuple[list[str], set[str], list[str]] | None = None  # parts, done before, not due
        self._parts: dict[str, dict[str, Any]] = {}
        self._progress: dict[str, Any] = {}
        self._lines: list[dict[str, Any]] = []
        self._news: list[dict[str, Any]] = []  # of the schema, over the whole attempt
        self._news_written = 0
        with factory() as session:
            written = select(func.count(), func.coalesce(func.sum(func.length(RunLog.message)), 0))
            lines, characters = session.execute(written.where(RunLog.run_id == run_id)).one()
        self._room = LOG_LINES - lines if characters < LOG_CHARACTERS else 0
        self._characters = LOG_CHARACTERS - characters

    def take(self, event: Mapping[str, Any], now: datetime) -> None:
        """Note one event, to be written with the next batch."""
        kind = event["event"]
        if kind == "plan":
            parts = [str(part)[:120] for part in event.get("parts") or []]
            self._plan = (
                list(dict.fromkeys(parts)),
                {str(part)[:120] for part in event.get("resumed") or []},
                [str(part)[:120] for part in event.get("not_due") or []],
            )
            self._parts.clear()
        elif kind == "partition" and event.get("state") in STATES:
            self._take_part(event)
        elif kind == "progress":
            self._progress = {
                **runs.counted(event.get("counts"), event.get("partitions")),
                "waiting": event.get("waiting"),
            }
        elif kind == "drift" and len(self._news) < MOST_NEWS:
            fields = [str(field)[:80] for field in event.get("fields") or []][:MOST_NEWS]
            self._news.append(self.masked({"kind": str(event.get("change", ""))[:16], "fields": fields}))
            self._news_at = now
        elif kind == "log":
            level = event.get("level")
            self.line(level if level in LEVELS else "info", str(event.get("message", "")), now)

    def line(self, level: str, message: str, now: datetime) -> None:
        """Note one line of the run's log, its secrets masked; the last line that has room says so."""
        if self._room <= 0:
            return
        message = self.mask(message)[:1000]
        self._room -= 1
        self._characters -= len(message)
        if self._room == 0 or self._characters <= 0:
            self._room = 0
            level, message = "warning", CAPPED
        self._lines.append({"run_id": self._run_id, "at": now, "level": level, "message": message})

    def mask(self, text: str) -> str:
        """The text without secrets, and without what a database cannot keep."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text.replace("\0", "").encode("utf-8", "replace").decode()

    def masked(self, value: Any) -> Any:
        """A JSON value with every text masked."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            return {str(name): self.masked(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.masked(inner) for inner in value]
        return value

    def flush(self) -> Wish | None:
        """Write what was noted and learn what is wished; None if the database does not answer now."""
        try:
            return self._write() if self._pending() else self._look()
        except OperationalError as error:
            log.warning("the control database does not answer; trying again", error=type(error.orig).__name__)
            return None
        except DBAPIError as error:
            # Not the database's state but our data: keeping them would fail for ever.
            log.error("notes of a run could not be written", run=self._run_id, error=str(error.orig)[:300])
            self._forget()
            return None

    def _take_part(self, event: Mapping[str, Any]) -> None:
        part = str(event.get("part", ""))[:120]
        error = event.get("error")
        fault = reported(self.masked(error), default="E_INTERNAL") if isinstance(error, Mapping) else None
        seconds = event.get("seconds")
        self._parts[part] = {
            "run_id": self._run_id,
            "part": part,
            "position": 0,
            "state": event["state"],
            "counts": event.get("counts"),
            "error_code": fault.code if fault else None,
            "error_message": explain.message(fault.code, fault.params) if fault else None,
            "error_params": dict(fault.params) if fault else None,
            "seconds": float(seconds) if isinstance(seconds, int | float) else None,
        }

    def _pending(self) -> bool:
        return bool(
            self._plan or self._parts or self._progress or self._lines or len(self._news) > self._news_written
        )

    def _forget(self) -> None:
        self._plan = None
        self._parts, self._progress, self._lines = {}, {}, []
        self._news_written = len(self._news)

    def _look(self) -> Wish:
        with self._factory() as session:
            return self._wish(session)

    def _wish(self, session: Session) -> Wish:
        found = select(SyncRun.status, SyncRun.epoch, SyncRun.stop_reason).where(SyncRun.id == self._run_id)
        row = session.execute(found).one_or_none()
        ours = row is not None and row[0] == "running" and row[1] == self._epoch
        return Wish(ours, row[2] if row is not None else None)

    def _write(self) -> Wish:
        with writing(self._factory) as session:
            wish = self._wish(session)
            if wish.ours:
                self._write_parts(session)
                if self._lines:
                    session.execute(insert(RunLog), self._lines)
                if len(self._news) > self._news_written:
                    self._write_news(session)
                if self._progress:
                    runs.note_progress(session, self._run_id, epoch=self._epoch, values=self._progress)
        self._forget()
        return wish

    def _write_news(self, session: Session) -> None:
        sync_id = select(SyncRun.sync_id).where(SyncRun.id == self._run_id).scalar_subquery()
        heard = {"run": self._run_id, "at": self._news_at.isoformat(), "news": self._news}
        session.execute(update(DataSync).where(DataSync.id == sync_id).values(schema_news=heard))

    def _write_parts(self, session: Session) -> None:
        if self._plan is not None:
            parts, resumed, not_due = self._plan
            session.execute(delete(RunPartition).where(RunPartition.run_id == self._run_id))
            rows = [
                {
                    "run_id": self._run_id,
                    "part": part,
                    "position": position,
                    "state": "resumed"
                    if part in resumed
                    else "planned"
                    if position < len(parts)
                    else NOT_DUE,
                }
                for position, part in enumerate(dict.fromkeys([*parts, *not_due]))
            ]
            if rows:
                session.execute(insert(RunPartition), rows)
            runs.note_progress(
                session, self._run_id, epoch=self._epoch, values={"partitions_planned": len(parts)}
            )
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        for row in self._parts.values():
            statement = dialect.insert(RunPartition).values(row)
            told = {name: row[name] for name in row if name not in ("run_id", "part", "position")}
            session.execute(statement.on_conflict_do_update(index_elements=["run_id", "part"], set_=told))
