"""A panel on a database of its own, and who opens it: Maryam administers, Reza operates, Sara only looks."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.routing import Rule

from panel import create_app, destination
from panel.auth import tokens
from panel.auth.gate import SAFE_METHODS
from panel.clock import utcnow
from panel.config import Config, load
from panel.db import intent_to_write, open_engine, writing
from panel.models import Base, DataSync, User

PASSWORD = "orange-lamp-42"
# Cheap to verify, and cheap to make: these hashes guard nobody.
QUICK_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
# For what the panel shows of the data: once with a file, once with a database on a server.
ON_BOTH = pytest.mark.parametrize(
    "web_config", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
PEOPLE = {"maryam": "admin", "reza": "operator", "sara": "viewer"}


@pytest.fixture
def web_config(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Config]:
    """An instance of its own; where a test is marked with ON_BOTH, also with its data on a server."""
    environ = {"PANEL_INSTANCE": str(tmp_path / "instance")}
    if getattr(request, "param", "sqlite") == "postgresql":
        environ["DATA_DATABASE_URL"] = request.getfixturevalue("postgres_destination")
    config = load(environ)
    yield config
    destination.reader(config.data_database_url).dispose()
    destination.reader.cache_clear()


@pytest.fixture
def rows(web_config: Config) -> Iterator[sessionmaker[Session]]:
    """Sessions on the panel's database, beside the panel; the tables and the three people are there."""
    engine = open_engine(web_config.panel_database_url)
    with intent_to_write():
        Base.metadata.create_all(engine)
    factory = sessionmaker(engine, expire_on_commit=False)
    with writing(factory) as session:
        for name, role in PEOPLE.items():
            session.add(User(username=name, password_hash=QUICK_HASH, role=role, created_at=utcnow()))
    yield factory
    engine.dispose()


@pytest.fixture
def app(web_config: Config, rows: sessionmaker[Session]) -> Iterator[Flask]:
    from panel.extensions import db

    app = create_app(web_config)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who is not signed in."""
    return app.test_client()


def csrf_token(client: FlaskClient, path: str = "/login") -> str:
    """The token that the forms of this client's session carry."""
    page = client.get(path, follow_redirects=True).get_data(as_text=True)
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"|name="csrf-token" content="([^"]+)"', page)
    assert found, f"no CSRF token on {path}"
    return found.group(1) or found.group(2)


def sign_in(client: FlaskClient, username: str, password: str = PASSWORD) -> FlaskClient:
    answer = client.post(
        "/login", data={"username": username, "password": password, "csrf_token": csrf_token(client)}
    )
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return client


@pytest.fixture
def maryam(app: Flask) -> FlaskClient:
    return sign_in(app.test_client(), "maryam")


@pytest.fixture
def reza(app: Flask) -> FlaskClient:
    return sign_in(app.test_client(), "reza")


@pytest.fixture
def sara(app: Flask) -> FlaskClient:
    return sign_in(app.test_client(), "sara")


def person(rows: sessionmaker[Session], username: str) -> User:
    with rows() as session:
        return session.scalars(select(User).where(User.username == username)).one()


def bearer(
    rows: sessionmaker[Session], username: str, scope: str = "write", **changes: object
) -> dict[str, str]:
    """The header of a fresh API token of this person."""
    with writing(rows) as session:
        user = session.scalars(select(User).where(User.username == username)).one()
        token, secret = tokens.create(session, user, "night report", scope, utcnow(), None)
        for name, value in changes.items():
            setattr(token, name, value)
    return {"Authorization": f"Bearer {secret}"}


def add_sync(rows: sessionmaker[Session], key: str = "students") -> int:
    with writing(rows) as session:
        sync = DataSync(key=key, fetcher=key, settings={}, created_at=utcnow(), updated_at=utcnow())
        session.add(sync)
        session.flush()
        return sync.id


SAMPLE_VALUES = {
    "run_id": 1,
    "key": "students",
    "filename": "hamgam.css",
    "export_type": "csv",
    "table": "faculty",
}


def routes(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Every address of the panel with its rule; what the address asks for is filled in."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            values = {name: SAMPLE_VALUES.get(name, 1) for name in rule.arguments}
            yield rule.build(values)[1], rule


def unsafe_methods(rule: Rule) -> set[str]:
    return (rule.methods or set()) - SAFE_METHODS
