"""What a run waits for, and its attempts, by REST."""

from datetime import UTC, datetime

from panel.db import writing
from panel.models import RunAttempt, SyncRun
from tests.web import add_sync, bearer

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def running(rows, sync_id, **columns):
    with writing(rows) as session:
        run = SyncRun(
            uuid="u",
            sync_id=sync_id,
            status="running",
            triggered_by="api",
            requested_at=NOW,
            not_before=NOW,
            **columns,
        )
        session.add(run)
        session.flush()
        return run.id


def test_a_run_says_what_it_waits_for(client, rows):
    waiting = {"reason": "gateway", "until": "2026-11-22T10:35:00+00:00"}
    run = running(rows, add_sync(rows), waiting=waiting)
    assert client.get(f"/api/v1/runs/{run}", headers=bearer(rows, "sara")).json["waiting"] == waiting


def test_the_attempts_of_a_run_come_one_after_another(client, rows):
    run = running(rows, add_sync(rows))
    with writing(rows) as session:
        session.add(
            RunAttempt(
                run_id=run,
                number=1,
                epoch=1,
                started_at=NOW,
                ended_at=NOW,
                error_code="E_SERVER",
                parts_done=3,
            )
        )
        session.add(RunAttempt(run_id=run, number=2, epoch=1, started_at=NOW))
    found = client.get(f"/api/v1/runs/{run}/attempts", headers=bearer(rows, "sara")).json["attempts"]
    assert [(one["number"], one["error_code"], one["parts_done"]) for one in found] == [
        (1, "E_SERVER", 3),
        (2, None, None),
    ]
