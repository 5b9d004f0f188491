"""A dry run's view of a destination, of each kind: all can be read, nothing written, what is missing stands empty."""

import pytest

from fetchers.core.load import rehearsal
from fetchers.core.load.compare import Comparer
from fetchers.core.records import Whole
from fetchers.core.store import sql
from tests.fetchers.core.conftest import PEOPLE, House, person, raw


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
