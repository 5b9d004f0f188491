"""Notes about records and about rows that contradict one another: when they come, how long they stay, when they go."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fetchers.core.clean import NationalCode
from fetchers.core.fetcher import Clash
from fetchers.core.store import columns
from tests.fetchers.core.conftest import PEOPLE, TERMS, House, label, person

TWO_NAMES = replace(
    TERMS,
    clashes=(Clash("two_names", same="studentnum", differ=("firstname",)),),
    echoes={"code_Markaz": "campus"},
)
TWO_IDS = replace(
    PEOPLE,
    fields={**PEOPLE.fields, "code": NationalCode(label("code"), personal=True)},
    clashes=(Clash("two_ids", same="code", differ=("id",)),),
)
NOTES = "SELECT part, key, field, raw, run FROM _hamgam_rejected WHERE reason = '{}' ORDER BY part, key, raw"


@pytest.fixture
def terms(destination: str) -> Iterator[House]:
    house = House(destination, TWO_NAMES, ceiling="4051")
    yield house
    house.db.close()


@pytest.fixture
def members(destination: str) -> Iterator[House]:
    house = House(destination, TWO_IDS)
    yield house
    house.db.close()


def student(number: int, name: str | None = "مریم", campus: str = "1110", **fields: Any) -> dict[str, Any]:
    return {"studentnum": str(number), "firstname": name, "code_Markaz": campus, "term": None, **fields}


def notes(house: House, reason: str = "two_names") -> list[tuple[Any, ...]]:
    return house.rows(NOTES.format(reason))


def test_two_names_under_one_number_are_noted_each_where_it_stands_last(terms: House) -> None:
    terms.sync(student(1), student(2), campus="1110", term="4041")
    terms.sync(student(1), student(2), campus="1110", term="4042")
    terms.sync(student(1, "رضا"), student(2), campus="1120", term="4051")
    terms.close_books()
    assert notes(terms) == [
        ("campus=1110,term=4042", "1", "firstname", "مریم", "end-3"),
        ("campus=1120,term=4051", "1", "firstname", "رضا", "end-3"),
    ]


@pytest.mark.parametrize("dress", ["مريم", " مریم ", "مر\u200cیم", "مَریم", None, "-"])
def test_another_spelling_of_one_name_or_none_is_no_contradiction(terms: House, dress: str | None) -> None:
    terms.sync(student(1), campus="1110", term="4041")
    terms.sync(student(1, dress), campus="1110", term="4042")
    terms.close_books()
    assert notes(terms) == []


def test_the_notes_go_when_the_names_are_mended_and_when_one_of_the_rows_goes(terms: House) -> None:
    for number, campus in ((1, "1110"), (2, "1130")):
        terms.sync(student(number), student(9), campus=campus, term="4041")
        terms.sync(student(number, "رضا"), student(8), campus=campus, term="4042")
    terms.close_books()
    assert [key for _, key, *_ in notes(terms)] == ["1", "1", "2", "2"]
    terms.sync(student(1, "مریم"), student(8), campus="1110", term="4042")
    terms.close_books()
    assert [key for _, key, *_ in notes(terms)] == ["2", "2"]
    terms.sync(student(9), campus="1130", term="4041")
    terms.close_books()
    assert notes(terms) == []


def test_whoever_was_not_closed_with_is_looked_at_by_the_next_run_that_closes(terms: House) -> None:
    terms.sync(student(1), student(2), campus="1110", term="4041")
    terms.close_books()
    terms.sync(
        student(1, "رضا"), campus="1110", term="4042"
    )  # this run fails on another part, and closes nothing
    terms.sync(student(2), campus="1120", term="4042")
    terms.close_books()
    assert [key for _, key, *_ in notes(terms)] == ["1", "1"]


def test_notes_about_several_rows_outlive_a_full_comparison_and_keep_their_moment(terms: House) -> None:
    terms.sync(student(1), campus="1110", term="4041")
    terms.sync(student(1, "رضا"), campus="1110", term="4042")
    terms.close_books()
    first = notes(terms)
    terms.sync(student(1), campus="1110", term="4041", full=True)
    terms.sync(student(5), campus="1120", term="4042")
    terms.close_books()
    assert notes(terms) == first and len(first) == 2


def test_a_run_that_changed_nothing_looks_at_no_row(terms: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from fetchers.core.store.clashes import Clashes

    terms.sync(student(1), campus="1110", term="4041")
    terms.sync(student(1, "رضا"), campus="1110", term="4042")
    terms.close_books()

    def refuse(*_args: Any) -> None:
        raise AssertionError("rows were looked at")

    monkeypatch.setattr(Clashes, "_renew", refuse)
    terms.sync(student(1), campus="1110", term="4041")
    terms.close_books()
    terms.sync(student(1, "سارا"), campus="1110", term="4041")
    with pytest.raises(AssertionError, match="looked at"):
        terms.close_books()


def test_where_the_diary_was_cut_off_everything_is_looked_at_once_more(terms: House) -> None:
    terms.sync(student(1), campus="1110", term="4041")
    terms.close_books()
    terms.sync(student(1, "رضا"), campus="1110", term="4042")
    terms.db.execute("DELETE FROM _hamgam_changes")
    terms.sync(student(7), campus="1150", term="4042")
    terms.close_books()
    assert [key for _, key, *_ in notes(terms)] == ["1", "1"]


@pytest.mark.parametrize("persons", [3, 90], ids=["one pass", "asked for one by one"])
def test_few_persons_are_asked_for_and_many_are_found_in_one_pass(terms: House, persons: int) -> None:
    people = [student(n) for n in range(persons)]
    terms.sync(*people, campus="1110", term="4041")
    terms.close_books()
    people[1] = student(1, phone="2", campus="1190")
    terms.sync(*people, campus="1110", term="4041")
    terms.sync(student(1, "رضا"), campus="1120", term="4042")
    terms.close_books()
    assert [raw for *_, raw, _ in notes(terms)] == ["مریم", "رضا"]


def test_an_older_destination_is_looked_at_whole_the_first_time(terms: House) -> None:
    terms.sync(student(1), campus="1110", term="4041")
    terms.sync(student(1, "رضا"), campus="1110", term="4042")
    terms.db.execute("ALTER TABLE _hamgam_streams DROP COLUMN checked_to")
    terms.db.execute("DROP INDEX _hamgam_rejected_kind")
    columns.prepare(terms.db, [terms.stream])
    terms.close_books()
    assert len(notes(terms)) == 2


def test_one_national_code_under_two_ids_is_noted_under_the_personal_field(members: House) -> None:
    code, other = "9991000070", "9991000021"
    members.sync(*({**person(n), "code": code if n < 3 else other} for n in range(1, 4)))
    members.close_books()
    assert notes(members, "two_ids") == [
        ("", "1", "code", code, "end-1"),
        ("", "2", "code", code, "end-1"),
    ]
    members.sync(*({**person(n), "code": code if n < 2 else None} for n in range(1, 3)))
    members.close_books()
    assert notes(members, "two_ids") == []
    assert [key for _, key, *_ in notes(members, "no_code")] == ["2"]


def test_two_people_under_one_number_in_one_part_are_noted_by_the_name_that_was_left(terms: House) -> None:
    terms.sync(
        student(1, "مریم"),
        student(1, "رضا"),
        student(2),
        student(2, "مريم", campus="1110 "),
        campus="1110",
        term="4041",
    )
    [(kept,)] = terms.rows("SELECT firstname FROM student_terms WHERE studentnum = '1'")
    [(_, key, field, raw, _)] = notes(terms)
    assert (key, field) == ("1", "firstname") and {raw, kept} == {"مریم", "رضا"}
    assert notes(terms, "unequal_duplicate") == []


def test_a_campus_that_differs_from_the_one_asked_is_kept_and_noted(terms: House) -> None:
    terms.sync(student(1), student(2, campus="1120"), student(3, campus=None), campus="1110", term="4041")  # type: ignore[arg-type]
    assert notes(terms, "other_campus") == [("campus=1110,term=4041", "2", "code_Markaz", "1120", "run-1")]
    assert terms.rows("SELECT \"code_Markaz\" FROM student_terms WHERE studentnum = '2'") == [("1120",)]


@pytest.mark.parametrize("full", [False, True])
def test_a_note_that_is_said_again_keeps_the_run_that_said_it_first(terms: House, full: bool) -> None:
    terms.sync(student(1, campus="1120"), student(2), campus="1110", term="4041")
    terms.sync(
        student(1, campus="1120", phone="1"), student(2, campus="1130"), campus="1110", term="4041", full=full
    )
    assert [(key, run) for _, key, _, _, run in notes(terms, "other_campus")] == [
        ("1", "run-1"),
        ("2", "run-2"),
    ]
