"""approve, reject: what they refuse, and what they write down. That they publish: tests/acceptance."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel.cli import main
from panel.clock import utcnow
from panel.config import Config, load
from panel.models import AuditEntry, SyncRun
from tests.panel import held_run
from tests.panel.admin import example_house


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    """An instance of its own, with its data in a file and on a server."""
    environ = {"PANEL_INSTANCE": str(tmp_path / "instance")}
    if request.param == "postgresql":
        environ["DATA_DATABASE_URL"] = request.getfixturevalue("postgres_destination")
    return load(environ)


def type_(instance: Config, *words: str) -> Result:
    environ = {"PANEL_INSTANCE": str(instance.instance), "DATA_DATABASE_URL": instance.data_database_url}
    return CliRunner().invoke(main, words, env=environ)


@pytest.fixture
def held(control_db: sessionmaker[Session], instance: Config) -> int:
    example_house.fill_destination(instance.data_database_url)
    return held_run.stage(control_db, instance, utcnow())


def test_reject_keeps_the_old_data_and_says_so(
    control_db: sessionmaker[Session], instance: Config, held: int
) -> None:
    answer = type_(instance, "reject", str(held))
    assert (answer.exit_code, answer.stdout) == (
        0,
        f"The old data stay; what run {held} held is not published.\n",
    )
    assert held_run.decided(control_db, held) == ("rejected", "cli")
    with control_db() as session:
        actions = session.scalars(select(AuditEntry.action)).all()
    assert actions[-1] == "hold_rejected"


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_what_is_decided_and_what_is_not_there_is_wrong_use(instance: Config, held: int, verb: str) -> None:
    type_(instance, "reject", str(held))
    again = type_(instance, verb, str(held))
    assert (again.exit_code, "decided already" in again.stderr) == (2, True)
    assert type_(instance, verb, "999").exit_code == 2


def test_approve_of_what_no_longer_fits_fails_with_its_reason(
    control_db: sessionmaker[Session], instance: Config, held: int, tmp_path: Path
) -> None:
    """The staged part claims another base than the destination has: executed here, it is refused."""
    answer = type_(instance, "approve", str(held), "--json")
    assert answer.exit_code == 1, answer.output
    with control_db() as session:
        newest = session.scalars(select(SyncRun).order_by(SyncRun.id.desc())).first()
        assert newest is not None
        assert (newest.mode, newest.status, newest.error_code) == ("approve", "failed", "E_MOVED")
    assert held_run.decided(control_db, held) == (None, None)
