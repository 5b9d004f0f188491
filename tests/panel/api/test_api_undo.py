"""The API's door to the diary and to undo."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.store import columns, ledger, sql
from fetchers.core.store.diary import Diary
from panel import destination
from panel.config import Config
from panel.db import writing
from panel.models import AuditEntry, DataSync, SyncRun
from tests.web import ON_BOTH, add_sync, bearer

House = sessionmaker[Session]
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def run(client: FlaskClient, rows: House, web_config: Config) -> Iterator[SyncRun]:
    """A run of faculty that added Reza, moved Maryam to Shiraz and lost Ali; the destination holds it."""
    with writing(rows) as session:
        sync = DataSync(
            key="faculty",
            fetcher="faculty",
            settings={},
            created_at=NOW,
            updated_at=NOW,
            paused_reason="undo",
        )
        session.add(sync)
        session.flush()
        made = SyncRun(
            uuid="run-1", sync_id=sync.id, status="success", triggered_by="cli", requested_at=NOW, not_before=NOW,
            added=1, changed=1, gone=1,
        )  # fmt: skip
        session.add(made)
    fetcher = registry.load("faculty").fetcher
    assert fetcher is not None
    [stream] = fetcher.streams()
    db = sql.connect(web_config.data_database_url)
    columns.prepare(db, [stream])

    def row(**fields: Any) -> tuple[Any, ...]:
        return tuple(fields.get(column) for column in stream.columns)

    reza, ali = row(id=3, name="رضا"), row(id=4, name="علی", nationalcode="0084575948")
    before = row(id=1, name="مریم", city="تهران", mobile="09121112233")
    after = row(id=1, name="مریم", city="شیراز", mobile="09121112244")
    with db:
        for one in (reza, after):
            db.execute(f"INSERT INTO faculty VALUES ({sql.marks(stream.columns)})", one)
        Diary(db, stream, "run-1").changes("", [reza], [(before, after)], [ali])
        ledger.enter(db, run="run-1", epoch=1, kind="part", outcome="published", stream="faculty")
    db.close()
    yield made
    destination.let_go()


@ON_BOTH
def test_a_run_s_changes_are_told_field_by_field_and_personal_ones_left_out(
    client: FlaskClient, rows: House, run: SyncRun
) -> None:
    address = f"/api/v1/runs/{run.id}/changes"
    told = client.get(address, headers=bearer(rows, "reza", "read")).json
    assert (told["total"], [line["kind"] for line in told["changes"]]) == (3, ["gone", "changed", "added"])
    gone, changed, _ = told["changes"]
    assert changed["before"] == {"city": "تهران", "mobile": None}
    assert changed["after"] == {"city": "شیراز", "mobile": None}
    assert gone["before"]["nationalcode"] is None and gone["before"]["name"] == "علی"
    told = client.get(f"{address}?kind=changed", headers=bearer(rows, "maryam", "read")).json
    assert [line["after"]["mobile"] for line in told["changes"]] == ["09121112244"]


@ON_BOTH
@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("search=علي", ["4"]),
        ("search=مريم", ["1"]),
        ("field=city", ["1"]),
        ("field=markaz", []),
        ("limit=1&page=2", ["1"]),
        ("kind=added", ["3"]),
    ],
)
def test_changes_are_searched_and_divided(
    client: FlaskClient, rows: House, run: SyncRun, query: str, keys: list[str]
) -> None:
    told = client.get(f"/api/v1/runs/{run.id}/changes?{query}", headers=bearer(rows, "reza", "read")).json
    assert [line["key"] for line in told["changes"]] == keys


def test_a_kind_that_there_is_not_is_refused(client: FlaskClient, rows: House, run: SyncRun) -> None:
    answer = client.get(f"/api/v1/runs/{run.id}/changes?kind=odd", headers=bearer(rows, "reza", "read"))
    assert answer.status_code == 400


@ON_BOTH
def test_before_the_first_sync_there_are_no_changes(client: FlaskClient, rows: House) -> None:
    add_sync(rows)
    token = bearer(rows, "reza")
    made = client.post("/api/v1/syncs/students/runs", headers=token).json["run"]["id"]
    assert client.get(f"/api/v1/runs/{made}/changes", headers=token).json["total"] == 0


@ON_BOTH
def test_a_preview_counts_and_changes_nothing(client: FlaskClient, rows: House, run: SyncRun) -> None:
    told = client.get(f"/api/v1/runs/{run.id}/undo", headers=bearer(rows, "reza", "read")).json
    assert (told["counts"]["added"], told["counts"]["changed"], told["counts"]["gone"]) == (1, 1, 1)
    assert told["left"] == 0
    with rows() as session:
        assert len(session.scalars(select(SyncRun)).all()) == 1


def test_an_undo_is_asked_for_once(client: FlaskClient, rows: House, run: SyncRun) -> None:
    token = bearer(rows, "reza")
    first = client.post(f"/api/v1/runs/{run.id}/undo", headers=token)
    assert (first.status_code, first.json["run"]["mode"], first.json["joined"]) == (202, "undo", False)
    again = client.post(f"/api/v1/runs/{run.id}/undo", headers=token)
    assert (again.status_code, again.json["run"]["id"], again.json["joined"]) == (
        200,
        first.json["run"]["id"],
        True,
    )
    refused = client.post(f"/api/v1/runs/{first.json['run']['id']}/undo", headers=token)
    assert refused.status_code == 409
    with rows() as session:
        [entry] = session.scalars(select(AuditEntry).where(AuditEntry.action == "run_undone")).all()
        assert entry.actor == "reza" and entry.details["undoes"] == run.id


def test_looking_is_not_undoing(client: FlaskClient, rows: House, run: SyncRun) -> None:
    for token in (bearer(rows, "reza", "read"), bearer(rows, "sara")):
        assert client.post(f"/api/v1/runs/{run.id}/undo", headers=token).status_code == 403
        assert client.post("/api/v1/syncs/faculty/resume", headers=token).status_code == 403


def test_a_paused_sync_is_resumed(client: FlaskClient, rows: House, run: SyncRun) -> None:
    token = bearer(rows, "reza")
    assert client.get("/api/v1/syncs/faculty", headers=token).json["paused"] == "undo"
    for _ in range(2):
        answer = client.post("/api/v1/syncs/faculty/resume", headers=token)
        assert (answer.status_code, answer.json["paused"]) == (200, None)
    with rows() as session:
        assert len(session.scalars(select(AuditEntry).where(AuditEntry.action == "sync_resumed")).all()) == 1
