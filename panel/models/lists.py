"""What people keep of the data browser's lists: their columns, and the views that they come back to."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from panel.models.base import Base, UtcDateTime


class ColumnChoice(Base):
    """The columns that a person wants to see of one table. No row: those that the fetcher declares."""

    __tablename__ = "column_choices"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    table_name: Mapped[str] = mapped_column(String(63), primary_key=True)
    columns: Mapped[list[str]] = mapped_column(JSON)


class SavedView(Base):
    """A list that a person comes back to, under a name of their own. `query`: the rest of its address."""

    __tablename__ = "saved_views"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    table_name: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(80))
    query: Mapped[str] = mapped_column(String(4000))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("user_id", "table_name", "name"),)
