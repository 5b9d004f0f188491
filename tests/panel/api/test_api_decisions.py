"""The API of held runs: whom they would remove, accept once, keep the old data."""

import pytest
from sqlalchemy import select

from panel.clock import utcnow
from panel.models import AuditEntry, SyncRun
from tests.panel import held_run
from tests.panel.admin import example_house
from tests.web import ON_BOTH, add_sync, bearer


@pytest.fixture
def reza_token(rows):
    return bearer(rows, "reza")


@pytest.fixture
def held(rows, web_config):
    add_sync(rows)
    example_house.fill_destination(web_config.data_database_url)
    return held_run.stage(rows, web_config, utcnow())


@ON_BOTH
def test_a_held_run_names_whom_it_would_remove(client, rows, held):
    answer = client.get(f"/api/v1/runs/{held}/vanishing", headers=bearer(rows, "sara", "read")).json
    assert (answer["total"], answer["moved"], answer["decision"]) == (2, 1, None)
    assert answer["parts"] == [
        {"stream": "student_terms", "part": held_run.PART, "rows_before": 3, "rows_after": 1}
    ]
    first, last = answer["vanishing"]
    assert (first["key"], first["moved"], first["row"]["familyname"]) == (["40011001"], False, "کریمی")
    assert (last["key"], last["moved"]) == (["40011002"], True)


@ON_BOTH
def test_the_list_is_searched_and_paged(client, held, reza_token):
    def ask(query):
        return client.get(f"/api/v1/runs/{held}/vanishing?{query}", headers=reza_token).json

    assert [row["key"] for row in ask("search=كريمي")["vanishing"]] == [["40011001"]]
    assert ask("search=nobody")["total"] == 0
    assert [row["key"] for row in ask("limit=1&page=2")["vanishing"]] == [["40011002"]]
    assert ask("part=campus=9")["total"] == 0


def test_accepting_asks_for_a_run_and_is_audited(client, rows, held, reza_token):
    answer = client.post(f"/api/v1/runs/{held}/approve", headers=reza_token)
    assert answer.status_code == 202
    run = answer.json["run"]
    assert (run["mode"], run["status"]) == ("approve", "pending")
    again = client.post(f"/api/v1/runs/{held}/approve", headers=reza_token)
    assert (again.status_code, again.json["joined"], again.json["run"]["id"]) == (200, True, run["id"])
    with rows() as session:
        trail = session.scalars(select(AuditEntry)).one()
        assert (trail.actor, trail.action, trail.subject) == ("reza", "hold_accepted", "students")
        assert trail.details["run"] == held


def test_keeping_the_old_data_starts_nothing_and_is_audited(client, rows, held, reza_token):
    answer = client.post(f"/api/v1/runs/{held}/reject", headers=reza_token)
    assert (answer.status_code, answer.json["run"]["id"]) == (200, held)
    assert held_run.decided(rows, held) == ("rejected", "reza")
    assert client.post(f"/api/v1/runs/{held}/approve", headers=reza_token).status_code == 409
    assert client.post(f"/api/v1/runs/{held}/reject", headers=reza_token).status_code == 409
    with rows() as session:
        assert [run.id for run in session.scalars(select(SyncRun))] == [held]
        assert session.scalars(select(AuditEntry.action)).all() == ["hold_rejected"]


def test_a_run_that_is_not_held_answers_409(client, rows, reza_token):
    add_sync(rows)
    run = client.post("/api/v1/syncs/students/runs", headers=reza_token).json["run"]["id"]
    for verb in ("approve", "reject"):
        answer = client.post(f"/api/v1/runs/{run}/{verb}", headers=reza_token)
        assert (answer.status_code, answer.json["error"]["message"]) == (
            409,
            "This run is not held; there is nothing to decide.",
        )
    assert client.get(f"/api/v1/runs/{run}/vanishing", headers=reza_token).json["vanishing"] == []


def test_another_active_run_is_named_as_the_reason(client, rows, held, reza_token):
    client.post("/api/v1/syncs/students/runs", headers=reza_token)
    answer = client.post(f"/api/v1/runs/{held}/approve", headers=reza_token)
    assert answer.status_code == 409
    assert "Another run of this source is active" in answer.json["error"]["message"]


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_who_only_looks_decides_nothing(client, rows, held, verb):
    for name, scope in (("sara", "write"), ("reza", "read")):
        answer = client.post(f"/api/v1/runs/{held}/{verb}", headers=bearer(rows, name, scope))
        assert answer.status_code == 403
    assert held_run.decided(rows, held) == (None, None)
