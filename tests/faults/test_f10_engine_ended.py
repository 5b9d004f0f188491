"""F10. TERM to the engine in mid-run, as a deploy does."""

import time

import pytest

from panel.engine import process
from tests.acceptance.house import until
from tests.acceptance.store import ON_BOTH
from tests.faults import oracle

GRACE = 20.0


@pytest.mark.slow
@ON_BOTH
def test_f10_a_run_that_a_deploy_interrupts_goes_on_afterwards_and_has_not_failed(build_office, database):
    """It ends within the grace; the run is interrupted and goes on after the start; it is not counted as a failure."""
    office = build_office("--latency", "150", database=database)
    office.change("students", retries=0)
    engine = office.engine()
    run = office.ask()
    until(lambda: oracle.has_tables(office.house.data) and len(office.published(run)) >= 2, "some parts")
    child, began = office.child(run), time.monotonic()
    engine.terminate()
    assert engine.wait(GRACE) == 0
    assert time.monotonic() - began < GRACE
    assert process.started(child) is None
    waiting = office.run(run)
    assert (waiting.status, waiting.attempt, office.codes(run)) == ("pending", 2, ["E_INTERRUPTED"])
    assert office.row().consecutive_failures == 0
    assert office.leader() is None
    assert oracle.verdict(office.house, {}, oracle.wanted(office.house), ended=False) == []

    done, asked = office.published(run), len(office.asked())
    office.engine()
    assert office.ended(run, "success").attempt == 2
    assert not done & set(office.asked(asked)), "a published part was asked for again"
    assert oracle.state(office.house.data) == oracle.wanted(office.house)
    assert office.wrong({}) == []
