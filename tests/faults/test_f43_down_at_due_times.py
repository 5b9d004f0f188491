"""F43. The engine is down over three due times."""

from datetime import timedelta

import pytest

from panel.clock import utcnow
from tests.acceptance.house import until


@pytest.mark.slow
def test_f43_one_run_makes_up_for_three_missed_due_times(build_office):
    """Exactly one run catches up, and is marked so."""
    office = build_office()
    first_due = utcnow() + timedelta(minutes=30)
    office.change("faculty", schedule_kind="interval", interval_minutes=60, next_run_at=first_due)
    engine = office.engine(clock=True)
    office.led_by(engine)
    engine.terminate()
    assert engine.wait(30) == 0
    assert office.all_runs() == []

    later = timedelta(hours=3)  # due at half past, three times
    office.set_clock(later)
    office.led_by(office.engine(clock=True))
    until(lambda: [run.status for run in office.all_runs()] == ["success"], "the run that catches up")
    [run] = office.all_runs()
    assert (run.triggered_by, run.scheduled_for) == ("schedule", first_due)
    hour = timedelta(hours=1)
    assert [(tick.due_at, tick.reason, tick.run_id) for tick in office.skipped()] == [
        (first_due + hour, "caught_up", run.id),
        (first_due + 2 * hour, "caught_up", run.id),
    ]
    assert office.row("faculty").next_run_at == first_due + 3 * hour
    assert office.wrong({}) == []
