"""Campuses: the gateway does not list them, so the panel does (DOMAIN.md G11)."""

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from panel.models.base import Base


class Campus(Base):
    """One campus. Taking it off the list (`active` false) stops fetching it and removes no row of it."""

    __tablename__ = "campuses"

    id: Mapped[int] = mapped_column(primary_key=True)
    pardis_code: Mapped[str] = mapped_column(String(16), unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    province_code: Mapped[int | None] = mapped_column(Integer)
    type: Mapped[int | None] = mapped_column(Integer)  # 1 پردیس, 2 مرکز, 3 دانشکده, 4 other
    active: Mapped[bool] = mapped_column(default=True)
