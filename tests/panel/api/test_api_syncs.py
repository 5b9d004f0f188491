"""The API's first half: syncs, and the trigger."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from panel import runs
from panel.clock import utcnow
from panel.db import writing
from panel.models import AuditEntry, DataSync, SyncRun
from tests.web import add_sync, bearer

RUN_KEYS = {
    "id",
    "sync",
    "status",
    "error_code",
    "error_message",
    "mode",
    "triggered_by",
    "attempt",
    "started_at",
    "finished_at",
    "duration_seconds",
    "counts",
    "partitions",
    "waiting",
    "unusual",
}


@pytest.fixture
def reza_token(rows):
    return bearer(rows, "reza")


def test_a_new_sync_is_listed_without_a_run(client, rows, reza_token):
    add_sync(rows)
    (sync,) = client.get("/api/v1/syncs", headers=reza_token).json["syncs"]
    assert sync["key"] == "students"
    assert sync["status"] is None
    assert sync["last_run"] is None
    assert client.get("/api/v1/syncs/students", headers=reza_token).json == sync


def test_a_sync_says_whether_it_is_late_and_how_old_its_data_are(client, rows, reza_token):
    add_sync(rows)

    def told():
        (listed,) = client.get("/api/v1/syncs", headers=reza_token).json["syncs"]
        return {name: listed[name] for name in ("late", "late_since", "stale", "data_as_of", "fresh_until")}

    assert set(told().values()) == {None}
    with writing(rows) as session:
        sync = session.scalars(select(DataSync)).one()
        sync.schedule_kind, sync.next_run_at = "interval", datetime(2026, 11, 20, 9, tzinfo=UTC)
        sync.data_as_of, sync.fresh_hours = datetime(2026, 11, 19, 9, tzinfo=UTC), 48
    assert told() == {
        "late": "overdue",
        "late_since": "2026-11-20T09:00:00.000Z",
        "stale": True,
        "data_as_of": "2026-11-19T09:00:00.000Z",
        "fresh_until": "2026-11-21T09:00:00.000Z",
    }


def test_no_setting_of_a_source_leaves_through_the_api(client, rows, reza_token):
    add_sync(rows)
    sync = client.get("/api/v1/syncs/students", headers=reza_token).json
    assert "settings" not in sync
    assert "secrets" not in sync


def test_a_trigger_is_accepted_with_the_run_as_the_commands_show_it(client, rows, reza_token):
    add_sync(rows)
    answer = client.post("/api/v1/syncs/students/runs", headers=reza_token)
    assert answer.status_code == 202
    assert answer.json["joined"] is False
    with rows() as session:
        run = session.scalars(select(SyncRun)).one()
        assert answer.json["run"] == run.to_dict()
        assert set(run.to_dict()) == RUN_KEYS
        assert (run.triggered_by, run.requested_by, run.status) == ("api", "reza", "pending")


def test_a_second_trigger_joins_the_run_that_is_there(client, rows, reza_token):
    add_sync(rows)
    first = client.post("/api/v1/syncs/students/runs", headers=reza_token)
    second = client.post("/api/v1/syncs/students/runs", headers=reza_token)
    assert second.status_code == 200
    assert second.json == {"run": first.json["run"], "joined": True}
    with rows() as session:
        assert len(session.scalars(select(SyncRun)).all()) == 1


def test_a_request_sent_again_after_a_lost_answer_gets_its_run_and_starts_no_second(client, rows, reza_token):
    add_sync(rows)
    add_sync(rows, "faculty")

    def ask(name, key="students", token=reza_token):
        return client.post(f"/api/v1/syncs/{key}/runs", headers={**token, "Idempotency-Key": name})

    first = ask("night-1")
    run = first.json["run"]["id"]
    assert first.status_code == 202
    end_all(rows)
    again = ask("night-1")
    assert (again.status_code, again.json["joined"], again.json["run"]["id"]) == (200, True, run)
    assert again.json["run"]["status"] == "cancelled"
    # Another request, another source, another person: other runs.
    others = [ask("night-2"), ask("night-1", "faculty")]
    end_all(rows)
    others.append(ask("night-1", token=bearer(rows, "maryam")))
    assert [answer.status_code for answer in others] == [202] * 3
    assert len({run, *(answer.json["run"]["id"] for answer in others)}) == 4
    # While another run is active that one is the answer, but not to who has a run of its own.
    assert ask("night-3").json["run"]["id"] == others[2].json["run"]["id"]
    assert ask("night-1").json["run"]["id"] == run


@pytest.mark.parametrize("name", ["", "two words", "شب", "x" * 201])
def test_a_name_that_cannot_be_kept_is_refused(client, rows, reza_token, name):
    add_sync(rows)
    headers = {**reza_token, "Idempotency-Key": name.encode().decode("latin-1")}
    answer = client.post("/api/v1/syncs/students/runs", headers=headers)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_request")


def end_all(rows):
    """As time would."""
    with writing(rows) as session:
        for run in session.scalars(select(SyncRun).where(SyncRun.status == "pending")):
            runs.cancel(session, run, now=utcnow(), user=None)


def test_a_trigger_says_what_is_wanted(client, rows, reza_token):
    add_sync(rows)
    wish = {
        "mode": "full",
        "dry_run": True,
        "partitions": [{"campus": "1110", "term": "4051"}, {"campus": "1210"}],
    }
    assert client.post("/api/v1/syncs/students/runs", json=wish, headers=reza_token).status_code == 202
    with rows() as session:
        run = session.scalars(select(SyncRun)).one()
        assert (run.mode, run.dry_run, run.partitions_wanted) == ("full", True, wish["partitions"])


@pytest.mark.parametrize(
    "wish",
    [
        {"mode": "quick"},
        {"dry_run": "yes"},
        {"partitions": []},
        {"partitions": [{}]},
        {"partitions": [{"campus": 1110}]},
        {"partitions": [{"campus": "a,b=c"}]},
        {"partitions": "campus=1110"},
        {"partitions": [{"campus": "1110"}] * 1001},
        [],
        "full",
    ],
    ids=repr,
)
def test_a_wish_that_makes_no_sense_starts_nothing(client, rows, reza_token, wish):
    add_sync(rows)
    answer = client.post("/api/v1/syncs/students/runs", json=wish, headers=reza_token)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "invalid"
    with rows() as session:
        assert session.scalars(select(SyncRun)).all() == []


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff", b'{"mode": NaN}', b'{"mode":"full"} x'])
def test_a_body_that_is_no_json_is_refused(client, rows, reza_token, content):
    add_sync(rows)
    headers = {**reza_token, "Content-Type": "application/json"}
    answer = client.post("/api/v1/syncs/students/runs", data=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "invalid"


def test_a_form_is_not_taken_for_json(client, rows, reza_token):
    add_sync(rows)
    answer = client.post("/api/v1/syncs/students/runs", data={"mode": "full"}, headers=reza_token)
    assert answer.status_code == 415


def test_a_sync_that_does_not_exist_is_not_found(client, rows, reza_token):
    assert client.get("/api/v1/syncs/nothing", headers=reza_token).status_code == 404
    answer = client.post("/api/v1/syncs/nothing/runs", headers=reza_token)
    assert answer.status_code == 404
    assert answer.json["error"]["code"] == "not_found"


def test_an_address_that_does_not_exist_answers_in_the_same_shape(client):
    answer = client.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert set(answer.json["error"]) == {"code", "message", "details"}


def test_a_stranger_is_told_how_to_come_in(client):
    answer = client.get("/api/v1/syncs")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json["error"]["code"] == "unauthorized"


def test_a_trigger_is_in_the_trail_once(client, rows, reza_token):
    add_sync(rows)
    for _ in range(2):
        client.post("/api/v1/syncs/students/runs", headers=reza_token)
    with rows() as session:
        (entry,) = session.scalars(select(AuditEntry)).all()
    assert (entry.actor, entry.action, entry.subject) == ("reza", "run_requested", "students")
    assert entry.details["token"] == "night report"


def test_the_engine_is_rung_after_the_run_is_there(client, rows, reza_token, monkeypatch):
    add_sync(rows)
    rung = []

    def ring(instance):
        with rows() as session:
            rung.append((instance.name, len(session.scalars(select(SyncRun)).all())))
        return True

    monkeypatch.setattr("panel.doorbell.ring", ring)
    client.post("/api/v1/syncs/students/runs", headers=reza_token)
    assert rung == [("instance", 1)]


def test_twenty_triggers_at_once_start_one_run(app, rows, reza_token):
    add_sync(rows)
    together = threading.Barrier(20)

    def trigger(_number):
        client = app.test_client()
        together.wait(timeout=60)
        answer = client.post("/api/v1/syncs/students/runs", headers=reza_token)
        return answer.status_code, answer.json["run"]["id"]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(trigger, range(20)))
    assert sorted(status for status, _run in answers) == [200] * 19 + [202]
    assert len({run for _status, run in answers}) == 1
