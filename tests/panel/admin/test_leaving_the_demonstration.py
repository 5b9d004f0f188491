"""The way out of the demonstration, into the house of one's own: with one's account, and never over somebody else's."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from panel.config import Config, load
from panel.db import open_engine
from panel.models import AuditEntry, User
from panel.seed import prepare
from panel.service import demo
from tests.panel.admin.conftest import read
from tests.panel.admin.test_first_steps import House, tell


@pytest.fixture
def shown(app: Flask, web_config: Config, fresh: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The panel says that it is a demonstration; its real house is in the folder of the test's environment."""
    monkeypatch.setitem(app.extensions, "hamgam_config", replace(web_config, demo=True))
    monkeypatch.setenv("PANEL_INSTANCE", str(web_config.instance / "real"))
    return fresh


def real_house(config: Config) -> tuple[list[str], list[tuple[str, str, str | None]]]:
    engine = open_engine(config.panel_database_url)
    try:
        with Session(engine) as session:
            users = session.scalars(select(User).order_by(User.id))
            entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
            return (
                [f"{one.username} {one.role} {one.password_hash}" for one in users],
                [(one.actor, one.action, one.subject) for one in entries],
            )
    finally:
        engine.dispose()


def test_a_demonstration_that_nobody_asked_for_is_left_with_ones_account(
    shown: House, maryam: FlaskClient, web_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = tmp_path / "door"
    monkeypatch.setenv(demo.DOOR, str(door))
    assert 'id="first-steps"' not in read(maryam, "/"), "it is set up, by itself"
    assert 'id="leave"' in read(maryam, "/first-steps/")
    answer = tell(maryam, "leave")
    assert answer.status_code == 200 and "User name: maryam" in answer.get_data(as_text=True)
    assert door.exists()
    real = load(demo=False)
    with shown() as session:
        mine = session.scalars(select(User).where(User.username == "maryam")).one()
    users, entries = real_house(real)
    assert users == [f"maryam admin {mine.password_hash}"]
    assert entries == [("demo", "user_added", "maryam")]


def test_a_real_house_that_has_people_keeps_its_own(
    shown: House, maryam: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = tmp_path / "door"
    monkeypatch.setenv(demo.DOOR, str(door))
    real = load(demo=False)
    prepare(real, administrator=True)
    tell(maryam, "leave")
    users, _entries = real_house(real)
    assert [one.split()[0] for one in users] == ["admin"] and door.exists()


def test_a_demonstration_that_was_asked_for_says_how_it_is_left(
    shown: House, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(demo.DOOR, raising=False)
    page = read(maryam, "/first-steps/")
    assert "python -m panel up --no-demo" in page and 'id="leave"' not in page
    assert tell(maryam, "leave").status_code == 404


def test_a_real_house_that_cannot_be_prepared_leaves_the_demonstration_as_it_is(
    shown: House, maryam: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = tmp_path / "door"
    monkeypatch.setenv(demo.DOOR, str(door))
    monkeypatch.setenv("DATA_DATABASE_URL", "nonsense")
    assert tell(maryam, "leave").headers["Location"] == "/first-steps/"
    page = read(maryam, "/first-steps/")
    assert "the demonstration goes on" in page and "DATA_DATABASE_URL" in page
    assert not door.exists()
