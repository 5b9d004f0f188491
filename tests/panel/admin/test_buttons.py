"""«همگام‌سازی» and «لغو»: who may press them, and what a press does."""

from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from panel.db import writing
from panel.models import AuditEntry, DataSync, SyncRun
from tests.web import csrf_token

House = sessionmaker[Session]


def press(client: FlaskClient, path: str, quiet: bool = True, **form: str):  # type: ignore[no-untyped-def]
    headers = {"X-Quiet": "1"} if quiet else {}
    return client.post(path, data={"csrf_token": csrf_token(client, "/"), **form}, headers=headers)


def runs_of(house: House, key: str) -> int:
    with house() as session:
        count = select(func.count()).select_from(SyncRun).join(DataSync, DataSync.id == SyncRun.sync_id)
        return session.scalar(count.where(DataSync.key == key)) or 0


def test_a_press_asks_for_one_run_and_writes_down_who_did(house: House, reza: FlaskClient) -> None:
    before = runs_of(house, "faculty")
    answer = press(reza, "/syncs/faculty/run")
    assert answer.status_code == 200 and answer.json["ok"]
    assert runs_of(house, "faculty") == before + 1
    with house() as session:
        newest = session.scalars(select(SyncRun).order_by(SyncRun.id.desc())).first()
        assert newest and (newest.status, newest.requested_by) == ("pending", "reza")
        trail = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert trail and (trail.actor, trail.action, trail.subject) == ("reza", "run_requested", "faculty")


def test_a_second_press_while_it_is_active_starts_nothing(house: House, reza: FlaskClient) -> None:
    before = runs_of(house, "students")
    answer = press(reza, "/syncs/students/run?lang=en")
    assert "is being synced already" in answer.json["message"]
    assert runs_of(house, "students") == before


def test_without_scripts_the_press_comes_back_to_the_page_with_a_message(
    house: House, reza: FlaskClient
) -> None:
    answer = press(reza, "/syncs/faculty/run", quiet=False)
    assert (answer.status_code, answer.location) == (302, "/")
    assert 'class="alert alert-success"' in reza.get("/").get_data(as_text=True)


def test_run_again_leads_to_the_new_run(house: House, reza: FlaskClient) -> None:
    go = press(reza, "/syncs/faculty/run", then="run").json["go"]
    assert reza.get(go).status_code == 200


def test_incomplete_settings_start_nothing_and_say_so(house: House, reza: FlaskClient) -> None:
    with writing(house) as session:
        sync = session.scalar(select(DataSync).where(DataSync.key == "faculty"))
        assert sync
        sync.secrets = None
    before = runs_of(house, "faculty")
    answer = press(reza, "/syncs/faculty/run?lang=en")
    assert not answer.json["ok"] and "settings must be completed" in answer.json["message"]
    assert runs_of(house, "faculty") == before


def test_cancel_writes_the_wish_once(house: House, reza: FlaskClient) -> None:
    with house() as session:
        run_id = session.scalar(select(SyncRun.id).where(SyncRun.status == "running"))
    assert press(reza, f"/runs/{run_id}/cancel?lang=en").json["message"] == "The run is being stopped."
    assert "nothing left" in press(reza, f"/runs/{run_id}/cancel?lang=en").json["message"]
    with house() as session:
        run = session.get(SyncRun, run_id)
        assert run and run.status == "running" and run.stop_requested_by == "reza"
        trail = session.scalars(select(AuditEntry).where(AuditEntry.action == "run_cancelled")).all()
        assert len(trail) == 1


def test_a_viewer_may_press_nothing(house: House, sara: FlaskClient) -> None:
    for path in ("/syncs/faculty/run", "/runs/8/cancel", "/syncs/faculty/settings", "/syncs/faculty/check"):
        assert press(sara, path).status_code == 403
    assert sara.get("/syncs/faculty/settings").status_code == 403


def test_an_operator_may_not_see_or_change_settings(house: House, reza: FlaskClient) -> None:
    assert reza.get("/syncs/faculty/settings").status_code == 403
    assert press(reza, "/syncs/faculty/settings", retries="0").status_code == 403


def test_looking_changes_nothing(house: House, maryam: FlaskClient) -> None:
    for path in ("/syncs/faculty/run", "/runs/8/cancel", "/syncs/faculty/check"):
        assert maryam.get(path).status_code == 405


def test_a_press_without_the_form_s_token_does_nothing(house: House, reza: FlaskClient) -> None:
    before = runs_of(house, "faculty")
    assert reza.post("/syncs/faculty/run", headers={"X-Quiet": "1"}).status_code == 400
    assert runs_of(house, "faculty") == before


def test_an_unknown_source_or_run_is_not_found(house: House, reza: FlaskClient) -> None:
    assert press(reza, "/syncs/nobody/run").status_code == 404
    assert press(reza, "/runs/99999999999999999999999/cancel").status_code == 404
