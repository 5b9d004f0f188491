"""F44. Two engines at once, then five."""

import pytest

from tests.acceptance.house import until

LEASE = 20.0


@pytest.mark.slow
def test_f44_one_of_five_engines_leads_and_another_one_whenever_it_is_killed(build_office):
    """One leader; the others say that they stand by, and take over within the lease after a kill -9."""
    office = build_office()
    engines = [office.engine(lease=LEASE) for _ in range(2)]
    until(lambda: office.log().count("standing by") == 1, "one of two to stand by")
    engines += [office.engine(lease=LEASE) for _ in range(3)]
    until(lambda: office.log().count("standing by") == 4, "four of five to stand by")
    for turn in range(1, 6):
        leader = until(office.leader, "a leader", LEASE)
        assert leader.epoch == turn
        run = office.ask("faculty")
        ended = office.ended(run, "success")
        assert (ended.attempt, ended.epoch) == (1, turn)
        [engine] = [one for one in engines if one.pid == leader.pid]
        assert sum(one.poll() is None for one in engines) == 6 - turn
        office.kill(engine)
    assert office.log().count("this engine leads") == 5
    assert [run.attempt for run in office.all_runs()] == [1] * 5
    assert office.leader() is None
    assert office.wrong({}) == []
