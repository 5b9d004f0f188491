"""F07. Kill -9 of the engine in mid-run."""

import time

import pytest

from panel.engine import process
from tests.acceptance.house import until
from tests.acceptance.store import ON_BOTH
from tests.faults import oracle

LEASE = 20.0


@pytest.mark.slow
@ON_BOTH
def test_f07_the_child_of_a_killed_engine_ends_and_the_next_leader_goes_on(build_office, database):
    """The child ends within 10 s (its lifeline); another engine leads within the lease; it is one run."""
    office = build_office("--latency", "150", database=database)
    first = office.engine(lease=LEASE)
    office.led_by(first)
    second = office.engine(lease=LEASE)
    run = office.ask()
    child = office.child(run)
    until(lambda: oracle.has_tables(office.house.data) and len(office.published(run)) >= 2, "some parts")
    epoch, done = office.run(run).epoch, office.published(run)
    killed = time.monotonic()
    office.kill(first)
    until(lambda: process.started(child) is None, "the child's end", 10)
    assert office.led_by(second, LEASE - (time.monotonic() - killed)).epoch == epoch + 1
    asked = len(office.asked())
    done |= office.published(run)
    assert office.ended(run, "success").attempt == 2
    assert office.codes(run) == ["E_LOST", None]
    assert not done & set(office.asked(asked)), "a published part was asked for again"
    assert [one.id for one in office.all_runs()] == [run]
    assert oracle.state(office.house.data) == oracle.wanted(office.house)
    assert office.wrong({}) == []
