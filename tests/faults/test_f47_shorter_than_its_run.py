"""F47. A schedule that is shorter than its run."""

from datetime import timedelta

import pytest

from panel.clock import utcnow
from tests.acceptance.house import until

MINUTE = timedelta(minutes=1)


@pytest.mark.slow
def test_f47_each_due_time_that_finds_the_run_still_going_is_recorded(build_office):
    """Skipped ticks are recorded with the reason, not silent; afterwards the beat goes on."""
    office = build_office()
    first = utcnow() + MINUTE / 2
    office.change("students", schedule_kind="interval", interval_minutes=1, next_run_at=first)
    office.led_by(office.engine(clock=True, fail_at="fetch:2:stop"))
    office.set_clock(MINUTE)
    office.reached()
    [run] = office.all_runs()
    for number in range(1, 4):
        office.set_clock((number + 1) * MINUTE)
        until(lambda number=number: len(office.skipped()) == number, "a skipped due time", 30)
    assert [(tick.due_at, tick.reason, tick.run_id) for tick in office.skipped()] == [
        (first + number * MINUTE, "still_running", run.id) for number in range(1, 4)
    ]
    assert [one.id for one in office.all_runs()] == [run.id]
    office.go()
    office.ended(run.id, "success")
    office.set_clock(5 * MINUTE)
    until(lambda: [one.status for one in office.all_runs()] == ["success"] * 2, "the next run")
    office.change("students", schedule_kind="off")
    assert office.wrong({}) == []
