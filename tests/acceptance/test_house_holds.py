"""A gateway's bad days in front of a whole installation: held, listed, decided; and the old data as they were."""

import sqlite3
from typing import Any

import pytest

from fetchers.core.decide import holds
from tests.acceptance.house import House, ask, until

TABLES = ("student_terms", "Students", "_hamgam_search", "_hamgam_partitions", "_hamgam_changes")
Key = tuple[str, str, str]


def quiet_house(build_house) -> House:
    """In step with a small gateway, and patient with nobody: no pause between requests."""
    house = build_house("--size", "tiny", "--profile", "calm", "--latency", "0")
    done = house.cli("set", "students", "requests_per_second=0")
    assert done.returncode == 0, done.stderr
    assert house.sync("students")[0] == 0
    return house


def data(house: House) -> list[list[tuple[Any, ...]]]:
    """All that a reader sees, and the books of the parts."""
    return [house.rows("faculty_data.db", f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in TABLES]


def students(house: House) -> set[Key]:
    return set(house.rows("faculty_data.db", "SELECT codePardis, term, studentnum FROM student_terms"))


def vanishing(house: House, run_id: int, **how: Any) -> holds.Page:
    [(uuid,)] = house.rows("panel.db", f"SELECT uuid FROM sync_runs WHERE id = {run_id}")
    url = f"sqlite:///{house.instance / 'faculty_data.db'}"
    return holds.vanishing(house.instance / "staging", "students", uuid, url, limit=100_000, **how)


def listed(house: House, run_id: int) -> set[Key]:
    rows = vanishing(house, run_id).rows
    parts = [dict(pair.split("=") for pair in row.part.split(",")) for row in rows]
    return {(part["campus"], part["term"], str(row.key[0])) for part, row in zip(parts, rows, strict=True)}


def decision(house: House, run_id: int) -> str | None:
    return house.rows("panel.db", f"SELECT decision FROM sync_runs WHERE id = {run_id}")[0][0]


def fault(house: House, **what: Any) -> None:
    ask(f"{house.gateway.url}/__sim__/fault", {"endpoint": "students", "times": None, **what})


def everything_empty(house: House) -> None:
    fault(house, kind="empty")


def half_of_a_part(house: House) -> None:
    fault(house, kind="half", campus="1810", term="4051")


def one_campus_empty(house: House) -> None:
    fault(house, kind="empty", campus="1120")


def a_quarter_off_every_part(house: House) -> None:
    sizes = house.rows(
        "faculty_data.db", "SELECT codePardis, term, count(*) FROM student_terms GROUP BY 1, 2"
    )
    for campus, term, rows in sizes:
        if rows >= 4:
            body = {"stream": "students", "campus": campus, "term": term, "gone": rows // 4}
            ask(f"{house.gateway.url}/__sim__/delta", body)


BAD_DAYS = [everything_empty, half_of_a_part, one_campus_empty, a_quarter_off_every_part]


@pytest.mark.slow
@pytest.mark.parametrize("bad_day", BAD_DAYS)
def test_a_bad_day_changes_nothing_until_a_person_says_yes(build_house, bad_day):
    house = quiet_house(build_house)
    before, people = data(house), students(house)
    bad_day(house)

    code, run = house.sync("students")
    assert (code, run["status"], run["error_code"]) == (3, "held", "E_SHRUNK")
    assert run["partitions"]["held"] > 0
    assert data(house) == before
    assert listed(house, run["id"]) < people or bad_day is everything_empty

    done = house.cli("reject", str(run["id"]))
    assert (done.returncode, decision(house, run["id"])) == (0, "rejected"), done.stderr
    assert data(house) == before
    assert house.cli("approve", str(run["id"])).returncode == 2

    # The gateway says the same again; now somebody believes it.
    code, run = house.sync("students")
    assert code == 3
    assert data(house) == before
    leaving = listed(house, run["id"])
    requests = len(house.asked_parts())
    done = house.cli("approve", str(run["id"]), "--json")
    assert done.returncode == 0, done.stderr
    assert len(house.asked_parts()) == requests
    assert decision(house, run["id"]) == "approved"
    assert leaving
    assert students(house) == people - leaving
    assert not list((house.instance / "staging").iterdir())

    # What was accepted is in step: the next sync finds nothing new, and nothing to hold.
    code, run = house.sync("students")
    assert (code, run["counts"]["added"], run["counts"]["gone"]) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("bad_day", [half_of_a_part, a_quarter_off_every_part])
def test_with_the_guard_off_the_same_day_does_change_the_data(build_house, bad_day):
    """The negative control. A part that comes to nothing is held whatever the limits."""
    house = quiet_house(build_house)
    before = students(house)
    done = house.cli("set", "students", "guard_part_rows=10000000", "guard_total_rows=10000000")
    assert done.returncode == 0, done.stderr
    bad_day(house)
    code, run = house.sync("students")
    assert (code, run["status"]) == (0, "success")
    assert students(house) < before
    assert run["counts"]["gone"] == len(before) - len(students(house))


def test_one_bad_answer_among_good_ones_is_asked_again_and_troubles_nobody(build_house):
    house = quiet_house(build_house)
    before = students(house)
    fault(house, kind="half", campus="1810", term="4051", times=1)
    code, run = house.sync("students")
    assert (code, run["status"], run["counts"]["gone"]) == (0, "success", 0)
    assert students(house) == before


@pytest.mark.slow
def test_what_moved_meanwhile_refuses_the_yes(build_house):
    house = quiet_house(build_house)
    half_of_a_part(house)
    run = house.sync("students")[1]
    staged = {path: path.read_bytes() for path in (house.instance / "staging").iterdir()}
    # Somebody restores an older destination, or another panel writes it: the part is another one now.
    with sqlite3.connect(house.instance / "faculty_data.db") as db:
        db.execute("UPDATE _hamgam_partitions SET digest = x'00' WHERE part = 'campus=1810,term=4051'")
    db.close()
    before = data(house)
    done = house.cli("approve", str(run["id"]))
    assert done.returncode == 1
    assert "E_MOVED" in done.stdout
    assert data(house) == before
    assert decision(house, run["id"]) is None
    assert {path: path.read_bytes() for path in (house.instance / "staging").iterdir()} == staged


def test_a_person_reads_the_list_and_decides_in_the_panel_and_a_program_by_rest(build_house):
    house = quiet_house(build_house).up()
    token = house.token()
    people = students(house)
    one_campus_empty(house)
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
