"""A panel on a database of its own, and who opens it: Maryam administers, Reza operates, Sara only looks."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.routing import Rule

from panel import create_app, destination
from panel.auth import passwords, tokens
from panel.auth.gate import SAFE_METHODS
from panel.browse import texts
from panel.clock import utcnow
from panel.config import Config, load
from panel.db import intent_to_write, open_engine, writing
from panel.extensions import db
from panel.models import Base, DataSync, User

PASSWORD = "orange-lamp-42"
# Cheap to verify, and cheap to make: these hashes guard nobody.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
QUICK_HASH = QUICK.hash(PASSWORD)
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_begin", lambda read: read())  # no thread goes on when the test has ended
        yield config
    texts.forget()
    destination.let_go()


@pytest.fixture(scope="session")
def people_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control database with all tables and the three people, made once: copied for each test that wants one."""
    path = tmp_path_factory.mktemp("people") / "panel.db"
    engine = open_engine(f"sqlite:///{path}")
    _add_people(engine)
    engine.dispose()
    return path


def _add_people(engine: Engine) -> None:
    with intent_to_write():
        Base.metadata.create_all(engine)
    with writing(sessionmaker(engine)) as session:
        for name, role in PEOPLE.items():
            session.add(User(username=name, password_hash=QUICK_HASH, role=role, created_at=utcnow()))


@pytest.fixture
def rows(web_config: Config, people_database: Path) -> Iterator[sessionmaker[Session]]:
    """Sessions on the panel's database, beside the panel; the tables and the three people are there."""
    engine = open_engine(web_config.panel_database_url)
    if engine.dialect.name == "sqlite":
        shutil.copy(people_database, str(engine.url.database))
    else:
        _add_people(engine)
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()


@pytest.fixture(scope="session")
def built_panel(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The panel, built once: that costs more than a test's requests do, and the first look at each template too."""
    return create_app(load({"PANEL_INSTANCE": str(tmp_path_factory.mktemp("built"))}))


@pytest.fixture
def app(built_panel: Flask, web_config: Config, rows: sessionmaker[Session]) -> Iterator[Flask]:
    """The built panel before this test's instance. Who changes more of it than that asks for `own_app`."""
    engine = open_engine(web_config.panel_database_url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(built_panel.extensions, "hamgam_config", web_config)
        patch.setattr(built_panel, "secret_key", web_config.secret_key)
        with built_panel.app_context():
            patch.setitem(db.engines, None, engine)  # type: ignore[arg-type]
        patch.setattr(passwords, "_hasher", QUICK)
        patch.setattr(passwords, "_DUMMY", QUICK_HASH)
        before = _shape(built_panel)
        yield built_panel
        assert _shape(built_panel) == before, "the next test has this panel too: spoil `own_app` instead"
    engine.dispose()


def _shape(app: Flask) -> tuple[object, ...]:
    """What a test may not leave changed."""
    return dict(app.view_functions), dict(app.config), len(list(app.url_map.iter_rules()))


@pytest.fixture
def own_app(web_config: Config, rows: sessionmaker[Session]) -> Iterator[Flask]:
    """A panel of the test's own, which it may spoil."""
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
    "export_id": "00000000-0000-0000-0000-000000000000",
}


def routes(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Every address of the panel with its rule; what the address asks for is filled in."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            values = {name: SAMPLE_VALUES.get(name, 1) for name in rule.arguments}
            yield rule.build(values)[1], rule


def unsafe_methods(rule: Rule) -> set[str]:
    return (rule.methods or set()) - SAFE_METHODS
