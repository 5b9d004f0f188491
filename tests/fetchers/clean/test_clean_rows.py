"""Whole records: keys in any case and order, missing ones, unknown ones, rows that cannot be kept."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchers.core.clean import Code, Flag, Integer, JalaliDate, Phone, Reject, Text, compile_row, rows
from fetchers.core.clean.flags import FLAGS, REJECTS
from fetchers.core.fetcher import Label

L = Label("فیلد", "Field")
FIELDS = {
    "studentnum": Code(L),
    "firstname": Text(L),
    "birthdate": JalaliDate(L, birth=True),
    "phonenum": Phone(L),
    "provinceCode": Integer(L),
}
RECORD = {
    "studentnum": "40311234501",
    "firstname": "علي ",
    "birthdate": "1384/5/12",
    "phonenum": "9120000000",
    "provinceCode": 8,
}
STORED = ("40311234501", "علی", "1384/05/12", "09120000000", 8)


class One(NamedTuple):
    """A record as it is stored, and what was odd about it."""

    values: tuple[object, ...] | None
    flags: tuple[Flag, ...]


def one(cleaner, record):
    """One record by itself."""
    rows, flags, rejects = cleaner.clean([record])
    for reject in rejects.values():
        raise reject
    return One(rows[0], tuple(flags.get(0, ())))


@pytest.fixture
def cleaner():
    return compile_row(FIELDS, ("studentnum",))


def refusal(cleaner, record):
    with pytest.raises(Reject) as refused:
        one(cleaner, record)
    assert refused.value.reason in REJECTS
    return refused.value.reason, refused.value.field


def test_a_record_becomes_a_row_in_the_order_of_the_columns(cleaner):
    assert one(cleaner, RECORD) == (STORED, ())
    assert one(cleaner, RECORD) == (STORED, ())


def test_keys_may_come_in_any_order_and_case(cleaner):
    turned = {key.upper(): RECORD[key] for key in reversed(RECORD)}
    assert one(cleaner, turned).values == STORED
    assert (
        one(cleaner, {"StudentNum": "1", **{k: v for k, v in RECORD.items() if k != "studentnum"}}).values[0]
        == "1"
    )


def test_unknown_keys_are_passed_over(cleaner):
    for _ in range(3):
        assert one(cleaner, {"traceId": "x", **RECORD, "غریبه": [1]}).values == STORED


def test_missing_keys_are_null_and_counted(cleaner):
    assert one(cleaner, {"studentnum": 7}).values == ("7", None, None, None, None)
    assert one(cleaner, {"studentnum": 8, "phonenum": None}).values == ("8", None, None, None, None)
    assert cleaner.missing == {"firstname": 2, "birthdate": 2, "phonenum": 1, "provinceCode": 2}


def test_two_keys_that_differ_by_case_are_flagged_only_if_their_values_do(cleaner):
    row = one(cleaner, {"FirstName": "رضا", **RECORD})
    assert row.values == STORED
    assert row.flags == (("firstname", "double_key", "رضا"),)
    assert one(cleaner, {"FirstName": "علي ", **RECORD}) == (STORED, ())


def test_oddities_are_reported_with_the_value_as_it_came_each_time(cleaner):
    odd = {**RECORD, "birthdate": "1300/01/01", "phonenum": "۱۲۳"}
    for _ in range(2):
        row = one(cleaner, odd)
        assert row.values[2:4] == (None, "123")
        assert row.flags == (
            ("birthdate", "placeholder_date", "1300/01/01"),
            ("phonenum", "bad_phone", "۱۲۳"),
        )
        assert {flag.reason for flag in row.flags} <= set(FLAGS)
    assert one(cleaner, RECORD).flags == ()


def test_a_row_without_its_key_is_rejected_and_says_why(cleaner):
    assert refusal(cleaner, {**RECORD, "studentnum": None}) == ("no_key", "studentnum")
    assert refusal(cleaner, {**RECORD, "studentnum": " - "}) == ("no_key", "studentnum")
    assert refusal(cleaner, {"firstname": "علی"}) == ("no_key", "studentnum")
    assert refusal(cleaner, {**RECORD, "studentnum": "²"}) == ("bad_key", "studentnum")


@pytest.mark.parametrize("value", [True, 1.5, [1], {"a": 1}], ids=repr)
def test_a_value_that_is_no_text_rejects_the_row_and_names_the_field(cleaner, value):
    assert refusal(cleaner, {**RECORD, "firstname": value}) == ("wrong_type", "firstname")


def test_a_rejected_row_leaves_no_flags_for_the_next_one(cleaner):
    for spoilt in ({"studentnum": None}, {"phonenum": [1]}, {"phonenum": True}):
        refusal(cleaner, {**RECORD, "birthdate": "bad", **spoilt})
        assert one(cleaner, RECORD) == (STORED, ())


@pytest.mark.parametrize("record", [None, [], "x", 5, [RECORD]], ids=repr)
def test_what_is_no_object_is_no_record(cleaner, record):
    assert refusal(cleaner, record) == ("not_an_object", None)


def test_true_and_one_and_the_text_one_are_never_taken_for_one_another(cleaner):
    for value in ("1", 1, "1"):
        assert one(cleaner, {**RECORD, "studentnum": value, "provinceCode": value}).values[0::4] == ("1", 1)
        for other in (True, 1.0):
            assert refusal(cleaner, {**RECORD, "studentnum": other}) == ("wrong_type", "studentnum")
            assert refusal(cleaner, {**RECORD, "provinceCode": other}) == ("wrong_type", "provinceCode")


def test_one_column_alone_is_a_row_too():
    cleaner = compile_row({"id": Integer(L)}, ("id",))
    assert one(cleaner, {"id": 5}).values == (5,)
    assert one(cleaner, {"x": 0, "ID": "5"}).values == (5,)
    assert refusal(cleaner, {"x": 0}) == ("no_key", "id")


def test_memories_are_bounded(monkeypatch):
    monkeypatch.setattr(rows, "REMEMBERED_VALUES", 10)
    monkeypatch.setattr(rows, "REMEMBERED_LAYOUTS", 4)
    cleaner = compile_row(FIELDS, ("studentnum",))
    for n in range(100):
        assert one(cleaner, {**RECORD, "studentnum": str(n), f"extra{n}": 1}).values == (str(n), *STORED[1:])
    assert (
        one(cleaner, {"studentnum": None, "firstname": None, "provinceCode": 1} | {"studentnum": "1"}).values[
            1
        ]
        is None
    )
    assert max(len(column._known) for column in cleaner._cleaners) <= 12
    assert len(cleaner._layouts) <= 4


def test_long_values_are_not_remembered(cleaner):
    long = "خیابان " * 100
    one(cleaner, {**RECORD, "firstname": long})
    assert not any(long in column._known for column in cleaner._cleaners)


def test_the_raw_value_of_a_flag_can_be_stored_in_any_database(cleaner):
    row = one(cleaner, {**RECORD, "birthdate": "\ud83d\x00" * 500})
    raw = row.flags[0].raw
    assert len(raw) <= 200
    assert raw.encode()
    assert "\x00" not in raw


VALUE = (
    st.none()
    | st.integers()
    | st.booleans()
    | st.floats()
    | st.text(max_size=12)
    | st.lists(st.integers(), max_size=1)
)


@given(st.lists(st.dictionaries(st.sampled_from([*FIELDS, "Firstname", "x"]), VALUE), max_size=6))
def test_the_quick_way_gives_what_each_field_gives_alone(records):
    cleaner = compile_row(FIELDS)
    for record in [*records, *records]:
        try:
            values, flags = one(cleaner, record)
        except Reject as refused:
            wrong = record.get(refused.field, record.get("Firstname"))
            assert type(wrong) in {bool, float, list}
            continue
        for column, value in zip(FIELDS, values, strict=True):
            raw = record.get(column, record.get("Firstname") if column == "firstname" else None)
            assert (value, flag_of(flags, column)) == FIELDS[column].clean(raw)


@given(st.lists(st.dictionaries(st.sampled_from([*FIELDS, "Firstname", "x"]), VALUE), max_size=12), st.data())
def test_many_records_at_once_are_cleaned_like_each_alone(records, data):
    """Whatever was cleaned before, however full the memory is, and whoever stands beside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "REMEMBERED_VALUES", data.draw(st.sampled_from([1, 4, 8192])))
        cleaner = compile_row(FIELDS, ("studentnum",))
        for _ in range(3):
            batch = data.draw(st.permutations([*records, None, "text"]))
            found = cleaner.clean(batch, ("1110",))
            for place, record in enumerate(batch):
                alone, flags, rejects = compile_row(FIELDS, ("studentnum",)).clean([record])
                assert found.rows[place] == (None if alone[0] is None else ("1110", *alone[0]))
                assert found.flags.get(place) == flags.get(0)
                assert str(found.rejects.get(place)) == str(rejects.get(0))


def test_values_that_hardly_come_twice_are_not_remembered(monkeypatch):
    monkeypatch.setattr(rows, "REMEMBERED_VALUES", 100)
    cleaner = compile_row(FIELDS)
    for page in range(10):
        numbers = range(page * 50, page * 50 + 50)
        batch = [{**RECORD, "studentnum": str(number), "phonenum": None} for number in numbers]
        assert cleaner.clean(batch).rows == [(str(number), *STORED[1:3], None, 8) for number in numbers]
    remembered = {
        column: len(memory._known) for column, memory in zip(FIELDS, cleaner._cleaners, strict=True)
    }
    assert remembered["studentnum"] <= 1 < remembered["firstname"]


def flag_of(flags, column):
    """The flag that cleaning itself raised."""
    return next(
        (flag.reason for flag in flags if flag.column == column and flag.reason != "double_key"), None
    )
