"""F01. Kill -9 of the run's child inside the staging transaction."""

import os
import signal

import pytest

from tests.acceptance.store import ON_BOTH
from tests.faults import oracle


@pytest.mark.slow
@ON_BOTH
def test_f01_a_child_killed_while_it_stages_is_lost_and_the_next_attempt_goes_on(build_office, database):
    """`lost`, then a new attempt; it starts at the last committed part, and upstream sees no earlier page again."""
    office = build_office(database=database)
    house = office.house
    before = office.loaded()
    # One after the other, in the order of the plan: by then some parts lost nobody, and were published.
    office.change("students", settings={"connections": 1})
    office.engine(fail_at="staging:24:stop")
    run = office.ask()
    office.reached()
    done, asked = office.published(run), len(office.asked())
    assert done, "no part was committed before the kill"
    os.kill(office.child(run), signal.SIGKILL)
    office.ended(run, "success")
    assert office.codes(run) == ["E_LOST", None]
    assert not done & set(office.asked(asked)), "a committed part was asked for again"
    assert oracle.state(house.data) == oracle.wanted(house)
    assert office.wrong(before, since=1) == []
    assert oracle.heals(house, office.sync) == []
