"""Records as bad as JSON can say: stored by rule or left out with a reason, never a crash, never a wrong count."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetchers.core.clean.flags import FLAGS, REJECTS
from fetchers.core.errors import NotJson, SchemaError
from fetchers.faculty import Faculty
from fetchers.students import Students
from tests.fetchers.core.conftest import PEOPLE, House, person

FACULTY = Faculty.streams()[0]
STUDENTS = Students.streams()[0]


def spoiled(**changes: str) -> bytes:
    """A person with some values as raw JSON text."""
    cells = {"id": "1", "name": '"مریم"', "city": '"تهران"', **changes}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in cells.items()) + "}").encode()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (spoiled(name="1.5"), "wrong_type"),
        (spoiled(name="1e10"), "wrong_type"),
        (spoiled(name="true"), "wrong_type"),
        (spoiled(name="[]"), "wrong_type"),
        (spoiled(name='{"a":1}'), "wrong_type"),
        (spoiled(id="null"), "no_key"),
        (spoiled(id='""'), "no_key"),
        (spoiled(id='"²"'), "bad_key"),
        (spoiled(id="9" * 40), "wrong_type"),
        (spoiled(id=str(2**63)), "bad_key"),
        (spoiled(id="1.0"), "wrong_type"),
        (spoiled(id="true"), "wrong_type"),
        (b"12", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"[1]", "not_an_object"),
    ],
)
def test_a_record_that_cannot_be_kept_is_left_out_with_its_reason(
    people: House, record: bytes, reason: str
) -> None:
    delta = people.sync(person(7), *[person(n) for n in range(100, 140)], record)
    assert (delta.counts.rejected, delta.counts.added) == (1, 41)
    [(found, kept)] = people.rows("SELECT reason, kept FROM _hamgam_rejected")
    assert (found in (reason, "wrong_type", "bad_key"), kept) == (True, 0)
    assert found == reason
    assert people.sync(person(7), *[person(n) for n in range(100, 140)], record).same


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (r'"a\u0000b"', "ab"),
        (r'"\ud83d"', "\ufffd"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\u202eabc"', "abc"),
        ('"=HYPERLINK(1)"', "=HYPERLINK(1)"),
        ('"<script>x</script>y"', None),
        ('"&amp;amp;"', "&amp;"),
        ('"NULL"', None),
        ('"-"', None),
        ("12", "12"),
        (str(2**64 - 1), str(2**64 - 1)),
        ("-0", "0"),
    ],
)
def test_an_odd_value_is_stored_by_rule(people: House, value: str, stored: str | None) -> None:
    people.sync(spoiled(name=value))
    [(found,)] = people.rows("SELECT name FROM people")
    if stored is not None or value in ('"NULL"', '"-"'):
        assert found == stored
    else:
        assert "<" not in str(found)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "01", "+1", "0x1"])
def test_a_record_that_is_no_json_fails_its_part(people: House, number: str) -> None:
    try:
        delta = people.compare(person(7), spoiled(id=number))
    except NotJson:
        return
    assert delta.counts.rejected == 1


def test_a_name_twice_in_one_record_is_flagged(people: House) -> None:
    people.sync(b'{"id":1,"name":"a","name":"b","city":null}', b'{"id":2,"name":"a","name":"a","city":null}')
    assert people.rows("SELECT key, field, reason FROM _hamgam_rejected") == [("1", "name", "double_key")]


def test_half_a_letter_in_a_name_that_comes_twice_is_no_trouble(people: House) -> None:
    people.sync(b'{"id":1,"name":"a","city":null,"\\ud83d":1,"\\ud83d":2}', person(2))
    assert people.rows("SELECT count(*) FROM people") == [(2,)]


def test_a_note_about_a_duplicate_goes_when_it_becomes_the_row(people: House) -> None:
    one, other = person(1, "الف"), person(1, "ب")
    people.sync(one, other)
    assert people.rows("SELECT reason FROM _hamgam_rejected") == [("unequal_duplicate",)]
    [(stays,)] = people.rows("SELECT name FROM people")
    people.sync(other if stays == "الف" else one)
    assert people.rows("SELECT reason FROM _hamgam_rejected") == []


@pytest.mark.parametrize("answer", [{"items": [1, 2]}, {"message": "خطا", "code": 12}, {"id2": 5}])
def test_an_error_that_looks_like_one_record_is_no_record(people: House, answer: Any) -> None:
    people.sync(*[person(n) for n in range(30)])
    with pytest.raises(SchemaError):
        people.compare(answer)


def test_every_word_for_an_oddity_has_a_label_in_both_languages() -> None:
    for word in ("differs_from_asked", "unequal_duplicate", "double_key"):
        assert FLAGS[word].fa
        assert FLAGS[word].en
    assert set(REJECTS) & set(FLAGS) == set()


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(["", "-", "NULL", "۱۲", "²", "1403/12/30", "\ud83d", "\x00", "0", "علي ", "9" * 30])
)
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)


def records(names: list[str]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(names) | st.sampled_from([name.upper() for name in names]) | st.text(max_size=4)
    whole = st.fixed_dictionaries(dict.fromkeys(names, scalars))
    return whole | whole | st.dictionaries(keys, values, max_size=8) | values


@pytest.mark.parametrize("stream", [PEOPLE, FACULTY, STUDENTS], ids=lambda stream: stream.name)
def test_nothing_that_json_can_say_breaks_the_books(stream: Any, tmp_path_factory: Any) -> None:
    part = {"campus": "1110", "term": "4051"} if stream.partition_columns else {}
    words = {*FLAGS, *REJECTS}

    @settings(max_examples=60)
    @given(history=st.lists(st.lists(records(list(stream.fields)), max_size=6), min_size=1, max_size=3))
    def hold(history: list[list[Any]]) -> None:
        folder: Path = tmp_path_factory.mktemp("nasty")
        house = House(folder / "a.db", stream, ceiling="4051")
        try:
            for batch in history:
                sent = [json.dumps(record).encode() for record in batch]
                try:
                    delta = house.sync(*sent, **part)
                except (SchemaError, NotJson):
                    continue
                counts = delta.counts
                assert counts.read == len(batch)
                assert counts.read == (
                    counts.added + counts.changed + counts.unchanged + counts.rejected + counts.duplicates
                )
                assert house.rows(f"SELECT count(*) FROM {stream.table}") == [(delta.rows_after,)]
                assert {row[0] for row in house.rows("SELECT DISTINCT reason FROM _hamgam_rejected")} <= words
                assert house.compare(*sent, **part).same
        finally:
            house.db.close()

    hold()
