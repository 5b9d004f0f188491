"""F09. The child hangs: a stopped process, which ignores TERM."""

import os
import signal

import pytest

from panel.engine import process
from tests.acceptance.house import until
from tests.faults import oracle


@pytest.mark.slow
def test_f09_a_child_that_stands_still_is_killed_after_the_stall_deadline(build_office):
    """The stall deadline, then KILL to the whole group; the run has failed with the deadline's code."""
    office = build_office("--latency", "150")
    office.change("students", stall_seconds=3, retries=0)
    engine = office.engine(fail_at="publish:9:stop")
    run = office.ask()
    office.reached()
    child = office.child(run)
    os.killpg(child, signal.SIGSTOP)
    ended = office.ended(run, "failed", 60)
    assert (ended.error_code, ended.attempt) == ("E_STALLED", 1)
    assert process.started(child) is None
    assert ended.duration_seconds >= 3
    assert office.wrong({}) == []
    assert oracle.heals(office.house, office.sync) == []
    office.kill(engine)


@pytest.mark.slow
def test_f09_a_run_that_takes_too_long_is_ended_by_its_deadline(build_office):
    """The deadline of the whole run, though it gives signs of life all the time; tried by the next run only."""
    office = build_office("--latency", "700")
    office.change("students", timeout_seconds=4, retries=3)
    office.engine()
    run = office.ask()
    ended = office.ended(run, "failed", 60)
    assert (ended.error_code, ended.error_params, ended.attempt) == (
        "E_TIMEOUT",
        {"deadline": "run", "seconds": 4},
        1,
    )
    assert office.wrong({}) == []
    done = office.published(run)
    office.change("students", timeout_seconds=600)
    asked = len(office.asked())
    assert oracle.heals(office.house, office.sync) == []
    assert not done & set(office.asked(asked)), "a published part was asked for again"
    until(lambda: office.row().consecutive_failures == 0, "the row to forget the failure", 5)
