"""Reading the notes about records: counted by kind and part, listed in a fixed order, filtered; on both databases."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fetchers.core.store import columns, ledger, quality, sql
from fetchers.core.store.quality import Wanted
from tests.fetchers.core.conftest import TERMS, House

STREAM = ("terms",)


def put(house: House, *notes: tuple[str, str | None, str, str | None, int, str]) -> None:
    """part, key, reason, field, kept, run."""
    house.db.executemany(
        "INSERT INTO _hamgam_rejected (run, stream, part, hash, key, field, reason, kept, raw, at)"
        " VALUES (?, 'terms', ?, ?, ?, ?, ?, ?, 'odd', ?)",
        (
            (run, part, b"mark", key, field, reason, kept, ledger.timestamp())
            for part, key, reason, field, kept, run in notes
        ),
    )


@pytest.fixture
def noted(destination: str) -> Iterator[House]:
    house = House(destination, TERMS)
    put(
        house,
        ("campus=1110,term=4041", "7", "bad_date", "birthdate", 1, "run-1"),
        ("campus=1110,term=4042", "7", "bad_date", "birthdate", 1, "run-1"),
        ("campus=111,term=4042", "12", "bad_date", "birthdate", 1, "run-2"),
        ("campus=1120,term=4042", "9", "bad_phone", "phonenum", 1, "run-1"),
        ("campus=1120,term=4042", None, "no_key", "studentnum", 0, "run-2"),
        ("campus=1120,term=4042", "1%_!", "unequal_duplicate", None, 1, "run-2"),
    )
    yield house
    house.db.close()


def test_notes_are_counted_by_kind_and_part(noted: House) -> None:
    found = {(c.reason, c.field, c.kept, c.part): c.notes for c in quality.counts(noted.url, STREAM)}
    assert found["bad_date", "birthdate", True, "campus=1110,term=4041"] == 1
    assert found["no_key", "studentnum", False, "campus=1120,term=4042"] == 1
    assert found["unequal_duplicate", None, True, "campus=1120,term=4042"] == 1
    assert sum(found.values()) == 6
    assert quality.counts(noted.url, ("others",)) == []
    assert quality.said_first_by(noted.url, "run-2") == {
        ("terms", "bad_date", "birthdate"): 1,
        ("terms", "no_key", "studentnum"): 1,
        ("terms", "unequal_duplicate", None): 1,
    }


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (Wanted(STREAM), ["12", "7", "7", "9", None, "1%_!"]),
        (Wanted(STREAM, reason="bad_date", field="birthdate"), ["12", "7", "7"]),
        (Wanted(STREAM, campus="1110"), ["7", "7"]),
        (Wanted(STREAM, campus="111"), ["12"]),
        (Wanted(STREAM, kept=False), [None]),
        (Wanted(STREAM, field=""), ["1%_!"]),
        (Wanted(STREAM, run="run-2"), ["12", None, "1%_!"]),
        (Wanted(STREAM, key="7"), ["7", "7"]),
        (Wanted(STREAM, words="۷"), ["7", "7"]),
        (Wanted(STREAM, words="%"), ["12", "7", "7", "9", None, "1%_!"]),
        (Wanted(("others",)), []),
        (Wanted(()), []),
    ],
    ids=str,
)
def test_notes_are_listed_by_person_and_filtered(
    noted: House, wanted: Wanted, keys: list[str | None]
) -> None:
    found = quality.page(noted.url, wanted)
    assert [note.key for note in found.notes] == keys
    assert (found.total, found.more) == (len(keys), False)
    assert [note.key for note in quality.notes(noted.url, wanted, 100)] == keys


def test_pages_follow_one_another_and_none_is_beyond_the_last(noted: House) -> None:
    ids = [
        note.id for n in (1, 2, 3) for note in quality.page(noted.url, Wanted(STREAM), number=n, size=2).notes
    ]
    assert len(set(ids)) == 6
    last = quality.page(noted.url, Wanted(STREAM), number=99, size=4)
    assert (last.page, last.pages, len(last.notes)) == (2, 2, 2)


def test_rows_are_counted_by_part(noted: House) -> None:
    noted.sync({"studentnum": "1"}, {"studentnum": "2"}, campus="1110", term="4041")
    assert quality.rows_by_part(noted.url, STREAM) == {("terms", "campus=1110,term=4041"): 2}


def test_where_nothing_was_ever_loaded_there_is_nothing_to_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    assert quality.counts(url, STREAM) == [] and quality.page(url, Wanted(STREAM)).notes == []
    assert not (tmp_path / "none.db").exists()
    sql.connect(url).close()
    assert list(quality.notes(url, Wanted(STREAM), 5)) == [] and quality.rows_by_part(url, STREAM) == {}


def test_counts_and_lists_come_out_of_the_index_without_reading_a_line(noted: House) -> None:
    if sql.on_postgresql(noted.db):
        pytest.skip("its planner reads so small a table whole, index or not")

    def plan() -> str:
        with closing(sql.connect(noted.url)) as anew:
            return str([list(anew.execute(f"EXPLAIN QUERY PLAN {statement}")) for statement in asked])

    asked = (
        "SELECT stream, reason, field, kept, part, count(*) FROM _hamgam_rejected"
        " WHERE stream IN ('terms') GROUP BY stream, reason, field, kept, part",
        "SELECT id FROM _hamgam_rejected WHERE stream IN ('terms') AND run = 'x'"
        " ORDER BY stream, reason, coalesce(key, ''), part, id LIMIT 50",
    )

    assert plan().count("COVERING INDEX _hamgam_rejected_kind") == 2
    noted.db.execute("DROP INDEX _hamgam_rejected_kind")
    assert "COVERING" not in plan()
    columns.prepare(noted.db, [TERMS])  # as the next run of an older destination does
    assert plan().count("COVERING INDEX _hamgam_rejected_kind") == 2


def test_twenty_thousand_notes_are_counted_and_listed_at_once(noted: House) -> None:
    put(
        noted,
        *(
            (f"campus={1000 + n % 98},term=4041", str(n), "bad_phone", "phonenum", 1, "run-3")
            for n in range(20_000)
        ),
    )
    began = time.perf_counter()
    assert sum(count.notes for count in quality.counts(noted.url, STREAM)) == 20_006
    found = quality.page(noted.url, Wanted(STREAM), number=150)
    took = time.perf_counter() - began
    assert (found.more, found.page, len(found.notes)) == (True, 150, 50)
    print(f"counted and listed in {took * 1000:.0f} ms")
    assert took < 5  # on a machine that does other things, too; by itself a tenth of a second
