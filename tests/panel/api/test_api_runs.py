"""The API's second half: runs, their logs and parts, and cancel."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from panel import runs
from panel.clock import utcnow
from panel.db import writing
from panel.models import ApiToken, AuditEntry, DataSync, RunLog, RunPartition, SyncRun
from tests.web import add_sync, bearer

NOON = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.fixture
def reza_token(rows):
    return bearer(rows, "reza")


@pytest.fixture
def run_id(client, rows, reza_token):
    add_sync(rows)
    return client.post("/api/v1/syncs/students/runs", headers=reza_token).json["run"]["id"]


def add_finished(rows, key, count):
    with writing(rows) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
        for number in range(count):
            now = utcnow()
            session.add(
                SyncRun(
                    uuid=f"{key}-{number}",
                    sync_id=sync.id,
                    status="success" if number % 2 else "failed",
                    triggered_by="cli",
                    requested_at=now,
                    not_before=now,
                )
            )


def test_one_run_is_the_same_dict_everywhere(client, rows, reza_token, run_id):
    shown = client.get(f"/api/v1/runs/{run_id}", headers=reza_token).json
    listed = client.get("/api/v1/runs", headers=reza_token).json["runs"]
    assert listed == [shown]
    assert client.get("/api/v1/syncs/students", headers=reza_token).json["last_run"] == shown
    with rows() as session:
        assert session.get(SyncRun, run_id).to_dict() == shown


def test_runs_are_listed_newest_first_and_page_by_page(client, rows, reza_token):
    add_sync(rows)
    add_finished(rows, "students", 7)
    first = client.get("/api/v1/runs?limit=3", headers=reza_token).json
    last = client.get("/api/v1/runs?limit=3&page=3", headers=reza_token).json
    assert [run["id"] for run in first["runs"]] == [7, 6, 5]
    assert [run["id"] for run in last["runs"]] == [1]
    assert (first["total"], first["page"], first["limit"]) == (7, 1, 3)


def test_runs_are_filtered_by_sync_and_status(client, rows, reza_token):
    add_sync(rows, "students")
    add_sync(rows, "faculty")
    add_finished(rows, "students", 4)
    add_finished(rows, "faculty", 2)
    answer = client.get("/api/v1/runs?sync=faculty&status=success", headers=reza_token).json
    assert [(run["sync"], run["status"]) for run in answer["runs"]] == [("faculty", "success")]
    assert client.get("/api/v1/runs?sync=nothing", headers=reza_token).json["runs"] == []
    assert client.get("/api/v1/runs?status=fine", headers=reza_token).status_code == 400


@pytest.mark.parametrize(("limit", "kept"), [("0", 1), ("100000", 200), ("x", 50), ("-5", 50)])
def test_limits_are_brought_into_what_is_sensible(client, rows, reza_token, limit, kept):
    assert client.get(f"/api/v1/runs?limit={limit}", headers=reza_token).json["limit"] == kept


def test_the_log_is_read_from_where_one_was(client, rows, reza_token, run_id):
    with writing(rows) as session:
        for number in range(5):
            session.add(RunLog(run_id=run_id, at=NOON, level="info", message=f"line {number}"))
    lines = client.get(f"/api/v1/runs/{run_id}/log", headers=reza_token).json["lines"]
    assert [line["message"] for line in lines] == [f"line {number}" for number in range(5)]
    assert lines[0]["at"] == "2026-11-22T08:30:00.000Z"
    rest = client.get(f"/api/v1/runs/{run_id}/log?after={lines[2]['id']}", headers=reza_token).json["lines"]
    assert rest == lines[3:]


def test_the_parts_of_a_run_are_listed_in_their_order(client, rows, reza_token, run_id):
    with writing(rows) as session:
        for position, part in enumerate(["campus=1210,term=4051", "campus=1110,term=4051"]):
            session.add(RunPartition(run_id=run_id, part=part, position=position))
    parts = client.get(f"/api/v1/runs/{run_id}/partitions", headers=reza_token).json["partitions"]
    assert [(part["part"], part["state"]) for part in parts] == [
        ("campus=1210,term=4051", "planned"),
        ("campus=1110,term=4051", "planned"),
    ]


def test_a_waiting_run_is_cancelled_at_once(client, rows, reza_token, run_id):
    answer = client.post(f"/api/v1/runs/{run_id}/cancel", headers=reza_token)
    assert answer.status_code == 200
    assert answer.json["run"]["status"] == "cancelled"
    assert client.get(f"/api/v1/runs/{run_id}", headers=reza_token).json == answer.json["run"]
    with rows() as session:
        actions = [entry.action for entry in session.scalars(select(AuditEntry))]
    assert actions == ["run_requested", "run_cancelled"]


def test_a_running_run_is_asked_to_stop_and_a_second_wish_is_no_error(client, rows, reza_token, run_id):
    with writing(rows) as session:
        session.get(SyncRun, run_id).status = "running"
    for _ in range(2):
        answer = client.post(f"/api/v1/runs/{run_id}/cancel", headers=reza_token)
        assert answer.status_code == 200
        assert answer.json["run"]["status"] == "running"
    with rows() as session:
        assert session.get(SyncRun, run_id).stop_requested_by == "reza"
        cancels = [entry for entry in session.scalars(select(AuditEntry)) if entry.action == "run_cancelled"]
    assert len(cancels) == 1


def test_a_run_that_has_ended_cannot_be_cancelled_and_is_shown(client, rows, reza_token, run_id):
    client.post(f"/api/v1/runs/{run_id}/cancel", headers=reza_token)
    answer = client.post(f"/api/v1/runs/{run_id}/cancel", headers=reza_token)
    assert answer.status_code == 409
    assert answer.json["error"]["details"]["run"]["status"] == "cancelled"


def test_the_use_of_a_token_is_noted_at_most_once_a_minute(client, rows):
    def used_at():
        with rows() as session:
            return session.scalars(select(ApiToken)).one().last_used_at

    with time_machine.travel(NOON, tick=False) as clock:
        token = bearer(rows, "sara", "read")
        assert used_at() is None
        client.get("/api/v1/syncs", headers=token)
        assert used_at() == NOON
        clock.shift(timedelta(seconds=59))
        client.get("/api/v1/syncs", headers=token)
        assert used_at() == NOON
        clock.shift(timedelta(seconds=1))
        client.get("/api/v1/syncs", headers=token)
        assert used_at() == NOON + timedelta(minutes=1)


def test_healthz_says_whether_an_engine_leads(client, rows):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "engine": "down", "overdue": 0, "stale": 0}


def test_healthz_says_when_the_database_does_not_answer(app, client, rows):
    from panel.db import intent_to_write
    from panel.models import Base

    with app.app_context():
        from panel.extensions import db

        with intent_to_write():
            Base.metadata.drop_all(db.engine)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json["status"] == "database_down"


def test_the_door_asks_for_runs_and_writes_no_status_itself(client, rows, reza_token, monkeypatch):
    add_sync(rows)
    asked = []
    real = runs.request

    def request(*args, **kwargs):
        asked.append(kwargs["triggered_by"])
        return real(*args, **kwargs)

    monkeypatch.setattr(runs, "request", request)
    client.post("/api/v1/syncs/students/runs", headers=reza_token)
    assert asked == ["api"]


def add_failed(rows, sync_id, code, **params):
    now = utcnow()
    with writing(rows) as session:
        session.get(DataSync, sync_id).settings = {"base_url": "https://gateway.example.ac.ir"}
        run = SyncRun(
            uuid="u", sync_id=sync_id, status="failed", triggered_by="cli", requested_at=now, not_before=now,
            error_code=code, error_params=params,
        )  # fmt: skip
        session.add(run)
        session.flush()
        return run.id


def test_a_letter_to_the_gateway_s_keeper_comes_in_both_languages(client, rows):
    failed = add_failed(rows, add_sync(rows), "E_SERVER", status=503)
    found = client.get(f"/api/v1/runs/{failed}/letter", headers=bearer(rows, "sara")).json["letter"]
    assert "status 503" in found["en"] and "کد 503" in found["fa"]


def test_of_a_run_that_the_keeper_cannot_mend_there_is_no_letter(client, rows):
    full = add_failed(rows, add_sync(rows), "E_STORAGE")
    answer = client.get(f"/api/v1/runs/{full}/letter", headers=bearer(rows, "sara"))
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
