"""How many rows have which values, and the order of names: also where an older version wrote the destination."""

from dataclasses import replace

import pytest

from fetchers import Code, Label, Text, stream
from fetchers.core.clean.alphabet import order_of
from fetchers.core.fetcher import Facet
from fetchers.core.store import columns
from tests.fetchers.core.conftest import PEOPLE, House, person


def fill(house: House) -> None:
    for campus, term, names in (("1110", "4042", "سر"), ("1110", "4051", "سمر"), ("1210", "4051", "م")):
        rows = [
            {"studentnum": f"40311{ord(name)}", "firstname": name, "code_Markaz": campus, "term": term}
            for name in names
        ]
        house.sync(*rows, campus=campus, term=term)


def test_a_part_s_rows_are_counted_by_their_values(students: House) -> None:
    fill(students)
    assert students.counted("student_terms") == {
        ("1110", "4042", "1110"): 2,
        ("1110", "4051", "1110"): 3,
        ("1210", "4051", "1210"): 1,
    }
    assert students.counted("Students") == students.to_be_counted("Students")


def test_what_is_gone_counts_no_more(students: House) -> None:
    fill(students)
    students.sync(campus="1110", term="4051")
    for table in ("student_terms", "Students"):
        assert students.counted(table) == students.to_be_counted(table)
    assert students.rows('SELECT part FROM _hamgam_facets WHERE part = \'["1110","4051"]\'') == []


def test_a_source_of_one_part_is_counted_too(people: House) -> None:
    people.sync(person(1), person(2), person(3))
    people.sync(person(1), person(2, city="یزد"))
    assert people.counted("people") == {(): 2}


@pytest.mark.parametrize("spoil", ["DROP TABLE _hamgam_facets", "DELETE FROM _hamgam_facets"])
def test_a_destination_of_an_older_version_is_counted_at_the_next_run(students: House, spoil: str) -> None:
    fill(students)
    students.db.execute(spoil)
    columns.prepare(students.db, [students.stream])
    for table in ("student_terms", "Students"):
        assert students.counted(table) == students.to_be_counted(table) != {}


def test_other_facets_are_counted_from_the_next_run_on(students: House) -> None:
    fill(students)
    students.stream = replace(students.stream, facets=(Facet("code_Markaz", words="firstname"),))
    columns.prepare(students.db, [students.stream])
    assert students.counted("student_terms") == students.to_be_counted("student_terms")
    assert len(students.counted("student_terms")) == 6


def test_rows_that_an_older_version_wrote_get_their_place_in_the_alphabet(students: House) -> None:
    fill(students)
    kept = "SELECT key, sorted FROM _hamgam_search ORDER BY key"
    before = students.rows(kept)
    assert {sorted_ for _, sorted_ in before} == {order_of([name]) for name in "سمر"}
    students.db.execute("DROP INDEX _hamgam_search_sorted")
    students.db.execute("ALTER TABLE _hamgam_search DROP COLUMN sorted")
    columns.prepare(students.db, [students.stream])
    assert students.rows(kept) == before


def test_personal_fields_are_neither_counted_nor_sorted_by() -> None:
    fields = {"id": Code(Label("ش", "ID")), "phone": Text(Label("ت", "Phone"), personal=True)}
    for told in ({"facets": (Facet("phone"),)}, {"facets": (Facet("id", words="phone"),)}, {"order": ("phone",)},
                 {"days": ("phone",)}):  # fmt: skip
        with pytest.raises(ValueError, match="personal fields cannot be"):
            stream(table="t", label=Label("", ""), primary_key=("id",), fields=fields, **told)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no column: city"):
        stream(table="t", label=Label("", ""), primary_key=("id",), fields=fields, facets=(Facet("city"),))


def test_a_stream_without_facets_has_its_rows_counted(people: House) -> None:
    assert PEOPLE.counted == ()
    people.sync(person(1))
    assert people.rows("SELECT counts FROM _hamgam_facets WHERE part != ''") == [("[[1]]",)]
