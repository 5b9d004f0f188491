"""The house's academic calendar: what it says of days, and how it counts them."""

from datetime import date

from sqlalchemy import JSON, Date, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from panel.models.base import Base


class CalendarSpan(Base):
    """Some days with a name: a holiday, or registration weeks. Days are Gregorian here, Jalali wherever people look."""

    __tablename__ = "calendar_spans"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # holiday, registration
    first: Mapped[date] = mapped_column(Date)
    last: Mapped[date] = mapped_column(Date)  # included
    name: Mapped[str | None] = mapped_column(String(120))

    __table_args__ = (Index("ix_calendar_spans_kind_first", "kind", "first"),)


class CalendarSettings(Base):
    """One row (id 1), once somebody has changed something of it: working days, and the clock of the schedules."""

    __tablename__ = "calendar_settings"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    zone: Mapped[str] = mapped_column(String(64))  # IANA name
    working_days: Mapped[list[str]] = mapped_column(JSON)  # sat, sun …
