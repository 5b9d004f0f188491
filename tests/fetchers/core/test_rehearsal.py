"""A dry run's view of a destination, of each kind: all can be read, nothing written, what is missing stands empty.

And its books: they foretell what the real run then writes (with real processes: tests/acceptance/test_dry_runs.py).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetchers.core.load import rehearsal
from fetchers.core.load.compare import Comparer
from fetchers.core.records import Whole
from fetchers.core.store import sql
from tests.fetchers.core.conftest import PEOPLE, House, person, raw
from tests.fetchers.core.test_holds import TERM, World, student, world

__all__ = ["world"]


def test_a_comparison_finds_what_a_run_would_do(people: House) -> None:
    people.sync(person(1), person(2), person(3))
    db = rehearsal.open_destination(people.url, [PEOPLE])
    try:
        delta = Comparer(db, PEOPLE).compare({}, Whole([raw(person(1), person(2, "دیگری"), person(4))]))
    finally:
        db.close()
    counts = delta.counts
    assert (counts.added, counts.changed, counts.gone, counts.unchanged) == (1, 1, 1, 1)
    assert people.rows("SELECT id FROM people ORDER BY id") == [(1,), (2,), (3,)]


def test_nothing_can_be_written(people: House) -> None:
    people.sync(person(1))
    db = rehearsal.open_destination(people.url, [PEOPLE])
    try:
        for statement in (
            "DELETE FROM people",
            "INSERT INTO people (id) VALUES (9)",
            "UPDATE _hamgam_fence SET epoch = 99",
            "DROP TABLE people",
        ):
            with pytest.raises(Exception, match=r"(?i)read|failed"):
                db.execute(statement)
    finally:
        db.close()
    assert people.rows("SELECT id FROM people") == [(1,)]


def test_a_destination_that_is_not_there_is_empty_and_stays_away(destination: str) -> None:
    db = rehearsal.open_destination(destination, [PEOPLE])
    try:
        assert sql.number(db, "SELECT count(*) FROM people") == 0
        assert sql.number(db, "SELECT count(*) FROM _hamgam_partitions") == 0
    finally:
        db.close()
    again = sql.connect(destination)
    try:
        assert sql.columns_of(again, "people") == set()
        assert sql.columns_of(again, "_hamgam_ledger") == set()
    finally:
        again.close()


def test_a_table_of_an_older_version_is_read_with_its_new_columns_empty(people: House) -> None:
    people.sync(person(1), person(2))
    people.db.execute("ALTER TABLE people DROP COLUMN city")
    db = rehearsal.open_destination(people.url, [PEOPLE])
    try:
        assert [tuple(row) for row in db.execute("SELECT id, city FROM people ORDER BY id")] == [
            (1, None),
            (2, None),
        ]
        counts = Comparer(db, PEOPLE, full=True).compare({}, Whole([raw(person(1), person(2))])).counts
    finally:
        db.close()
    assert (counts.changed, counts.added) == (2, 0)


# -- the books ----------------------------------------------------------------------------------------------


def a_name_changes_somebody_comes_and_somebody_leaves(world: World) -> None:
    world.there["1110"][3]["firstname"] = "دیگری"
    world.there["1110"].append(student(199))
    world.there["1210"].pop()


def three_move_to_another_campus(world: World) -> None:
    world.there["1110"] += [world.there["1210"].pop() for _ in range(3)]


def most_of_a_campus_vanishes(world: World) -> None:
    world.there["1110"].append(student(199))
    world.there["1210"] = world.there["1210"][:5]


def a_campus_is_new(world: World) -> None:
    world.there["1310"] = [student(number) for number in range(300, 340)]


def the_first_answer_is_short(world: World) -> None:
    world.next = {"1210": [world.there["1210"][:5]]}


SCENES = [
    a_name_changes_somebody_comes_and_somebody_leaves,
    three_move_to_another_campus,
    most_of_a_campus_vanishes,
    a_campus_is_new,
    the_first_answer_is_short,
]


def books(world: World, path: Path) -> list[Any]:
    lines = "SELECT stream, kind, part, key, before, after, folded, mark FROM _hamgam_changes WHERE run = "
    ledger = (
        "SELECT stream, part, outcome, read, added, changed, unchanged, gone FROM _hamgam_ledger WHERE run = "
    )
    return [
        sorted(map(repr, world.rows_of(path, statement)))
        for statement in (f"{lines}'{world.last}'", f"{ledger}'{world.last}' AND kind = 'part'")
    ]


def said(world: World) -> tuple[Any, ...]:
    last = world.said()
    error = last.get("error") or {}
    return last["counts"], last["partitions"], world.states(), error.get("code"), error.get("params")


@pytest.mark.parametrize("happens", SCENES, ids=lambda happens: happens.__name__)
def test_the_books_foretell_the_real_run(world: World, happens: Callable[[World], None]) -> None:
    happens(world)
    scripted = {campus: list(answers) for campus, answers in world.next.items()}
    dry = world.sync(dry_run=True)
    [book] = world.rehearsals.glob("*.db")
    foretold = (dry, said(world), books(world, book))
    world.next = scripted
    real = world.sync()
    assert (real, said(world), books(world, world.path)) == foretold


def test_what_changes_after_a_rehearsal_is_not_foretold(world: World) -> None:
    """The negative control."""
    a_name_changes_somebody_comes_and_somebody_leaves(world)
    world.sync(dry_run=True)
    [book] = world.rehearsals.glob("*.db")
    foretold = books(world, book)
    world.there["1110"][4]["firstname"] = "دیگری"
    world.sync()
    assert books(world, world.path) != foretold


def test_those_who_would_come_are_named(world: World) -> None:
    a_name_changes_somebody_comes_and_somebody_leaves(world)
    world.sync(dry_run=True)
    [book] = world.rehearsals.glob("*.db")
    [(part, key, row)] = world.rows_of(book, "SELECT part, key, row FROM newcomers")
    assert (part, key) == (f"campus=1110,term={TERM}", student(199)["studentnum"])
    assert json.loads(row)["familyname"] == "کریمی 199"


def test_only_the_newest_rehearsals_of_a_source_stay(world: World) -> None:
    world.there["1210"] = []
    for _ in range(5):
        assert world.sync(dry_run=True) == 3
    for folder in (world.rehearsals, world.rehearsals / "staging"):
        assert len(list(folder.iterdir())) == (4 if folder == world.rehearsals else 3)
        assert (folder / f"students-{world.last}.db").is_file()


def test_an_attempt_begins_its_books_anew(world: World) -> None:
    run = "0a1b"
    world.sync(dry_run=True, run=run)
    world.sync(dry_run=True, run=run, attempt=2)
    assert world.said()["event"] == "result"
    path = world.rehearsals / f"students-{run}.db"
    assert world.rows_of(path, "SELECT count(*) FROM _hamgam_ledger WHERE kind = 'closing'") == [(1,)]


def test_a_folder_that_cannot_be_written_ends_as_a_sentence(world: World) -> None:
    world.rehearsals.write_text("a file where the folder should be")
    assert world.sync(dry_run=True) == 1
    assert world.said()["error"]["code"] == "E_STORAGE"
