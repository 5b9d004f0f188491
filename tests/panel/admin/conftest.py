"""A panel with an example house behind it (example_house.py), and the three people who open it."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from panel import destination
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import DataSync
from tests.panel.admin import example_house
from tests.web import app, bearer, client, maryam, own_app, reza, rows, sara, web_config

__all__ = ["app", "client", "maryam", "own_app", "reza", "rows", "sara", "web_config"]


@pytest.fixture
def house(app: Flask, rows: sessionmaker[Session], web_config: Config) -> Iterator[sessionmaker[Session]]:
    """Two sources with a history, and a destination with a few people."""
    with writing(rows) as session:
        example_house.furnish(session, web_config, utcnow())
    example_house.fill_destination(web_config.data_database_url)
    yield rows
    destination.let_go()


@pytest.fixture
def fresh(rows: sessionmaker[Session]) -> sessionmaker[Session]:
    """A panel as after its first start: two sources, and nothing said."""
    now = utcnow()
    with writing(rows) as session:
        for key in ("faculty", "students"):
            session.add(DataSync(key=key, fetcher=key, settings={}, created_at=now, updated_at=now))
    return rows


@pytest.fixture
def maryams_token(rows: sessionmaker[Session]) -> dict[str, str]:
    """The header by which a program comes in for Maryam."""
    return bearer(rows, "maryam")


def read(client: FlaskClient, path: str, status: int = 200) -> str:
    """A page's text; `?lang=en` unless the path says otherwise."""
    if "lang=" not in path:
        path += ("&" if "?" in path else "?") + "lang=en"
    answer = client.get(path)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)
