"""The engine's lease: which process may start runs now."""

from datetime import datetime

from sqlalchemy import Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from panel.models.base import Base, UtcDateTime


class EngineLease(Base):
    """One row (id 1). Its holder leads; a holder that comes back with an old epoch is refused everywhere.

    On SQLite every engine is on one machine and the lease is judged by `until_boottime` within `boot_id`
    (a wall clock may step); on PostgreSQL by the database's clock against `until_at`.
    """

    __tablename__ = "engine_lease"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str | None] = mapped_column(String(120))
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    until_boottime: Mapped[float | None] = mapped_column(Float)
    boot_id: Mapped[str | None] = mapped_column(String(64))
    until_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pid: Mapped[int | None] = mapped_column(Integer)
