"""SyncRun and what belongs to it. The run row is the truth; panel/runs.py is its only writer."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    cast,
    null,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.sql.elements import ColumnElement

from panel.models.base import Base, UtcDateTime

if TYPE_CHECKING:
    from panel.models.syncs import DataSync

ACTIVE = ("pending", "running")
TERMINAL = ("success", "failed", "cancelled", "held")
STATUSES = ACTIVE + TERMINAL
ON_TIME = timedelta(minutes=5)  # a scheduled run that is asked for later than that makes up for a missed turn


def _iso(moment: datetime | None) -> str | None:
    return (
        None
        if moment is None
        else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class SyncRun(Base):
    """One execution of a sync.

    States: pending → running → success | failed | cancelled | held, and running → pending for a retry
    (attempt + 1, `not_before` later). Terminal states never change (a trigger raises).
    A wish to stop is `stop_requested_at`, not a state: the status stays `running` until the child is gone.
    """

    __tablename__ = "sync_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)  # the ledger in the destination knows this one
    sync_id: Mapped[int] = mapped_column(ForeignKey("data_syncs.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(16), default="pending")
    mode: Mapped[str] = mapped_column(String(16), default="incremental")  # incremental, full, approve, undo
    about_run_id: Mapped[int | None] = mapped_column(  # the held run that is approved; the run that is undone
        ForeignKey("sync_runs.id", ondelete="SET NULL")
    )
    dry_run: Mapped[bool] = mapped_column(default=False)
    partitions_wanted: Mapped[list[dict[str, str]] | None] = mapped_column(JSON)  # null: all
    triggered_by: Mapped[str] = mapped_column(String(16))  # panel, api, cli, schedule
    requested_by: Mapped[str | None] = mapped_column(String(150))  # user name; null for the schedule
    scheduled_for: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the tick that it answers

    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # first attempt
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_seconds: Mapped[float | None] = mapped_column(
        Float
    )  # by a monotonic clock where one process saw it
    stop_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stop_reason: Mapped[str | None] = mapped_column(String(32))  # cancel, or a deadline's E_… code
    stop_requested_by: Mapped[str | None] = mapped_column(String(150))

    # Who executes it: the lease's epoch fences every write, the rest finds the child again.
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    epoch: Mapped[int | None] = mapped_column(Integer)
    child_pid: Mapped[int | None] = mapped_column(Integer)
    child_started: Mapped[int | None] = mapped_column(Integer)  # /proc/<pid>/stat field 22, against pid reuse
    child_boot_id: Mapped[str | None] = mapped_column(String(64))

    # What became of a hold: approved, rejected, superseded (by a newer run), lapsed. Null while it waits.
    decision: Mapped[str | None] = mapped_column(String(16))
    decided_by: Mapped[str | None] = mapped_column(String(150))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    error_code: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(String(500))  # English; pages render code + params
    error_params: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    read: Mapped[int] = mapped_column(Integer, default=0)
    added: Mapped[int] = mapped_column(Integer, default=0)
    changed: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    gone: Mapped[int] = mapped_column(Integer, default=0)
    rejected: Mapped[int] = mapped_column(Integer, default=0)
    duplicates: Mapped[int] = mapped_column(Integer, default=0)
    partitions_planned: Mapped[int | None] = mapped_column(Integer)
    partitions_done: Mapped[int] = mapped_column(Integer, default=0)
    partitions_failed: Mapped[int] = mapped_column(Integer, default=0)
    partitions_held: Mapped[int] = mapped_column(Integer, default=0)
    records: Mapped[int | None] = mapped_column(Integer)  # rows in the source's first table at the end
    waiting: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # {"reason", "until"} while it waits
    data_as_of: Mapped[datetime | None] = mapped_column(UtcDateTime)  # of the source, once this run succeeded
    unusual: Mapped[str | None] = mapped_column(String(8))  # "long", "short": far from what is usual

    sync: Mapped["DataSync"] = relationship(foreign_keys=[sync_id])
    attempts: Mapped[list["RunAttempt"]] = relationship(
        back_populates="run", order_by="RunAttempt.number", passive_deletes=True
    )

    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'running', 'success', 'failed', 'cancelled', 'held')", name="status"
        ),
        # At most one active run per sync: the loser of a race gets the winner's id.
        Index(
            "ix_sync_runs_one_active",
            "sync_id",
            unique=True,
            sqlite_where=text("status IN ('pending', 'running')"),
            postgresql_where=text("status IN ('pending', 'running')"),
        ),
        # A due time starts at most one run, whoever asks.
        UniqueConstraint("sync_id", "scheduled_for"),
        Index("ix_sync_runs_sync_id_id", "sync_id", "id"),
        Index("ix_sync_runs_status_not_before", "status", "not_before"),
        # The list by status, and of one source the newest that ended so: its last success, its holds, its failures.
        Index("ix_sync_runs_status_id", "status", "id"),
        Index("ix_sync_runs_sync_id_status_id", "sync_id", "status", "id"),
        # The list of some days.
        Index("ix_sync_runs_requested_at", "requested_at"),
        # Which run took this one back, or accepts it? And a run is removed (engine/history.py).
        Index(
            "ix_sync_runs_about_run_id",
            "about_run_id",
            sqlite_where=text("about_run_id IS NOT NULL"),
            postgresql_where=text("about_run_id IS NOT NULL"),
        ),
    )

    @classmethod
    def is_whole(cls) -> ColumnElement[bool]:
        """Whether a run is of the whole source, for a WHERE: NULL and JSON's null mean the same here."""
        wanted = cls.partitions_wanted
        return or_(wanted.is_(null()), cast(wanted, String) == "null")

    @property
    def catches_up(self) -> bool:
        """Whether it makes up for a turn that was missed while the engine was down."""
        return self.scheduled_for is not None and self.requested_at - self.scheduled_for > ON_TIME

    def to_dict(self) -> dict[str, Any]:
        """The run as the CLI's --json, REST and the pages know it (DESIGN.md part 7; a stable interface)."""
        return {
            "id": self.id,
            "sync": self.sync.key,
            "status": self.status,
            "error_code": self.error_code,
            "error_message": self.error_message,
            "mode": self.mode,
            "triggered_by": self.triggered_by,
            "attempt": self.attempt,
            "started_at": _iso(self.started_at),
            "finished_at": _iso(self.finished_at),
            "duration_seconds": self.duration_seconds,
            "counts": {
                "read": self.read,
                "added": self.added,
                "changed": self.changed,
                "unchanged": self.unchanged,
                "gone": self.gone,
                "rejected": self.rejected,
                "duplicates": self.duplicates,
            },
            "partitions": {
                "planned": self.partitions_planned,
                "done": self.partitions_done,
                "failed": self.partitions_failed,
                "held": self.partitions_held,
            },
            "waiting": self.waiting if self.status in ACTIVE else None,
            "unusual": self.unusual,
        }


class RunAttempt(Base):
    """One try of a run: a child that started, and how it ended. Written before the child starts."""

    __tablename__ = "run_attempts"

    run_id: Mapped[int] = mapped_column(ForeignKey("sync_runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(String(500))
    parts_done: Mapped[int | None] = mapped_column(
        Integer
    )  # that it finished itself; null where nobody counted

    run: Mapped[SyncRun] = relationship(back_populates="attempts")


class RunPartition(Base):
    """A part of a run and its state: planned, done, resumed, staged, failed, held.

    not_due: a closed part that the run leaves out, since it was asked for lately; it is not counted as planned.
    """

    __tablename__ = "run_partitions"

    run_id: Mapped[int] = mapped_column(ForeignKey("sync_runs.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[str] = mapped_column(
        String(120), primary_key=True
    )  # "campus=1110,term=4051"; "" for one whole
    position: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16), default="planned")
    counts: Mapped[dict[str, int] | None] = mapped_column(JSON)
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(String(500))
    error_params: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    seconds: Mapped[float | None] = mapped_column(Float)


class RunLog(Base):
    """A line of a run's log. Capped per run by its writer."""

    __tablename__ = "run_logs"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("sync_runs.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    level: Mapped[str] = mapped_column(String(8))  # info, warning, error
    message: Mapped[str] = mapped_column(String(1000))


class SkippedTick(Base):
    """A due time at which nothing was started, and why."""

    __tablename__ = "skipped_ticks"

    sync_id: Mapped[int] = mapped_column(ForeignKey("data_syncs.id", ondelete="CASCADE"), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    # still_running, caught_up, paused (after an undo), paused_until, quiet_hours, holiday, backing_off
    reason: Mapped[str] = mapped_column(String(32))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))

    __table_args__ = (
        Index(
            "ix_skipped_ticks_run_id",
            "run_id",
            sqlite_where=text("run_id IS NOT NULL"),
            postgresql_where=text("run_id IS NOT NULL"),
        ),
    )
