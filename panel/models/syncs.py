"""DataSync: the standing order for one source, and its current status row."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from panel.models.base import Base, UtcDateTime, iso

if TYPE_CHECKING:
    from panel.models.runs import SyncRun


class DataSync(Base):
    """One row per source. The upper half is set by people, the lower half mirrors the newest run.

    `settings` holds the fetcher's own settings (its pydantic `Settings`, JSON); secrets among them are in
    `secrets`, encrypted (Fernet), and never in `settings`.
    """

    __tablename__ = "data_syncs"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(63), unique=True)  # as in the CLI and the URLs: "students"
    fetcher: Mapped[str] = mapped_column(String(63))  # module name below fetchers/
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    secrets: Mapped[bytes | None] = mapped_column(LargeBinary)

    # Schedule: off, interval (every N minutes), cron (five fields), or calendar (rules: panel/engine/windows.py).
    schedule_kind: Mapped[str] = mapped_column(String(16), default="off")
    interval_minutes: Mapped[int | None] = mapped_column(Integer)
    cron: Mapped[str | None] = mapped_column(String(120))
    calendar_rules: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    next_run_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_reason: Mapped[str | None] = mapped_column(String(32))  # "undo": waits for a person to resume it
    paused_until: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # a person's pause, which ends by itself
    consecutive_failures: Mapped[int] = mapped_column(Integer, default=0)

    # Limits of one run.
    timeout_seconds: Mapped[int] = mapped_column(Integer, default=7200)  # whole run
    stall_seconds: Mapped[int] = mapped_column(Integer, default=900)  # nothing new staged
    retries: Mapped[int] = mapped_column(Integer, default=2)  # attempts after the first
    retry_wait_seconds: Mapped[int] = mapped_column(Integer, default=60)  # doubles with each attempt
    # Guard (DESIGN.md 4.4): a part, or the whole source, may not shrink by more than both numbers.
    guard_part_rows: Mapped[int] = mapped_column(Integer, default=20)
    guard_part_percent: Mapped[float] = mapped_column(Float, default=30.0)
    guard_total_rows: Mapped[int] = mapped_column(Integer, default=50)
    guard_total_percent: Mapped[float] = mapped_column(Float, default=10.0)
    hold_days: Mapped[int] = mapped_column(
        Integer, default=7, server_default="7"
    )  # then the old data are kept

    diary_days: Mapped[int] = mapped_column(
        Integer, default=1095, server_default="1095"
    )  # how long the change diary keeps what this source did; 0: for ever
    # What becomes of fields that no fetcher declares (core/load/drift.py): add, ignore or freeze.
    new_fields: Mapped[str] = mapped_column(String(8), default="add", server_default="add")
    # What was last heard of the schema: {"run", "at", "news": [{"kind", "fields"}]}; written by the engine's journal.
    schema_news: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    # When somebody is to be told (panel/lateness.py): so long after a due time that nothing has answered, and so many
    # hours after the moment of which the data are; 0: when the schedule should have renewed them.
    grace_minutes: Mapped[int] = mapped_column(Integer, default=60, server_default="60")
    fresh_hours: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    renewal_due_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # the turn that should renew the data

    # The current status row: written by panel/runs.py alone, in the statement's own transaction.
    status: Mapped[str | None] = mapped_column(String(16))
    error_code: Mapped[str | None] = mapped_column(String(32))
    last_run_id: Mapped[int | None] = mapped_column(
        ForeignKey("sync_runs.id", use_alter=True, ondelete="SET NULL")
    )
    last_success_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    data_as_of: Mapped[datetime | None] = mapped_column(UtcDateTime)  # no part of them was asked for earlier
    usual_seconds: Mapped[float | None] = mapped_column(Float)  # of a run: the median of the last successes
    records: Mapped[int | None] = mapped_column(
        Integer
    )  # rows in the source's first table after that success
    records_delta: Mapped[int | None] = mapped_column(Integer)  # against the success before it

    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    last_run: Mapped["SyncRun | None"] = relationship(foreign_keys=[last_run_id], post_update=True)

    __table_args__ = (
        # The engine's question each second: what is due?
        Index("ix_data_syncs_next_run_at", "next_run_at"),
    )

    @property
    def fresh_until(self) -> datetime | None:
        """When the data become older than they should be; None where nobody has said, and nothing renews them.

        So many hours after the moment of which they are, where a person has set that. Else when the turn that should
        renew them should have ended: its due time, the usual duration of a run, and the grace.
        """
        if self.data_as_of is None:
            return None
        if self.fresh_hours:
            return self.data_as_of + timedelta(hours=self.fresh_hours)
        if self.renewal_due_at is None:
            return None
        return self.renewal_due_at + timedelta(minutes=self.grace_minutes, seconds=self.usual_seconds or 0)

    def is_paused(self, now: datetime) -> bool:
        """Whether due times pass without a run: after an undo, or until a moment that a person has named."""
        return self.paused_reason is not None or (self.paused_until is not None and now < self.paused_until)

    def to_dict(self) -> dict[str, Any]:
        """The sync and its newest run, as REST and `status --json` know it; no setting of the source."""
        return {
            "key": self.key,
            "fetcher": self.fetcher,
            "status": self.status,
            "error_code": self.error_code,
            "schedule": {
                "kind": self.schedule_kind,
                "interval_minutes": self.interval_minutes,
                "cron": self.cron,
                "calendar": self.calendar_rules,
            },
            "next_run_at": iso(self.next_run_at),
            "paused": self.paused_reason,
            "paused_until": iso(self.paused_until),
            "new_fields": self.new_fields,
            "last_success_at": iso(self.last_success_at),
            "data_as_of": iso(self.data_as_of),
            "fresh_until": iso(self.fresh_until),
            "records": self.records,
            "records_delta": self.records_delta,
            "last_run": None if self.last_run is None else self.last_run.to_dict(),
        }
