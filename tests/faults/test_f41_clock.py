"""F41. The wall clock jumps by two hours, forward and back, while a run goes and while everything waits.

Durations go by the monotonic clock; no run comes twice, none is late by more than one due time; the lease is judged
by the time since boot. The engine's process has a wall clock of its own that the test sets (engine_process.py).
"""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from panel.clock import utcnow
from panel.models import EngineLease
from tests.acceptance.house import until
from tests.faults import oracle
from tests.faults.office import Office

pytestmark = pytest.mark.slow
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def each_hour(office: Office, first: datetime) -> None:
    office.change("students", schedule_kind="interval", interval_minutes=60, next_run_at=first)


def heartbeat(office: Office) -> datetime:
    with office.factory() as session:
        found = session.scalars(select(EngineLease.heartbeat_at)).one()
    assert found is not None
    return found


def set_clock(office: Office, ahead: timedelta) -> None:
    """Set it, and wait until the engine goes by it, and goes on: three more renewals of its lease."""
    office.set_clock(ahead)
    for _ in range(3):
        before = heartbeat(office)
        until(
            lambda before=before: (
                heartbeat(office) != before and abs(heartbeat(office) - utcnow() - ahead) < MINUTE
            ),
            "the engine to go on by the new clock",
            30,
        )


def next_run_in(office: Office, ahead: timedelta) -> timedelta:
    planned = office.row().next_run_at
    assert planned is not None
    return planned - (utcnow() + ahead)


@pytest.mark.parametrize("jump", [2 * HOUR, -2 * HOUR], ids=["forward", "back"])
def test_f41_a_jump_in_mid_run_neither_ends_the_run_nor_starts_another(build_office, jump):
    office = build_office()
    office.change("students", timeout_seconds=3600, stall_seconds=1800)
    each_hour(office, utcnow())
    office.led_by(office.engine(lease=15, clock=True, fail_at="publish:9:stop"))
    office.reached()
    [run] = office.all_runs()
    leader = office.leader()
    set_clock(office, jump)
    assert office.leader().epoch == leader.epoch
    office.go()
    ended = office.ended(run.id, "success")
    assert (ended.attempt, ended.triggered_by) == (1, "schedule")
    assert 0 < ended.duration_seconds < 600
    assert [one.id for one in office.all_runs()] == [run.id]
    assert {tick.reason for tick in office.skipped()} == ({"still_running"} if jump > HOUR else set())
    until(lambda: timedelta() < next_run_in(office, jump) <= HOUR, "the next due time within the hour", 20)
    assert office.wrong({}) == []


def test_f41_jumps_while_all_waits_cost_at_most_one_due_time(build_office):
    office = build_office()
    each_hour(office, utcnow() + 30 * MINUTE)
    office.led_by(office.engine(lease=15, clock=True))
    set_clock(office, 2 * HOUR)  # two due times pass: one run for both
    until(lambda: [run.status for run in office.all_runs()] == ["success"], "the run that makes up for both")
    assert [tick.reason for tick in office.skipped()] == ["caught_up"]
    set_clock(office, timedelta())
    until(
        lambda: timedelta() < next_run_in(office, timedelta()) <= HOUR,
        "the next due time within the hour",
        20,
    )
    # The time comes, and with it the run, though the former clock had passed it already.
    ahead = next_run_in(office, timedelta()) + MINUTE
    set_clock(office, ahead)
    until(lambda: [run.status for run in office.all_runs()] == ["success"] * 2, "the run at its due time")
    assert office.wrong({}) == []
    assert oracle.state(office.house.data) == oracle.wanted(office.house)


def test_f41_a_waiting_attempt_does_not_wait_for_the_former_clock(build_office):
    office = build_office()
    office.change("students", retry_wait_seconds=300)
    engine = office.engine(lease=15, clock=True, fail_at="fetch:2:kill")
    office.led_by(engine)
    run = office.ask()
    office.ended(run, "pending")
    until(lambda: office.run(run).attempt == 2, "the second attempt to wait")
    set_clock(office, -2 * HOUR)
    limit = timedelta(seconds=301)
    until(lambda: office.run(run).not_before - (utcnow() - 2 * HOUR) < limit, "the wait of before", 20)
    set_clock(office, -2 * HOUR + 6 * MINUTE)
    office.ended(run, "success")
    assert office.codes(run) == ["E_LOST", None]
    assert office.wrong({}) == []


def test_f41_a_clock_that_is_set_right_between_two_engines_puts_nothing_off(build_office):
    office = build_office()
    each_hour(office, utcnow() + 30 * MINUTE)
    first = office.engine(clock=True)
    office.led_by(first)
    set_clock(office, 2 * HOUR)
    until(lambda: [run.status for run in office.all_runs()] == ["success"], "a run by the wrong clock")
    first.terminate()
    assert first.wait(30) == 0
    office.set_clock(timedelta())
    office.led_by(office.engine(clock=True))
    until(
        lambda: timedelta() < next_run_in(office, timedelta()) <= HOUR,
        "the next due time within the hour",
        20,
    )
