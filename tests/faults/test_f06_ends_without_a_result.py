"""F06. The child ends with code 0 and no result; or with half of its parts."""

import pytest

from tests.faults import oracle


@pytest.mark.slow
@pytest.mark.parametrize("place", ["start:1", "fetch:5", "publish:30", "closing:1"])
def test_f06_a_child_that_ends_well_without_a_word_was_no_success(build_office, place):
    """Never `success`: neither with nothing done nor with half of its parts, nor just before its last commit."""
    office = build_office()
    office.change("students", retries=0)
    engine = office.engine(fail_at=f"{place}:exit")
    run = office.ask()
    ended = office.ended(run, "failed")
    assert (ended.error_code, ended.error_params, ended.attempt) == ("E_LOST", {"exit": 0}, 1)
    assert office.row().status == "failed"
    assert office.wrong({}) == []
    done = office.published(run) if oracle.has_tables(office.house.data) else set()
    asked = len(office.asked())
    assert oracle.heals(office.house, office.sync) == []
    assert not done & set(office.asked(asked)), "a published part was asked for again"
    office.kill(engine)


def test_f06_a_result_without_the_books_is_no_success(build_office):
    """A child that says `result` and has written nothing: the word of a process is not enough."""
    office = build_office()
    office.change("students", retries=0)
    liar = 'import sys; sys.stdin.readline(); print(\'{"event": "result", "counts": {"added": 9}}\')'
    office.engine(child=(office.python, "-c", liar))
    run = office.ask()
    ended = office.ended(run, "failed")
    assert (ended.error_code, ended.attempt) == ("E_LOST", 1)
    assert office.wrong({}) == []
