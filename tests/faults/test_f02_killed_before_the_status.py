"""F02. Kill -9 between the commit of the data and the writing of the status: the ledger knows."""

import os
import signal

import pytest

from tests.acceptance.store import ON_BOTH
from tests.faults import oracle


def success_of_one_attempt(office, run: int) -> None:
    """Recovery reads the ledger and marks the run a success; nothing is loaded twice."""
    ended = office.ended(run, "success")
    assert (ended.attempt, office.codes(run)) == (1, [None])
    assert ended.added == len(office.house.data.rows("SELECT 1 FROM student_terms"))
    assert ended.partitions_done == len(office.published(run))
    assert office.house.data.rows("SELECT count(*) FROM _hamgam_ledger WHERE kind = 'closing'") == [(1,)]
    assert oracle.state(office.house.data) == oracle.wanted(office.house)
    assert office.wrong({}) == []


@pytest.mark.parametrize("place", ["closed:1", pytest.param("result:1", marks=pytest.mark.slow)])
def test_f02_a_child_killed_after_its_last_commit_was_a_success(build_office, place):
    office = build_office()
    office.engine(fail_at=f"{place}:stop")
    run = office.ask()
    office.reached()
    asked = len(office.asked())
    os.kill(office.child(run), signal.SIGKILL)
    success_of_one_attempt(office, run)
    assert len(office.asked()) == asked


@pytest.mark.slow
@ON_BOTH
def test_f02_after_kill_9_of_everything_the_next_engine_finds_the_success(build_office, database):
    office = build_office(database=database)
    engine = office.engine(fail_at="closed:1:stop")
    run = office.ask()
    office.reached()
    child, asked = office.child(run), len(office.asked())
    office.kill(engine)
    os.kill(child, signal.SIGKILL)
    office.engine()
    success_of_one_attempt(office, run)
    assert len(office.asked()) == asked


@pytest.mark.slow
@ON_BOTH
def test_f02_an_engine_killed_when_its_child_had_ended_has_done_its_work(build_office, database):
    office = build_office(database=database)
    engine = office.engine(settle=True)
    run = office.ask()
    office.reached()
    asked = len(office.asked())
    assert office.run(run).status == "running"
    office.kill(engine)
    office.engine()
    success_of_one_attempt(office, run)
    assert len(office.asked()) == asked


@pytest.mark.slow
def test_f02_without_the_closing_entry_it_is_no_success(build_office):
    """The negative control: killed a moment earlier, the same run has another attempt."""
    office = build_office()
    office.engine(fail_at="closing:1:stop")
    run = office.ask()
    office.reached()
    os.kill(office.child(run), signal.SIGKILL)
    assert office.ended(run, "success").attempt == 2
    assert office.codes(run) == ["E_LOST", None]
    assert office.wrong({}) == []
