"""Bad days of a gateway before a whole installation: the old data stay to the byte until a person says otherwise.

Each day is played on SQLite and on PostgreSQL, through the real engine. Who would vanish is worked out from the
simulator's truth less what an independent reader finds in its answers. The negative control plays the same days with
the guard taken out of the run's process, and its assertions must fail.
"""

import json
import os
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fetchers.core.decide import holds
from tests.acceptance.house import House, ask, truth, until
from tests.acceptance.store import ON_BOTH
from tests.conftest import ROOT, Gateway
from tests.faults.books import digest, disagreements, newest

pytestmark = [pytest.mark.slow, ON_BOTH]

Key = tuple[str, str, str]
TODAY = ("--today", "2026-11-22")
CURRENT = "4051"
TINY = ("--size", "tiny", "--seed", "5", "--totals", "present", "--page-cap", "20")
MANY_SMALL_PARTS = ("--rows", "1200", "--parts", "40", "--seed", "5")
FULL_PAGES = ("--size", "small", "--seed", "5", "--totals", "absent", "--page-cap", "500")
DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


# -- the days -------------------------------------------------------------------------------------------------


def fault(house: House, **what: Any) -> None:
    ask(f"{house.gateway.url}/__sim__/fault", {"endpoint": "students", "times": None, **what})


def empty(house: House) -> None:
    fault(house, kind="empty")


def half_of_a_part(house: House) -> None:
    fault(house, kind="half", campus="1810", term="4051")


def half_of_everything(house: House) -> None:
    fault(house, kind="half")


def a_quarter_off_every_part(house: House) -> None:
    for campus, term, rows in house.data.rows(
        'SELECT "codePardis", term, count(*) FROM student_terms GROUP BY 1, 2'
    ):
        body = {"stream": "students", "campus": campus, "term": term, "gone": rows // 4}
        ask(f"{house.gateway.url}/__sim__/delta", body)


def one_campus_empty(house: House) -> None:
    fault(house, kind="empty", campus="1120")


def one_part_cut(house: House) -> None:
    fault(house, kind="cut", campus="1810", term="4051")


def lying_totals(house: House) -> None:
    """It announces them all and sends the first page."""
    for page in range(2, 20):
        fault(house, kind="body", campus="1810", page=page, body={"data": [], "totalCount": 89})


def the_same_page_again(house: House) -> None:
    fault(house, kind="repeat", campus="1810")


def silent_cap_of_500(house: House) -> None:
    """Five hundred rows of a part come, then it says that there are no more."""
    fault(house, kind="body", campus="1810", page=2, body={"data": []})


@dataclass(frozen=True)
class Day:
    """A bad day: what is wrong, in front of which world, and what the run must say."""

    play: Callable[[House], None]
    world: tuple[str, ...]
    status: str
    code: str
    reason: str  # of a hold: why; of a failure: the code of the parts that failed
    door: str = "command"  # by which the two decisions come

    def __str__(self) -> str:
        return self.play.__name__


DAYS = [
    Day(empty, TINY, "held", "E_SHRUNK", "total"),
    Day(half_of_a_part, TINY, "held", "E_SHRUNK", "part", door="REST"),
    Day(half_of_everything, MANY_SMALL_PARTS, "held", "E_SHRUNK", "total"),
    Day(a_quarter_off_every_part, MANY_SMALL_PARTS, "held", "E_SHRUNK", "total", door="panel"),
    Day(one_campus_empty, TINY, "held", "E_SHRUNK", "total"),
    Day(silent_cap_of_500, FULL_PAGES, "held", "E_SHRUNK", "full"),
    Day(one_part_cut, TINY, "failed", "E_PARTIAL", "E_TRUNCATED"),
    Day(lying_totals, TINY, "failed", "E_PARTIAL", "E_PAGING"),
    Day(the_same_page_again, TINY, "failed", "E_PARTIAL", "E_PAGING"),
]
HELD = [day for day in DAYS if day.status == "held"]
FAILED = [day for day in DAYS if day.status == "failed"]


# -- what there is, and what comes ----------------------------------------------------------------------------


def in_step(build_house: Callable[..., House], day: Day, database: str) -> House:
    """In step with a gateway on a good day, and patient with nobody: no pause, no second attempt."""
    house: House = build_house(*day.world, *TODAY, "--profile", "calm", "--latency", "0", database=database)
    done = house.cli(
        "set", "students", "requests_per_second=0", "retries=0", "retry_budget=0", "closed_every_days=0"
    )
    assert done.returncode == 0, done.stderr
    assert house.sync("students")[0] == 0
    assert disagreements(house.data, CURRENT) == []
    return house


def stored(house: House) -> set[Key]:
    return set(house.data.table("student_terms"))


def answered(gateway: Gateway, parts: set[tuple[str, str]]) -> set[Key]:
    """Who is in the gateway's answers now, by a reader of nothing but JSON and pages."""
    token = post(gateway, "/Login", {}, userName=gateway.username, password=gateway.password)["data"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    found: set[Key] = set()
    for campus, term in parts:
        number, fresh = 1, True
        while fresh:
            paging = {"pageNumber": number, "pageSize": 1000}
            body = {"codePardis": campus, "term": term, "Filter": {}, "paging": paging}
            rows = post(gateway, "/API/Golestan/Students_2", headers, **body)["data"]
            keys = {
                (campus, term, re.sub(r"\D", "", str(row["studentnum"]).translate(DIGITS)))
                for row in rows
                if row.get("studentnum")
            }
            fresh = bool(keys - found)
            found |= keys
            number += 1
    return found


def post(gateway: Gateway, path: str, headers: dict[str, str], **body: Any) -> Any:
    request = urllib.request.Request(
        gateway.url + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def listed(house: House, run: int) -> list[holds.Vanishing]:
    [(uuid,)] = house.rows("panel.db", f"SELECT uuid FROM sync_runs WHERE id = {run}")
    url = str(house.data.place) if house.data.place != house.instance / "faculty_data.db" else ""
    url = url or f"sqlite:///{house.data.place}"
    return holds.vanishing(house.instance / "staging", "students", uuid, url, limit=100_000).rows


def key_of(line: holds.Vanishing) -> Key:
    part = dict(pair.split("=") for pair in line.part.split(","))
    return part["campus"], part["term"], str(line.key[0])


# -- decisions, by each door ----------------------------------------------------------------------------------


def decide(house: House, door: str, run: int, verb: str) -> None:
    """Accept once (approve) or keep the old data (reject), and wait until it is done."""
    if door == "command":
        done = house.cli(verb, str(run))
        assert done.returncode == 0, done.stderr
    elif door == "REST":
        house.api(house.token(), f"runs/{run}/{verb}", {})
    else:
        house.browser().post(f"/runs/{run}/{verb}")
    wanted = {"approve": "approved", "reject": "rejected"}[verb]
    until(lambda: decision(house, run) == wanted, f"{verb} of run {run} by {door}")


def decision(house: House, run: int) -> str | None:
    found: str | None = house.rows("panel.db", f"SELECT decision FROM sync_runs WHERE id = {run}")[0][0]
    return found


# -- what must be so ------------------------------------------------------------------------------------------


def assert_nothing_is_lost(house: House, day: Day, run: tuple[int, dict[str, Any]], before: str) -> None:
    """The old data are what they were, and the status says why."""
    code, told = run
    assert digest(house.data) == before
    assert (code, told["status"], told["error_code"]) == (
        {"held": 3, "failed": 1}[day.status],
        day.status,
        day.code,
    )
    [(params,)] = house.rows("panel.db", f"SELECT error_params FROM sync_runs WHERE id = {told['id']}")
    params = json.loads(params)
    assert day.reason in (params.get("reason"), *params.get("codes", ()))
    assert told["error_message"]


def assert_the_list_is_right(house: House, run: int, vanishing: set[Key]) -> None:
    rows = listed(house, run)
    assert {key_of(line) for line in rows} == vanishing
    assert len(rows) == len(vanishing)
    there = house.data.table("student_terms")
    for line in rows:
        assert line.row is not None
        assert line.row.items() <= there[key_of(line)].items()


# -- the tests ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", HELD, ids=str)
def test_a_bad_day_is_held_until_a_person_says_yes(
    build_house: Callable[..., House], database: str, day: Day
) -> None:
    house = in_step(build_house, day, database)
    before, people = digest(house.data), stored(house)
    day.play(house)
    vanishing = people - answered(house.gateway, {(campus, term) for campus, term, _ in people})
    assert vanishing
    if day.door != "command":
        house.up()

    run = house.sync("students")
    assert_nothing_is_lost(house, day, run, before)
    assert_the_list_is_right(house, run[1]["id"], vanishing)

    decide(house, day.door, run[1]["id"], "reject")
    assert digest(house.data) == before
    assert house.cli("approve", str(run[1]["id"])).returncode == 2

    # The gateway says the same again; now somebody believes it.
    run = house.sync("students")
    assert_nothing_is_lost(house, day, run, before)
    assert_the_list_is_right(house, run[1]["id"], vanishing)
    asked = len(house.asked_parts())
    decide(house, day.door, run[1]["id"], "approve")
    assert len(house.asked_parts()) == asked
    assert_the_new_data_are_in(house, people - vanishing)
    assert not list((house.instance / "staging").iterdir())

    # What was accepted is in step: the next sync finds nothing new, and nothing to hold.
    code, again = house.sync("students")
    counts = again["counts"]
    assert (code, counts["added"], counts["changed"], counts["gone"]) == (0, 0, 0, 0)


def assert_the_new_data_are_in(house: House, people: set[Key]) -> None:
    """Everybody who is in the answers, as the simulator's truth has them, and nobody else."""
    there = house.data.table("student_terms")
    assert set(there) == people
    true = {
        (row["codePardis"], row["term"], row["studentnum"]): row
        for row in truth(house.gateway, "student_terms")
    }
    assert there == {key: true[key] for key in people}
    assert house.data.table("Students") == newest(there, CURRENT)
    assert disagreements(house.data, CURRENT) == []


@pytest.mark.parametrize("day", FAILED, ids=str)
def test_an_answer_that_is_not_whole_fails_its_part_and_the_next_good_day_mends_it(
    build_house: Callable[..., House], database: str, day: Day
) -> None:
    house = in_step(build_house, day, database)
    before = digest(house.data)
    day.play(house)
    run = house.sync("students")
    assert_nothing_is_lost(house, day, run, before)
    assert listed(house, run[1]["id"]) == []
    assert house.cli("approve", str(run[1]["id"])).returncode == 2
    request = urllib.request.Request(f"{house.gateway.url}/__sim__/fault", method="DELETE")
    urllib.request.urlopen(request, timeout=30).close()
    code, again = house.sync("students")
    assert (code, again["counts"]["gone"], again["counts"]["changed"]) == (0, 0, 0)
    assert_the_new_data_are_in(house, stored(house))


# -- the negative control -------------------------------------------------------------------------------------

GUARD_OFF = '''
"""The guard is taken out of the process of a run: nothing is too much, and every answer is whole."""
import fetchers.core.load.guard as guard
import fetchers.core.load.judging as judging
import fetchers.core.wire.paging as paging

guard.too_much = judging.too_much = lambda *_: False
guard.judge = judging.judge = lambda *_: None
paging.Reading.short = property(lambda self: False)
'''


@pytest.fixture
def guard_off(tmp_path: Path) -> Iterator[Callable[[House], None]]:
    """Take the guard out of what a house starts from now on; the run's process inherits the path of its modules."""

    def off(house: House) -> None:
        folder = tmp_path / "guard_off"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(GUARD_OFF, encoding="utf-8")
        house.environ["PYTHONPATH"] = os.pathsep.join((str(folder), str(ROOT)))

    yield off


@pytest.mark.parametrize("day", [*HELD, FAILED[1]], ids=str)
def test_with_the_guard_off_the_same_assertions_fail(
    build_house: Callable[..., House], database: str, day: Day, guard_off: Callable[[House], None]
) -> None:
    house = in_step(build_house, day, database)
    before, people = digest(house.data), stored(house)
    day.play(house)
    guard_off(house)
    run = house.sync("students")
    with pytest.raises(AssertionError):
        assert_nothing_is_lost(house, day, run, before)
    assert (run[0], run[1]["status"]) == (0, "success")
    assert stored(house) < people
