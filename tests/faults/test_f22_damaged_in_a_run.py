"""F22: random bytes in the destination, met by a run that was started before anybody noticed.

The run ends at the first page that cannot be right, names the file and the command that puts a backup back, asks for
nothing more and writes nothing more. (What a start does: see the other tests of F22.)
"""

import random
from pathlib import Path

import pytest

from fetchers.core.store import sql
from panel import explain
from tests.nasty.gateway import student
from tests.nasty.place import CAMPUSES, Place, old_rows

PAGE = 4096


def damage(path: Path, table: str | None) -> None:
    """What a dying disk leaves: other bytes in the first page of a table; None: in the head of the file."""
    db = sql.open_file(f"sqlite:///{path}")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    root = (
        1 if table is None else sql.number(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
    )
    db.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(random.Random(22).randbytes(PAGE))


@pytest.mark.parametrize("table", [None, "student_terms", "_hamgam_partitions"])
def test_f22_a_run_that_meets_a_damaged_page_ends_and_says_what_mends_it(
    place: Place, table: str | None
) -> None:
    path = sql.path_of(place.url)
    damage(path, table)
    campuses = CAMPUSES[:10]
    for campus in campuses:
        place.gateway.rows[campus] = [*old_rows(campus), student(99, campus, firstname="نو")]
    before = path.read_bytes()
    order = place.order(campuses=campuses, settings={"connections": 1})
    place.gateway.forget()
    outcome = place.finish(place.start(order))
    error = outcome.error
    assert (outcome.code, error["code"], error["params"]["reason"]) == (1, "E_STORAGE", "corrupt"), error
    assert not error["retryable"]
    words = explain.message(error["code"], error["params"])
    assert str(path) in words and "python -m panel restore newest" in words and len(words) <= 500
    if table is None:
        assert path.read_bytes() == before
    else:
        published = "SELECT count(*) FROM _hamgam_ledger WHERE kind = 'part' AND run = ?"
        assert place.value(published, order["run"]) == 0
    assert len(place.gateway.asked) < len(campuses), "it goes on asking for what cannot be stored"
