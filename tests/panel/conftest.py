"""Databases for the panel's tests: what asks for `database_url` runs on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from panel.db import intent_to_write, session_factory, writing
from panel.models import Base, DataSync

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty control database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/panel.db"
    return request.getfixturevalue("postgres_database")


@pytest.fixture
def open_factory() -> Iterator[Callable[[str], sessionmaker[Session]]]:
    """Open sessions on a control database; closed at the end of the test."""
    opened: list[sessionmaker[Session]] = []

    def open_(url: str) -> sessionmaker[Session]:
        opened.append(session_factory(url))
        return opened[-1]

    yield open_
    for factory in opened:
        factory.kw["bind"].dispose()


@pytest.fixture
def factory(
    database_url: str, open_factory: Callable[[str], sessionmaker[Session]]
) -> Iterator[sessionmaker[Session]]:
    """Sessions on a control database with all tables and no row."""
    factory = open_factory(database_url)
    engine = factory.kw["bind"]
    with intent_to_write():
        Base.metadata.create_all(engine)
    yield factory
    with intent_to_write():
        Base.metadata.drop_all(engine)


@pytest.fixture
def add_sync(factory: sessionmaker[Session]) -> Callable[..., DataSync]:
    """Add a sync: `add_sync("students", retries=0)`."""

    def add(key: str = "faculty", **columns: object) -> DataSync:
        with writing(factory) as session:
            sync = DataSync(
                **{
                    "key": key,
                    "fetcher": key,
                    "settings": {},
                    "created_at": NOW,
                    "updated_at": NOW,
                    **columns,
                }
            )
            session.add(sync)
        return sync

    return add
