"""A part, read twice: what counts as a change, what the books say, what stays when something is wrong."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fetchers.core.errors import Fenced, SchemaError
from fetchers.core.store.ledger import raise_fence
from tests.fetchers.core.conftest import PEOPLE, House, person


def adds_up(delta):
    counts = delta.counts
    return counts.read == (
        counts.added + counts.changed + counts.unchanged + counts.rejected + counts.duplicates
    )


def test_a_first_load_adds_every_row_and_writes_one_diary_line(people):
    delta = people.sync(person(1), person(2))
    assert (delta.counts.added, delta.counts.read) == (2, 2)
    assert people.rows("SELECT id, name FROM people ORDER BY id") == [(1, "مریم"), (2, "مریم")]
    assert people.rows("SELECT kind, key, after FROM _hamgam_changes") == [("loaded", None, '{"rows":2}')]


def test_the_same_bytes_again_are_not_even_parsed(people):
    people.sync(person(1), person(2))
    delta = people.sync(person(1), person(2))
    assert delta.same
    assert (delta.counts.unchanged, delta.counts.added, delta.counts.changed) == (2, 0, 0)


@pytest.mark.parametrize(
    "again",
    [
        {"city": "تهران", "name": "مریم", "id": 1},
        {"id": 1, "name": " مريم ", "city": "تهران\u200f"},
        {"id": "1", "name": "مریم", "city": "تهران"},
        {"ID": 1, "Name": "مریم", "CITY": "تهران"},
    ],
    ids=["key order", "letters and padding", "type", "key case"],
)
def test_another_dress_is_no_change(people, again):
    people.sync(person(1), person(2))
    delta = people.sync(again, person(2))
    assert not delta.same
    assert (delta.counts.unchanged, delta.counts.changed, delta.counts.gone) == (2, 0, 0)
    # And once read, the new dress is known too.
    assert people.sync(again, person(2)).same


def test_the_diary_names_each_change_field_by_field(people):
    people.sync(person(1), person(2, "رضا"), person(3))
    delta = people.sync(person(1), person(2, "علی"), person(4))
    assert (delta.counts.added, delta.counts.changed, delta.counts.gone) == (1, 1, 1)
    lines = people.rows(
        "SELECT kind, key, before, after FROM _hamgam_changes WHERE run = 'run-2' ORDER BY id"
    )
    assert [(kind, key) for kind, key, _, _ in lines] == [("added", "4"), ("changed", "2"), ("gone", "3")]
    assert json.loads(lines[1][2]) == {"name": "رضا"}
    assert json.loads(lines[1][3]) == {"name": "علی"}
    assert json.loads(lines[2][2]) == {"id": 3, "name": "مریم", "city": "تهران"}
    assert people.rows("SELECT id FROM people ORDER BY id") == [(1,), (2,), (4,)]


def test_a_row_without_a_key_is_left_out_with_its_reason(people):
    delta = people.sync(
        person(1), *[person(n) for n in range(10, 40)], {"id": None, "name": "سارا", "city": None}
    )
    assert delta.counts.rejected == 1
    assert adds_up(delta)
    assert people.rows("SELECT reason, kept FROM _hamgam_rejected") == [("no_key", 0)]


def test_a_note_goes_when_its_record_does(people):
    people.sync(*[person(n) for n in range(30)], {"id": None, "name": "سارا", "city": None})
    people.sync(*[person(n) for n in range(31)])
    assert people.rows("SELECT reason FROM _hamgam_rejected") == []


def test_equal_doubles_count_as_duplicates_and_stay_one_row(people):
    delta = people.sync(person(1), person(1), {"name": "مريم", "id": 1, "city": "تهران "})
    assert (delta.counts.added, delta.counts.duplicates) == (1, 2)
    assert people.sync(person(1), person(1), person(2)).counts.duplicates == 1
    assert people.rows("SELECT count(*) FROM people") == [(2,)]


def test_unequal_doubles_give_the_same_row_whatever_their_order(people, tmp_path):
    people.sync(person(1, "الف"), person(1, "ب"))
    other = House(tmp_path / "other.db", PEOPLE)
    other.sync(person(1, "ب"), person(1, "الف"))
    assert people.rows("SELECT * FROM people") == other.rows("SELECT * FROM people")
    other.db.close()


def test_a_duplicate_takes_the_place_of_the_one_that_left(people):
    people.sync(person(1, "الف"), person(1, "ب"))
    [(stays,)] = people.rows("SELECT name FROM people")
    delta = people.sync(person(1, "ب" if stays == "الف" else "الف"))
    assert (delta.counts.changed, delta.counts.gone, delta.counts.duplicates) == (1, 0, 0)


def test_an_old_epoch_publishes_nothing(people):
    people.sync(person(1))
    raise_fence(people.url, 5)
    with pytest.raises(Fenced):
        people.publish(people.compare(person(2)), epoch=4)
    assert people.rows("SELECT id FROM people") == [(1,)]
    people.publish(people.compare(person(2)), epoch=5)
    assert people.rows("SELECT id FROM people") == [(2,)]


def test_a_renamed_field_refuses_the_part(people):
    people.sync(person(1), person(2))
    renamed = [{"id": n, "full_name": "مریم", "city": "تهران"} for n in (1, 2)]
    with pytest.raises(SchemaError) as caught:
        people.compare(*renamed)
    assert caught.value.params["fields"] == ["name"]
    assert people.rows("SELECT count(*) FROM people WHERE name IS NOT NULL") == [(2,)]


def test_a_field_renamed_in_mid_part_refuses_it_on_a_first_load_too(people):
    mixed = [person(n) if n < 20 else {"id": n, "full_name": "مریم", "city": "تهران"} for n in range(40)]
    with pytest.raises(SchemaError):
        people.compare(*mixed)


def test_an_extra_field_alone_is_no_trouble(people):
    delta = people.sync(*[{**person(n), "extra": 1} for n in range(30)])
    assert delta.counts.added == 30


def test_many_rows_without_their_key_refuse_the_part(people):
    with pytest.raises(SchemaError):
        people.compare(*[{"name": "مریم", "city": "تهران"} for _ in range(30)])


def test_a_full_comparison_mends_a_row_that_somebody_changed_by_hand(people):
    people.sync(person(1), person(2))
    people.db.execute("UPDATE people SET name = 'دست‌خورده' WHERE id = 1")
    assert people.sync(person(1), person(2)).same
    delta = people.sync(person(1), person(2), full=True)
    assert (delta.counts.changed, delta.counts.unchanged) == (1, 1)
    assert people.rows("SELECT name FROM people WHERE id = 1") == [("مریم",)]


def test_rows_of_another_part_are_not_touched(students):
    row = {"studentnum": "40311234501", "firstname": "سارا", "code_Markaz": "1110", "term": "4041"}
    students.sync(row, campus="1110", term="4041")
    students.sync({**row, "code_Markaz": "1210"}, campus="1210", term="4041")
    delta = students.sync(campus="1110", term="4041")
    assert delta.counts.gone == 1
    assert students.rows('SELECT "codePardis" FROM student_terms') == [("1210",)]


def test_what_was_asked_for_stands_in_the_key_whatever_the_record_says(students):
    row = {"studentnum": "40311234501", "firstname": "سارا", "code_Markaz": "1110", "term": "4033"}
    students.sync(row, campus="1110", term="4041")
    assert students.rows('SELECT "codePardis", term FROM student_terms') == [("1110", "4041")]
    assert students.rows("SELECT field, reason, kept, raw FROM _hamgam_rejected") == [
        ("term", "differs_from_asked", 1, "4033")
    ]


def student(number="40311234501", name="سارا", markaz="1110", term="4041"):
    return {"studentnum": number, "firstname": name, "code_Markaz": markaz, "term": term}


def newest(students):
    return students.rows('SELECT "codePardis", term, firstname FROM "Students" ORDER BY studentnum')


def test_the_newest_term_that_has_begun_is_a_students_row(students):
    students.sync(student(name="نو", term="4051"), campus="1110", term="4051")
    students.sync(student(name="کهنه", term="4041"), campus="1110", term="4041")
    students.sync(student(name="آینده", term="4052"), campus="1110", term="4052")
    assert newest(students) == [("1110", "4051", "نو")]


def test_in_one_term_the_campus_that_the_row_names_goes_first(students):
    students.sync(student(markaz="1210"), campus="1110", term="4041")
    assert newest(students) == [("1110", "4041", "سارا")]
    students.sync(student(markaz="1210"), campus="1210", term="4041")
    assert newest(students) == [("1210", "4041", "سارا")]
    # And when it no longer names itself, the smaller code wins again.
    students.sync(student(markaz="9999"), campus="1210", term="4041")
    assert newest(students) == [("1110", "4041", "سارا")]


def test_a_students_row_goes_with_the_last_of_the_terms(students):
    students.sync(student(name="نو", term="4051"), campus="1110", term="4051")
    students.sync(student(name="کهنه"), campus="1110", term="4041")
    students.sync(campus="1110", term="4051")
    assert newest(students) == [("1110", "4041", "کهنه")]
    assert students.rows("SELECT folded FROM _hamgam_search") == [("کهنه",)]
    students.sync(campus="1110", term="4041")
    assert newest(students) == []
    assert students.rows("SELECT folded FROM _hamgam_search") == []


ids = st.integers(0, 12)
rosters = st.lists(st.builds(person, ids, st.sampled_from(["مریم", "رضا", "سارا ", "علي"])), max_size=25)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(rosters, min_size=1, max_size=5))
def test_whatever_comes_the_table_is_what_a_fresh_load_would_be_and_counts_add_up(tmp_path_factory, history):
    folder = tmp_path_factory.mktemp("history")
    house, fresh = House(folder / "a.db", PEOPLE), House(folder / "b.db", PEOPLE)
    before = set()
    for roster in history:
        delta = house.sync(*roster)
        now = set(house.rows("SELECT * FROM people"))
        assert adds_up(delta)
        keys_before, keys_now = {row[0] for row in before}, {row[0] for row in now}
        assert delta.counts.added == len(keys_now - keys_before)
        assert delta.counts.gone == len(keys_before - keys_now)
        assert delta.counts.changed == len([row for row in now - before if row[0] in keys_before])
        before = now
    fresh.sync(*history[-1])
    assert house.rows("SELECT * FROM people ORDER BY id") == fresh.rows("SELECT * FROM people ORDER BY id")
    assert house.rows("SELECT * FROM _hamgam_search") == fresh.rows("SELECT * FROM _hamgam_search")
    house.db.close()
    fresh.db.close()
