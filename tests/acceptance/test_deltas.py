"""What a second run finds: nothing where nothing changed, and exactly what did where something did."""

import json

import pytest

from tests.acceptance.children import KEYS, wanted
from tests.acceptance.house import ask

NOTHING = {"added": 0, "changed": 0, "gone": 0}


def changes(outcome):
    return {word: outcome.counts[word] for word in NOTHING}


def diary(house, run):
    """kind, part, key, before, after of each line of a run's diary."""
    return [
        (kind, part, key, before and json.loads(before), after and json.loads(after))
        for kind, part, key, before, after in house.rows(
            "SELECT kind, part, key, before, after FROM _hamgam_changes WHERE run = ? ORDER BY id", run
        )
    ]


@pytest.fixture
def loaded(plane, simulator):
    """A destination in step with a simulator."""

    def make(source, *options):
        gateway = simulator("--size", "tiny", "--seed", "11", *options)
        house = plane()
        assert house.sync(gateway, source).code == 0
        return house, gateway

    return make


@pytest.mark.parametrize("source", ["faculty", "students"])
def test_a_second_run_finds_nothing(loaded, source):
    house, gateway = loaded(source)
    outcome = house.sync(gateway, source)
    assert (outcome.code, changes(outcome)) == (0, NOTHING)
    assert outcome.counts["read"] > 0
    assert diary(house, outcome.run) == []


@pytest.mark.parametrize("variant", ["key_order", "arabic", "padding", "record_order"])
@pytest.mark.parametrize("source", ["faculty", "students"])
def test_another_dress_of_the_same_rows_is_no_change(loaded, source, variant):
    house, gateway = loaded(source)
    before = {table: house.table(table) for table in KEYS if house.rows(f"PRAGMA table_info({table})")}
    ask(f"{gateway.url}/__sim__/delta", {"variant": variant})
    outcome = house.sync(gateway, source)
    assert (outcome.code, changes(outcome)) == (0, NOTHING)
    assert diary(house, outcome.run) == []
    assert {table: house.table(table) for table in before} == before


def part_of(change):
    return f"campus={change['key'][0]},term={change['key'][1]}" if isinstance(change["key"], list) else ""


@pytest.mark.parametrize("source", ["faculty", "students"])
def test_a_delta_is_told_exactly_and_field_by_field(loaded, source):
    house, gateway = loaded(source)
    table = "faculty" if source == "faculty" else "student_terms"
    before = house.table(table)
    ask(f"{gateway.url}/__sim__/delta", {"added": 7, "changed": 5, "gone": 4, "stream": source})
    after = wanted(gateway, table)
    outcome = house.sync(gateway, source)
    assert outcome.code == 0
    assert changes(outcome) == {"added": 7, "changed": 5, "gone": 4}
    assert house.table(table) == after
    if source == "students":
        assert house.table("Students") == wanted(gateway, "Students")
    own = slice(-1, None)
    told = {(kind, part, key): (old, new) for kind, part, key, old, new in diary(house, outcome.run)}
    expected = set()
    for key in before.keys() | after.keys():
        part = "" if source == "faculty" else f"campus={key[0]},term={key[1]}"
        name = str(key[own][0])
        if key not in after:
            expected.add(("gone", part, name))
            assert told["gone", part, name][0] == before[key]
        elif key not in before:
            expected.add(("added", part, name))
        elif before[key] != after[key]:
            expected.add(("changed", part, name))
            differ = {column for column in after[key] if before[key][column] != after[key][column]}
            old, new = told["changed", part, name]
            assert old == {column: before[key][column] for column in differ}
            assert new == {column: after[key][column] for column in differ}
    assert set(told) == expected


def test_the_diary_agrees_with_what_the_simulator_says_that_it_did(loaded):
    house, gateway = loaded("students")
    done = ask(f"{gateway.url}/__sim__/delta", {"added": 3, "changed": 4, "gone": 2, "stream": "students"})[
        "changes"
    ]
    outcome = house.sync(gateway, "students")
    kinds = sorted(one["kind"] for one in done)
    assert sorted(line[0] for line in diary(house, outcome.run)) == kinds


def test_a_full_run_heals_what_somebody_did_by_hand(loaded):
    import sqlite3

    house, gateway = loaded("students")
    with sqlite3.connect(house.path) as db:
        db.execute(
            "UPDATE student_terms SET firstname = 'دست' WHERE rowid IN (SELECT min(rowid) FROM student_terms)"
        )
        db.execute("DELETE FROM student_terms WHERE rowid IN (SELECT max(rowid) FROM student_terms)")
        db.execute(
            "INSERT INTO student_terms (codePardis, term, studentnum)"
            " SELECT codePardis, term, '99999999999' FROM student_terms LIMIT 1"
        )
    db.close()
    assert changes(house.sync(gateway, "students")) == NOTHING
    outcome = house.sync(gateway, "students", mode="full")
    assert (outcome.code, changes(outcome)) == (0, {"added": 1, "changed": 1, "gone": 1})
    for table in ("student_terms", "Students"):
        assert house.table(table) == wanted(gateway, table)


def test_a_new_term_comes_to_the_fore_when_it_begins(loaded, plane, simulator):
    # Registered for a term that has not begun: the newest row is still the one of this term.
    gateway = simulator("--size", "tiny", "--seed", "11", "--today", "2026-09-01")
    house = plane("rollover")
    assert house.sync(gateway, "students", now="2026-09-01T09:00:00Z").code == 0
    assert house.table("Students") == wanted(gateway, "Students")
    ask(f"{gateway.url}/__sim__/clock", {"today": "2026-09-25"})
    assert house.sync(gateway, "students", now="2026-09-25T09:00:00Z").code == 0
    assert house.table("Students") == wanted(gateway, "Students")
