"""`letter`: a text for the gateway's support team, from a terminal."""

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel.cli import main
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import DataSync, SyncRun
from tests.panel import gateway_states as states


@pytest.mark.parametrize(("code", "ends"), [("E_SERVER", 0), ("E_STORAGE", 2)])
def test_a_letter_is_written_where_the_keeper_can_mend_something(
    control_db: sessionmaker[Session], instance: Config, code: str, ends: int
) -> None:
    with writing(control_db) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == "students")).one()
        sync.settings = {"base_url": states.ADDRESS}
        now = utcnow()
        run = SyncRun(
            uuid="u", sync_id=sync.id, status="failed", triggered_by="cli", requested_at=now, not_before=now,
            error_code=code, error_params={"status": 503},
        )  # fmt: skip
        session.add(run)
        session.flush()
        number = str(run.id)
    environ = {"PANEL_INSTANCE": str(instance.instance)}
    answer = CliRunner().invoke(main, ["letter", number, "--language", "en"], env=environ)
    assert answer.exit_code == ends
    assert ("status 503" in answer.stdout) is (ends == 0)
    persian = CliRunner().invoke(main, ["letter", number], env=environ)
    assert ("کد 503" in persian.stdout) is (ends == 0)
    assert CliRunner().invoke(main, ["letter", "99"], env=environ).exit_code == 2
