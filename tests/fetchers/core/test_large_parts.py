"""A part that is too large for memory ends as any other does, to the byte; and nothing of it is ever seen by halves."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from fetchers.core import spool
from fetchers.core.clean import Discovered, Text
from fetchers.core.errors import StorageError
from fetchers.core.events import Events
from fetchers.core.load import large as large_parts
from fetchers.core.load import publish, staging
from fetchers.core.load.compare import Comparer, Delta
from fetchers.core.load.preview import preview
from fetchers.core.load.staging import Staging
from fetchers.core.records import Records, Whole
from fetchers.core.spool import Pile, Spools
from fetchers.core.store import columns, facets, notes, sql
from fetchers.core.wire.large import LargeRecords
from tests.fetchers.core import conftest, test_holds
from tests.fetchers.core.conftest import PEOPLE, TERMS, House, label, person
from tests.fetchers.core.test_compare_and_publish import (
    test_a_duplicate_takes_the_place_of_the_one_that_left,
    test_a_full_comparison_mends_a_row_that_somebody_changed_by_hand,
    test_a_renamed_field_refuses_the_part,
    test_the_diary_names_each_change_field_by_field,
    test_the_newest_term_that_has_begun_is_a_students_row,
)
from tests.fetchers.core.test_holds import (
    World,
    test_an_approval_publishes_what_was_held_and_asks_no_gateway,
    test_only_what_is_held_stays_staged,
    test_rows_of_another_shape_are_never_published,
    world,
)
from tests.fetchers.core.test_large_bodies import in_small_chunks, spooled
from tests.fetchers.core.test_undo import (
    faculty,
    one_sqlite,
    students,
    test_a_first_load_is_taken_back_to_nothing_and_can_come_back,
    test_a_run_that_added_10_changed_7_and_lost_5_is_taken_back_to_the_letter,
    test_run_by_run_it_goes_back_to_the_beginning,
    test_what_a_later_run_changed_is_left_and_listed,
)

# Tests and fixtures of ordinary parts, which run here once more with large ones.
__all__ = [
    "faculty",
    "in_small_chunks",
    "one_sqlite",
    "students",
    "test_a_duplicate_takes_the_place_of_the_one_that_left",
    "test_a_first_load_is_taken_back_to_nothing_and_can_come_back",
    "test_a_full_comparison_mends_a_row_that_somebody_changed_by_hand",
    "test_a_renamed_field_refuses_the_part",
    "test_a_run_that_added_10_changed_7_and_lost_5_is_taken_back_to_the_letter",
    "test_an_approval_publishes_what_was_held_and_asks_no_gateway",
    "test_only_what_is_held_stays_staged",
    "test_rows_of_another_shape_are_never_published",
    "test_run_by_run_it_goes_back_to_the_beginning",
    "test_the_diary_names_each_change_field_by_field",
    "test_the_newest_term_that_has_begun_is_a_students_row",
    "test_what_a_later_run_changed_is_left_and_listed",
    "world",
]

WIDER = replace(PEOPLE, fields={**PEOPLE.fields, "color": Discovered(label("color"))})


def joined(records: list[msgspec.Raw]) -> bytes:
    return b"[" + b",".join(map(bytes, records)) + b"]"


def in_a_file(pages: list[list[msgspec.Raw]]) -> Whole:
    return Whole([LargeRecords(spooled(joined(page)), 0) for page in pages])


def in_memory(pages: list[list[msgspec.Raw]]) -> Whole:
    return Whole([Records(joined(page)) for page in pages])


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fits: every part comes in a file, piles go into files after four items, rows are read three at a time."""
    monkeypatch.setattr(spool, "IN_MEMORY", 4)
    monkeypatch.setattr(spool, "BLOCK", 2)
    monkeypatch.setattr(staging, "BLOCK", 2)
    monkeypatch.setattr(large_parts, "KEYS_AT_ONCE", 3)
    monkeypatch.setattr(publish, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(notes, "MANY", 3)
    monkeypatch.setattr(conftest, "Whole", in_a_file)
    monkeypatch.setattr(test_holds, "raw", lambda *records: in_a_file([conftest.raw(*records)]))


# -- the same as any other ----------------------------------------------------------------------------------


def history(seed: int) -> Iterator[list[Any]]:
    """What a gateway says, time after time: records that come, go, change, are there twice, or are none."""
    dice = random.Random(seed)
    there = {number: person(number, f"نام {number}") for number in range(1, 25)}
    for _ in range(6):
        for number in dice.sample(range(1, 40), 8):
            if dice.random() < 0.3:
                there.pop(number, None)
            else:
                there[number] = person(
                    number, f"نام {dice.randrange(60)}", dice.choice(["تهران", None, " قم"])
                )
        records: list[Any] = list(there.values())
        for record in dice.sample(records, 4):
            records.append(
                dice.choice([record, {**record, "city": "ری"}, {**record, "name": f" {record['name']}"}])
            )
        records.append({"id": None, "name": f"بی‌کلید {dice.randrange(3)}", "city": None})
        if dice.random() < 0.4:
            dice.shuffle(records)
        yield records


def told(house: House) -> dict[str, list[Any]]:
    """Every table of a destination, but for the moments and the marks of when things were written."""
    if house.url.startswith("sqlite"):
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    else:
        names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    found = {}
    for (table,) in house.rows(names):
        # Of many notes the new ones are written first, so they have other numbers.
        left_out = {"at", "since", *(["id"] if table == "_hamgam_rejected" else [])}
        columns = sorted(sql.columns_of(house.db, table) - left_out)
        where = f" WHERE part != '{facets.STAMP}'" if table == "_hamgam_facets" else ""
        found[table] = sorted(
            map(repr, house.rows(f"SELECT {sql.names(columns)} FROM {sql.name(table)}{where}"))
        )
    return found


def forgotten(house: House) -> None:
    house.db.close()
    if house.url.startswith("sqlite"):
        for path in Path(house.url.removeprefix("sqlite:///")).parent.glob("data.db*"):
            path.unlink()
        return
    with psycopg.connect(house.url.replace("+psycopg", ""), autocommit=True) as server:
        server.execute("DROP SCHEMA public CASCADE")
        server.execute("CREATE SCHEMA public")


def student_of(record: dict[str, Any]) -> dict[str, Any]:
    number = record["id"]
    return {"studentnum": number and str(number), "firstname": record["name"], "code_Markaz": record["city"]}


@pytest.mark.parametrize("stream", [PEOPLE, TERMS], ids=["people", "students"])
def test_a_large_part_ends_as_any_other_to_the_byte(
    destination: str, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, counts, diary, notes, index, pages, search and newest rows, time after time."""

    def live(whole: Callable[[list[list[msgspec.Raw]]], Whole]) -> list[Any]:
        house = House(destination, stream, ceiling="4051")
        seen = []
        for number, records in enumerate(history(7)):
            if number == 4:  # everything is read by other rules
                shorter = {name: Text(label(name), max_length=5) for name in stream.search}
                house.stream = replace(stream, fields={**stream.fields, **shorter})
            people = records if stream is PEOPLE else list(map(student_of, records))
            partition = {} if stream is PEOPLE else {"campus": "1110", "term": "4051"}
            pages = [conftest.raw(*people[:20]), conftest.raw(*people[20:])]
            comparer = Comparer(house.db, house.stream, full=number == 3)
            delta = house.publish(comparer.compare(partition, whole(pages)))
            seen.append((delta.counts, delta.rows_after, sorted(map(repr, delta.gone)), told(house)))
        house.close_books()
        seen.append(told(house))
        forgotten(house)
        return seen

    with monkeypatch.context() as usual:
        usual.setattr(spool, "IN_MEMORY", 4096)
        usual.setattr(publish, "ROWS_AT_ONCE", 5000)
        usually = live(in_memory)
    for one, other in zip(usually, live(in_a_file), strict=True):
        assert one == other


# -- and never by halves ------------------------------------------------------------------------------------


def much(house: House) -> Delta:
    """A part of which some rows are new, some changed and some gone, with notes, compared and not published."""
    house.sync(*[person(n) for n in range(30)])
    kept = [person(n, "زهرا" if n % 3 else "مریم", city="x" * 3000) for n in range(10, 45)]
    return house.compare(*kept, {"id": None, "name": "بی‌کلید", "city": None})


def test_whatever_breaks_while_it_is_published_nothing_of_it_is_there(
    people: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    delta = much(people)
    assert all(isinstance(rows, Pile) for rows in (delta.changed, delta.notes))
    assert not isinstance(delta.added, list)
    before = told(people)
    read, left = spool.Spool.read, [0]

    def breaks(self: spool.Spool, start: int, size: int) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise StorageError("the disk is gone", reason="io")
        return read(self, start, size)

    monkeypatch.setattr(spool.Spool, "read", breaks)
    for reads in range(0, 400, 9):
        left[0] = reads
        try:
            people.publish(delta)
        except StorageError:
            assert told(people) == before
        else:
            break
    assert reads > 30, "it broke in several places"
    assert people.rows("SELECT count(*) FROM people") == [(35,)]


@pytest.mark.parametrize("later", [False, True])
def test_a_large_part_that_waits_is_published_as_it_was(people: House, tmp_path: Path, later: bool) -> None:
    """Staged in pieces and taken out again, also after a field has become a column meanwhile."""
    delta = much(people)
    waiting = Staging(tmp_path / "staging", "people", "run")
    waiting.put(delta)
    waiting.put(delta)  # asked for again
    assert waiting._open().execute("SELECT max(length(delta)) FROM staged").fetchone()[0] < 5000
    if later:
        people.stream = WIDER
        columns.prepare(people.db, [WIDER])
    [taken] = waiting.take(people.stream)
    nothing = (None,) if later else ()
    assert list(taken.added) == [row + nothing for row in delta.added]
    assert list(taken.changed) == [(was + nothing, now + nothing) for was, now in delta.changed]
    assert list(taken.notes) == list(delta.notes) and len(delta.notes)
    assert (taken.counts, taken.gone, taken.digest) == (delta.counts, delta.gone, delta.digest)
    people.publish(taken)
    assert people.rows("SELECT min(id), max(id), count(*) FROM people") == [(10, 44, 35)]
    waiting.drop(people.stream, "")
    assert list(waiting.take(people.stream)) == []
    assert waiting._open().execute("SELECT count(*) FROM staged_rows").fetchone() == (0,)
    waiting.discard()


def test_what_an_earlier_version_staged_is_read_still(people: House, tmp_path: Path) -> None:
    """Its file has no table for rows apart."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(conftest, "Whole", in_memory)
    delta = much(people)
    monkeypatch.undo()
    waiting = Staging(tmp_path / "staging", "people", "run")
    waiting.put(delta)
    waiting.hold(delta, [])
    waiting.keep_held()
    waiting._open().execute("DROP TABLE staged_rows")
    waiting.close()
    assert waiting.held_delta(PEOPLE, "").added == delta.added
    waiting.discard()


def test_a_rehearsal_of_a_large_part_foretells_the_real_run(world: World) -> None:
    world.there["1110"] = [test_holds.student(n) for n in range(12, 60)]
    foretold = world.sync(dry_run=True)
    counts = world.said()["counts"]
    assert (world.sync(), world.said()["counts"]) == (foretold, counts)
    assert counts["added"] == 20 and counts["gone"] == 12


def test_when_all_is_over_no_file_is_left(tmp_path: Path) -> None:
    spools = Spools(tmp_path / "staging")
    house = House(tmp_path / "data.db", PEOPLE)
    comparer = Comparer(house.db, PEOPLE, spools=spools)
    delta = comparer.compare({}, in_a_file([conftest.raw(*[person(n) for n in range(20)])]))
    assert spools.size > 0
    house.publish(delta)
    del delta
    assert spools.size == 0 and list((tmp_path / "staging").iterdir()) == []
    house.db.close()


# -- piles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(12))
def test_a_pile_is_a_list_that_is_in_a_file(length: int) -> None:
    plain = [(n, "م" * n, None, 1.5 if n % 2 else -(2**63)) for n in range(length)]
    pile = Spools().pile(tuple[Any, ...], plain)
    assert list(pile) == list(pile) == plain and len(pile) == length
    assert [pile[place] for place in range(-length, length)] == plain * 2
    assert pile[2:7] == plain[2:7] and pile[-3:] == plain[-3:]
    with pytest.raises(IndexError):
        pile[length]
    some = bytearray(n % 3 != 1 for n in range(length))
    assert list(pile.only(some)) == [one for n, one in enumerate(plain) if n % 3 != 1]
    assert len(pile.only(some)) == sum(some)


def test_a_preview_of_a_large_first_page_shows_its_beginning(world: World) -> None:
    assert preview(world.spec(preview=True), Events(world.events.append)) == 0
    seen = world.said()["preview"]
    assert (len(seen["rows"]), seen["read"]) == (20, 40)
