"""An engine's surroundings: a control database, a destination, and a workshop."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from panel import config as configuration
from panel.config import Config
from tests.panel.engine.workshop import Workshop


@pytest.fixture
def house_config(database_url: str, tmp_path: Path) -> Config:
    """The checked environment of a test's house."""
    return configuration.load(
        {"PANEL_INSTANCE": str(tmp_path / "instance"), "PANEL_DATABASE_URL": database_url}, root=tmp_path
    )


@pytest.fixture
def workshop(house_config: Config, factory: sessionmaker[Session]) -> Iterator[Workshop]:
    """A leading engine without its process."""
    workshop = Workshop(house_config, factory)
    yield workshop
    workshop.lease.release()
