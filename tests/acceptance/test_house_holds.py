"""Holds in a whole installation: asked for once more, refused when the data have moved, decided on pages and by REST.

What is held on which bad day, and what becomes of it: test_bad_days.py.
"""

from typing import Any

import pytest

from tests.acceptance.house import House, ask, until
from tests.acceptance.store import ON_BOTH, ON_BOTH_IN_TIME
from tests.faults.books import digest

Key = tuple[str, str, str]


def quiet_house(build_house, database: str = "") -> House:
    """In step with a small gateway, and patient with nobody: no pause between requests."""
    house = build_house("--size", "tiny", "--profile", "calm", "--latency", "0", database=database)
    done = house.cli("set", "students", "requests_per_second=0")
    assert done.returncode == 0, done.stderr
    assert house.sync("students")[0] == 0
    return house


def students(house: House) -> set[Key]:
    return set(house.data.rows('SELECT "codePardis", term, studentnum FROM student_terms'))


def decision(house: House, run_id: int) -> str | None:
    return house.rows("panel.db", f"SELECT decision FROM sync_runs WHERE id = {run_id}")[0][0]


def fault(house: House, **what: Any) -> None:
    ask(f"{house.gateway.url}/__sim__/fault", {"endpoint": "students", "times": None, **what})


def half_of_a_part(house: House) -> None:
    fault(house, kind="half", campus="1810", term="4051")


def test_one_bad_answer_among_good_ones_is_asked_again_and_troubles_nobody(build_house):
    house = quiet_house(build_house)
    before = students(house)
    fault(house, kind="half", campus="1810", term="4051", times=1)
    code, run = house.sync("students")
    assert (code, run["status"], run["counts"]["gone"]) == (0, "success", 0)
    assert students(house) == before


@pytest.mark.slow
@ON_BOTH
def test_what_moved_meanwhile_refuses_the_yes(build_house, database):
    house = quiet_house(build_house, database)
    half_of_a_part(house)
    run = house.sync("students")[1]
    staged = {path: path.read_bytes() for path in (house.instance / "staging").iterdir()}
    # Somebody restores an older destination, or another panel writes it: the part is another one now.
    moved = "UPDATE _hamgam_partitions SET digest = ? WHERE part = 'campus=1810,term=4051'"
    assert house.data.write(moved, b"\0") == 1
    before = digest(house.data)
    done = house.cli("approve", str(run["id"]))
    assert done.returncode == 1
    assert "E_MOVED" in done.stdout
    assert digest(house.data) == before
    assert decision(house, run["id"]) is None
    assert {path: path.read_bytes() for path in (house.instance / "staging").iterdir()} == staged


@ON_BOTH_IN_TIME
def test_a_person_reads_the_list_and_decides_in_the_panel_and_a_program_by_rest(build_house, database):
    house = quiet_house(build_house, database).up()
    token = house.token()
    people = students(house)
    fault(house, kind="empty", campus="1120")
    run = house.api(token, "syncs/students/runs", {})["run"]["id"]
    until(lambda: house.run_status(run) == "held", "the run to be held")
    seen = house.api(token, f"runs/{run}/vanishing?limit=500")
    assert {(row["key"][0]) for row in seen["vanishing"]} == {key[2] for key in people if key[0] == "1120"}
    maryam = house.browser()
    assert f'action="/runs/{run}/approve"' in maryam.page("/")
    first = seen["vanishing"][0]["row"]["familyname"]
    assert first in maryam.page(f"/runs/{run}/held")
    maryam.post(f"/runs/{run}/approve")
    until(lambda: decision(house, run) == "approved", "the approval to be published")
    assert students(house) == {key for key in people if key[0] != "1120"}
    assert f'action="/runs/{run}/approve"' not in maryam.page("/")
    trail = house.rows("panel.db", "SELECT actor, action FROM audit_entries WHERE action LIKE 'hold%'")
    assert trail == [("maryam", "hold_accepted")]
