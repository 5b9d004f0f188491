"""An interrupted sync of everything goes on where it stopped: the gateway's own log is the witness."""

import json
import os
import signal

import pytest

from tests.acceptance.children import Plane
from tests.acceptance.house import ask

NOW = "2026-11-22T09:00:00Z"
SIZES = [
    pytest.param(5, "full", id="5 campuses"),
    pytest.param(98, "full", id="98 campuses", marks=pytest.mark.slow),
    pytest.param(98, "incremental", id="98 campuses, the usual mode", marks=pytest.mark.slow),
]
TERMS = 16


def kill_in_the_middle(house: Plane, gateway, **spec) -> str:
    """Start a run, and kill -9 its process when half of its parts are told of; the run's id."""
    order = house.order(gateway, "students", now=NOW, **spec)
    child = house.start(order)
    assert child.stdout is not None
    left = None
    while left != 0 and (line := child.stdout.readline()):
        event = json.loads(line)
        if event["event"] == "plan":
            left = len(event["parts"]) // 2
        elif event["event"] == "partition":
            assert left is not None
            left -= 1
    os.killpg(child.pid, signal.SIGKILL)
    child.wait(20)
    assert left == 0, "the run ended before it was killed"
    return str(order["run"])


def completed(house: Plane, run: str) -> set[str]:
    return {
        part for (part,) in house.rows("SELECT part FROM _hamgam_ledger WHERE run = ? AND kind = 'part'", run)
    }


def asked_for(gateway, since: int = 0) -> list[str]:
    requests = ask(f"{gateway.url}/__sim__/requests?since={since}")
    return [f"campus={one['campus']},term={one['term']}" for one in requests if one["campus"]]


def last_request(gateway) -> int:
    return max(one["n"] for one in ask(f"{gateway.url}/__sim__/requests"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("campuses", "mode"), SIZES)
def test_an_interrupted_sync_of_every_campus_and_term_asks_for_no_completed_part_again(
    plane, simulator, campuses, mode
):
    parts = campuses * TERMS
    gateway = simulator(
        *("--rows", str(3 * parts), "--parts", str(parts)), "--totals", "present", "--today", "2026-11-22"
    )
    house = plane()
    assert len(house.settings(gateway, "students")["campuses"]) == campuses
    first = kill_in_the_middle(house, gateway, mode=mode)
    done, since = completed(house, first), last_request(gateway)
    assert parts // 2 <= len(done) < parts

    outcome = house.sync(gateway, "students", now=NOW, mode=mode, resume=[first])
    assert outcome.code == 0, outcome.last
    asked = asked_for(gateway, since)
    assert outcome.resumed() == done
    assert not done & set(asked)
    assert len(set(asked)) == parts - len(done)
    assert outcome.last["partitions"] == {"planned": parts, "done": parts, "failed": 0, "held": 0}
    assert house.rows("SELECT count(*) FROM student_terms") == [(3 * parts,)]

    # All of it counts as answered: what is asked for next is what is open.
    since = last_request(gateway)
    outcome = house.sync(gateway, "students", now=NOW)
    assert len(set(asked_for(gateway, since))) == 3 * campuses
    assert outcome.last["partitions"]["planned"] == 3 * campuses


def test_without_the_books_of_the_first_run_its_parts_are_asked_for_again(plane, simulator):
    # The negative control: the log would show it.
    gateway = simulator("--rows", "96", "--parts", "32", "--today", "2026-11-22")
    house = plane()
    first = kill_in_the_middle(house, gateway, mode="full")
    done, since = completed(house, first), last_request(gateway)
    assert house.sync(gateway, "students", now=NOW, mode="full").code == 0
    assert done <= set(asked_for(gateway, since))
