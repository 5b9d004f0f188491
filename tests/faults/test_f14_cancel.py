"""F14. Cancel at every stage of a run, and twice, by REST."""

import pytest

from panel import create_app
from panel.extensions import db
from tests.acceptance.house import USERNAME
from tests.acceptance.store import ON_BOTH
from tests.faults import oracle
from tests.web import bearer


@pytest.fixture
def rest():
    """`rest(office)`: a function that posts to the panel of that office, and gives status and body."""
    opened = []

    def open_(office):
        app = create_app(office.config)
        opened.append(app)
        headers = bearer(office.factory, USERNAME)

        def post(path: str):
            answer = app.test_client().post(f"/api/v1/{path}", headers=headers)
            return answer.status_code, answer.json

        return post

    yield open_
    for app in opened:
        with app.app_context():
            db.engine.dispose()


def cancels_in_the_trail(office) -> int:
    [(count,)] = office.house.rows(
        "panel.db", "SELECT count(*) FROM audit_entries WHERE action = 'run_cancelled'"
    )
    return count


def test_f14_a_waiting_run_is_cancelled_at_once_and_only_once(build_office, rest):
    office = build_office()
    post, run = rest(office), office.ask()
    status, body = post(f"runs/{run}/cancel")
    assert (status, body["run"]["status"]) == (200, "cancelled")
    assert post(f"runs/{run}/cancel")[0] == 409
    assert cancels_in_the_trail(office) == 1
    assert oracle.verdict(office.house, {}, {}) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", ["start:1", "fetch:4", "publish:30", "closing:1"])
def test_f14_until_the_last_commit_the_wish_is_granted(build_office, rest, place):
    """Starting, between pages, inside a publish, inside the last one: cancelled; whole parts stay, none is half."""
    office = build_office()
    post = rest(office)
    engine = office.engine(fail_at=f"{place}:stop")
    run = office.ask()
    office.reached()
    office.child(run)
    assert [post(f"runs/{run}/cancel")[0] for _ in range(2)] == [200, 200]  # the second changes nothing
    ended = office.ended(run, "cancelled", 30)
    assert (ended.error_code, ended.error_params, ended.attempt) == ("E_CANCELLED", {"by": USERNAME}, 1)
    assert post(f"runs/{run}/cancel")[0] == 409
    assert cancels_in_the_trail(office) == 1
    assert office.row().status == "cancelled"
    assert office.row().consecutive_failures == 0
    assert office.wrong({}) == []
    assert oracle.heals(office.house, office.sync) == []
    office.kill(engine)


@pytest.mark.slow
@ON_BOTH
def test_f14_after_the_last_commit_the_success_wins(build_office, rest, database):
    office = build_office(database=database)
    post = rest(office)
    office.engine(fail_at="closed:1:stop")
    run = office.ask()
    office.reached()
    office.child(run)
    assert post(f"runs/{run}/cancel")[0] == 200
    ended = office.ended(run, "success", 30)
    assert (ended.error_code, ended.attempt) == (None, 1)
    assert post(f"runs/{run}/cancel")[0] == 409
    assert office.run(run).status == "success"
    assert oracle.state(office.house.data) == oracle.wanted(office.house)
    assert office.wrong({}) == []


@pytest.mark.slow
def test_f14_a_run_that_waits_for_its_next_attempt_is_cancelled(build_office, rest):
    office = build_office()
    office.change("students", retry_wait_seconds=3600)
    office.engine(fail_at="fetch:4:kill")
    run = office.ask()
    office.ended(run, "pending")
    office.reached()
    until_waiting = office.ended(run, "pending")
    while until_waiting.attempt == 1:
        until_waiting = office.ended(run, "pending")
    status, body = rest(office)(f"runs/{run}/cancel")
    assert (status, body["run"]["status"]) == (200, "cancelled")
    assert office.codes(run) == ["E_LOST"]
    assert office.wrong({}) == []
