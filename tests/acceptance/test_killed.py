"""Whatever ends a child, and when: each part is as it was or as it shall be, the books say which, the next run goes on.

Seeded; a failure names its seed. Twenty kills in the normal run, two hundred with `-m slow`.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from fetchers.golestan import terms
from tests.acceptance.children import Plane, wanted
from tests.acceptance.house import ask

NOW = "2026-11-22T09:00:00Z"
TODAY = ("--today", "2026-11-22")
CURRENT = "4051"


def newest(rows):
    """One row per student, worked out anew from student_terms (DESIGN.md part 7)."""
    found = {}
    for row in rows:
        late, own = row["term"] > CURRENT, row["codePardis"] != row["code_Markaz"]
        rank = (late, [-ord(sign) for sign in row["term"]], own, row["codePardis"])
        key = (row["studentnum"],)
        if key not in found or rank < found[key][0]:
            found[key] = (rank, row)
    return {key: row for key, (_, row) in found.items()}


def by_part(rows):
    found = {}
    for key, row in rows.items():
        found.setdefault(f"campus={key[0]},term={key[1]}", {})[key] = row
    return found


def illegal(house: Plane, run: str, before: dict, after: dict) -> list[str]:
    """What is wrong with a destination whose child was killed. Before and after: rows by part."""
    wrong = []
    with closing(sqlite3.connect(house.path)) as db:
        if (check := db.execute("PRAGMA integrity_check").fetchone()) != ("ok",):
            wrong.append(f"integrity: {check}")
    there = by_part(house.table("student_terms"))
    entered = {
        part for (part,) in house.rows("SELECT part FROM _hamgam_ledger WHERE run = ? AND kind = 'part'", run)
    }
    for part in before.keys() | after.keys() | there.keys():
        shall = (after if part in entered else before).get(part, {})
        if there.get(part, {}) != shall:
            wrong.append(f"{part}: {'entered' if part in entered else 'not entered'}, but the rows differ")
    everyone = newest(house.table("student_terms").values())
    if house.table("Students") != everyone:
        wrong.append("Students are not the newest rows")
    if {key for (key,) in house.rows("SELECT key FROM _hamgam_search WHERE table_name = 'Students'")} != {
        key[0] for key in everyone
    }:
        wrong.append("the search knows others than Students")
    for part, rows in house.rows("SELECT part, rows FROM _hamgam_partitions"):
        if rows != len(there.get(part, {})):
            wrong.append(f"{part}: the books say {rows} rows")
    return wrong


def kill(house: Plane, gateway, seed: int) -> str:
    """Start a run and end it at a random moment, by kill -9 or by letting go of its lifeline; the run's id."""
    chance = random.Random(seed)
    order = house.order(gateway, "students", now=NOW)
    child = house.start(order)
    assert child.stdin is not None
    assert child.stdout is not None
    parts = chance.randrange(-2, 11)  # so many have been told of; fewer than none: before the plan
    while parts >= 0 and (line := child.stdout.readline()):
        parts -= json.loads(line)["event"] in ("plan", "partition")
    time.sleep(chance.uniform(0, 0.04))  # a random moment is the point
    if chance.random() < 0.7:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(20)
    else:
        child.stdin.close()
        assert child.wait(10) in (0, 1)
    return str(order["run"])


def asked_for(gateway, since: int) -> set[str]:
    requests = ask(f"{gateway.url}/__sim__/requests?since={since}")
    return {f"campus={one['campus']},term={one['term']}" for one in requests if one["campus"]}


def number_of_last(gateway) -> int:
    return max((one["n"] for one in ask(f"{gateway.url}/__sim__/requests")), default=0)


def goes_on(house: Plane, gateway, run: str) -> None:
    """The next run asks only for what is missing, and everything is there."""
    planned = set(by_part(wanted(gateway, "student_terms"))) | {
        f"campus={campus},term={term}"
        for campus in house.settings(gateway, "students")["campuses"]
        for term in terms.between(house.settings(gateway, "students")["first_term"], CURRENT)
    }
    done = {
        part for (part,) in house.rows("SELECT part FROM _hamgam_ledger WHERE run = ? AND kind = 'part'", run)
    }
    since = number_of_last(gateway)
    outcome = house.sync(gateway, "students", now=NOW, resume=[run])
    assert (outcome.code, outcome.resumed()) == (0, done)
    assert asked_for(gateway, since) == planned - done
    assert house.table("student_terms") == wanted(gateway, "student_terms")
    assert house.table("Students") == wanted(gateway, "Students")
    assert not list((house.folder / "staging").glob("*"))


KILLS = [pytest.param(10, id="ten"), pytest.param(100, id="hundred", marks=pytest.mark.slow)]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize("load", ["first", "delta"])
def test_a_killed_child_leaves_each_part_as_it_was_or_as_it_shall_be(plane, simulator, load, kills):
    gateway = simulator("--size", "tiny", "--seed", "5", "--latency", "15", "--totals", "present", *TODAY)
    template = plane("template")
    before = {}
    if load == "delta":
        assert house_is_loaded(template, gateway)
        before = by_part(template.table("student_terms"))
        ask(f"{gateway.url}/__sim__/delta", {"added": 30, "changed": 30, "gone": 9, "stream": "students"})
    after = by_part(wanted(gateway, "student_terms"))
    states = set()
    for seed in range(kills):
        house = plane(f"{load}-{seed}")
        if load == "delta":
            shutil.copy(template.path, house.path)
        run = kill(house, gateway, seed)
        if not house.path.exists() or not house.rows("SELECT 1 FROM sqlite_master WHERE name = 'Students'"):
            states.add("nothing")
            continue
        assert illegal(house, run, before, after) == [], f"seed {seed}"
        entered = house.rows("SELECT count(*) FROM _hamgam_ledger WHERE run = ? AND kind = 'part'", run)[0][0]
        states.add("some" if 0 < entered < len(after) else "all or none")
        if seed % 3 == 0 and entered < len(after):
            goes_on(house, gateway, run)
    assert "some" in states, f"no kill came in mid-run: {states}"


def house_is_loaded(house: Plane, gateway) -> bool:
    loaded = house.sync(gateway, "students", now=NOW).code == 0
    with closing(sqlite3.connect(house.path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return loaded


def test_the_oracle_sees_half_a_part(plane, simulator):
    # The negative control: the same checks must find what a careless writer would leave behind.
    gateway = simulator("--size", "tiny", "--seed", "5", *TODAY)
    house = plane()
    outcome = house.sync(gateway, "students", now=NOW)
    after = by_part(house.table("student_terms"))
    assert illegal(house, outcome.run, {}, after) == []
    with closing(sqlite3.connect(house.path)) as db:
        db.execute("DELETE FROM student_terms WHERE rowid = (SELECT max(rowid) FROM student_terms)")
        db.commit()
    assert len(illegal(house, outcome.run, {}, after)) >= 2
