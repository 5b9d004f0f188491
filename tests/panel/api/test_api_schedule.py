"""Schedules over REST: the next times, a pause that ends by itself, turns without a run."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel.clock import utcnow
from panel.db import writing
from panel.engine import windows
from panel.engine.windows import Typed
from panel.models import AuditEntry, DataSync, SkippedTick
from panel.models.base import iso
from tests.web import add_sync, bearer

Rows = sessionmaker[Session]
ADDRESS = "/api/v1/syncs/students"


def test_a_schedule_is_told_with_its_next_times_and_skipped_turns(client: FlaskClient, rows: Rows) -> None:
    sync_id, now = add_sync(rows), utcnow()
    rules = windows.read(Typed(at="02:30", on="all")).to_json()
    with writing(rows) as session:
        sync = session.get_one(DataSync, sync_id)
        sync.schedule_kind, sync.calendar_rules = "calendar", rules
        sync.next_run_at = now + timedelta(hours=1)
        session.add(SkippedTick(sync_id=sync_id, due_at=now, reason="still_running"))
    told = client.get(f"{ADDRESS}/schedule", headers=bearer(rows, "sara", "read")).json
    assert told and told["schedule"] == {
        "kind": "calendar",
        "interval_minutes": None,
        "cron": None,
        "calendar": rules,
    }
    assert len(told["next"]) == 5 and told["next"][0] == iso(now + timedelta(hours=1))
    assert told["skipped"] == [{"due_at": iso(now), "reason": "still_running", "run": None}]


def test_a_program_pauses_and_resumes(client: FlaskClient, rows: Rows) -> None:
    add_sync(rows)
    headers = bearer(rows, "reza")
    until = (utcnow() + timedelta(days=2)).replace(microsecond=0)
    paused = client.post(f"{ADDRESS}/pause", json={"until": until.isoformat()}, headers=headers)
    assert paused.status_code == 200 and paused.json and paused.json["paused_until"] == iso(until)
    gone_on = client.post(f"{ADDRESS}/resume", headers=headers)
    assert gone_on.json and gone_on.json["paused_until"] is None
    with rows() as session:
        trail = [(one.actor, one.action) for one in session.scalars(select(AuditEntry))]
    assert trail[-2:] == [("reza", "sync_paused"), ("reza", "sync_resumed")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"until": None},
        {"until": "tomorrow"},
        {"until": "2027-01-01T08:00:00"},
        {"until": "2020-01-01T08:00:00Z"},
        {"until": "2999-01-01T08:00:00Z"},
        {"until": "2027-01-01T08:00:00Z", "more": 1},
    ],
)
def test_a_pause_without_a_good_end_is_refused(
    client: FlaskClient, rows: Rows, body: dict[str, object]
) -> None:
    add_sync(rows)
    answer = client.post(f"{ADDRESS}/pause", json=body, headers=bearer(rows, "reza"))
    assert answer.status_code == 400 and answer.json and answer.json["error"]["code"] == "invalid"
    with rows() as session:
        assert session.scalars(select(DataSync.paused_until)).one() is None


def test_who_only_reads_cannot_pause(client: FlaskClient, rows: Rows) -> None:
    add_sync(rows)
    until = iso(utcnow() + timedelta(days=1))
    answer = client.post(f"{ADDRESS}/pause", json={"until": until}, headers=bearer(rows, "sara", "read"))
    assert answer.status_code == 403
