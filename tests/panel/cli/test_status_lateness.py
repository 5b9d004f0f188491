"""`status` says what should have happened and did not."""

from datetime import UTC, datetime

from click.testing import CliRunner
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from panel.cli import main
from panel.config import Config
from panel.db import writing
from panel.models import DataSync


def test_a_turn_that_did_not_come_and_data_that_are_too_old(
    instance: Config, control_db: sessionmaker[Session]
) -> None:
    def status() -> str:
        answer = CliRunner().invoke(main, ["status"], env={"PANEL_INSTANCE": str(instance.instance)})
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    assert "overdue" not in status() and "stale" not in status()
    with writing(control_db) as session:
        session.execute(
            update(DataSync)
            .where(DataSync.key == "faculty")
            .values(
                schedule_kind="interval",
                interval_minutes=60,
                next_run_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
                data_as_of=datetime(2026, 11, 19, 9, tzinfo=UTC),
                fresh_hours=48,
            )
        )
    said = status()
    assert "faculty: overdue: a run should have begun at 2026-11-20 12:30, and has not" in said
    assert (
        "faculty: stale: the data are as of 2026-11-19 12:30, and should have been renewed by 2026-11-21 12:30"
        in said
    )
    assert "students: " not in said
