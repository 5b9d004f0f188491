"""F30: a gateway that answers 429. Two sources behind it are one to it: one budget, one pause, one breaker.

The forms of Retry-After (seconds, a date, negative, garbage, ten days) are in tests/nasty/test_answers.py, row 4.
"""

import threading
from datetime import datetime

import pytest

from fetchers.core.wire.courtesy import FAILURES_TO_OPEN
from tests.faults.one_gateway import PARTS, Child, Office, Watched, office, until, waits, watched
from tests.fetchers.raw_server import Line, RawServer, Request, answer, silence

__all__ = ["office"]
pytestmark = pytest.mark.slow

RATE = 10


def both(office: Office, gateway: Watched, *, shared: bool) -> tuple[Child, Child]:
    """Two sources that begin at the same moment: none gets an answer before both have asked."""
    here = threading.Barrier(2)

    def together(server: RawServer, request: Request, line: Line) -> bytes | None:
        here.wait(60)
        gateway.mood = None
        return gateway.gateway._turn(server, request, line)

    gateway.mood = together
    first = office.start(gateway, shared=shared, requests_per_second=RATE)
    second = office.start(gateway, shared=shared, requests_per_second=RATE)
    until(lambda: gateway.mood is None)
    return first, second


def test_f30_two_sources_together_stay_within_one_budget(office: Office) -> None:
    with watched() as gateway:
        for child in both(office, gateway, shared=True):
            assert child.ends().code == 0
        assert len(gateway.seen) >= 2 * (len(PARTS) + 1)
        assert gateway.busiest(1.5) <= 1.5 * RATE + 4
        assert max(one.at_once for one in gateway.seen) <= 4


def test_f30_without_the_shared_budget_two_sources_ask_for_two(office: Office) -> None:
    """The negative control of the test before."""
    with watched() as gateway:
        for child in both(office, gateway, shared=False):
            assert child.ends().code == 0
        assert gateway.busiest(1.5) > 1.5 * RATE + 4


def test_f30_a_storm_of_429_opens_the_breaker_and_small_questions_shut_it_again(office: Office) -> None:
    with watched() as gateway:
        children = both(office, gateway, shared=True)
        until(lambda: len(gateway.seen) > 12)
        gateway.mood = answer(b"", 429)
        until(lambda: office.lamp(gateway).kind == "down")
        stormy = len(gateway.seen)
        lamp = office.lamp(gateway)
        assert lamp.since and lamp.until and lamp.cause and lamp.cause.code == "E_RATE"
        until(lambda: sum(one.small for one in gateway.seen) == 3)
        asked = gateway.seen[stormy:]
        gateway.mood = None
        outcomes = [child.ends() for child in children]
    assert [outcome.code for outcome in outcomes] == [0, 0]
    # Nothing hammers: a few were under way when it opened; then one at a time, small, at growing distances.
    small = [one for one in asked if one.small]
    assert len(asked) - len(small) <= 4, "those that were under way"
    assert [one.at_once for one in small] == [1, 1, 1]
    assert small[1].at - small[0].at > 0.7 and small[2].at - small[1].at > 1.5
    assert office.lamp(gateway).kind == "well"
    for outcome in outcomes:
        told = [one for one in waits(outcome) if one["reason"] == "gateway"]
        assert told and all(datetime.fromisoformat(one["until"]) for one in told)
        assert all(state == ("done", None) for state in outcome.states().values())
        assert len(outcome.states()) == len(PARTS)
    log = "\n".join(outcome.log for outcome in outcomes)
    assert f"after {FAILURES_TO_OPEN} failures in a row" in log
    assert log.count("answers again") == 1


def test_f30_a_pause_holds_for_every_source_of_that_gateway_and_for_no_other(office: Office) -> None:
    with watched() as busy, watched() as well:

        def once(server: RawServer, request: Request, line: Line) -> bytes:
            busy.mood = None
            return answer(b"", 429, "Retry-After: 3")

        busy.mood = once
        first = office.start(busy, requests_per_second=0)
        until(lambda: office.lamp(busy).kind == "paused")
        second = office.start(busy, requests_per_second=0)
        elsewhere = office.start(well, requests_per_second=0)
        assert elsewhere.ends().code == 0
        outcomes = [first.ends(), second.ends()]
        assert [outcome.code for outcome in outcomes] == [0, 0]
    assert busy.seen[1].at - busy.seen[0].at > 2.9
    assert any(one["reason"] == "rate_limited" for one in waits(outcomes[0]))


def test_f30_a_child_that_is_killed_in_its_request_leaks_no_permit(office: Office) -> None:
    with watched() as gateway:
        gateway.mood = silence()
        first = office.start(gateway, connections=1, requests_per_second=0)
        until(lambda: gateway.seen)
        gateway.mood = None
        second = office.start(gateway, connections=1, requests_per_second=0)
        assert second.process.stdout is not None
        first.process.kill()
        outcome = second.ends()
    assert outcome.code == 0
    assert max(one.at_once for one in gateway.seen[1:]) <= 2, "the killed one's request, and one more"
