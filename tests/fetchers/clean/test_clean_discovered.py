"""Fields that nobody declared: whatever JSON says is kept as text, and rejects no record."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchers.core.clean import Discovered, Integer, Text, compile_row, rules_version
from fetchers.core.fetcher import Label

L = Label("x", "x")
FIELD = Discovered(L)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, (None, None)),
        (" علي ", ("علی", None)),
        ("-", (None, None)),
        (12, ("12", None)),
        (True, ("true", None)),
        (0.5, ("0.5", None)),
        ([], ("[]", None)),
        ({"b": 1, "a": ["ك", None]}, ('{"a":["ك",null],"b":1}', None)),
        (["\ud83d", "a\x00b"], ('["?","a\\u0000b"]', "surrogate")),
        (["x" * 5000], (json.dumps(["x" * 5000])[:4000], "too_long")),
        pytest.param(10**5000, (None, "too_long"), id="digits"),
    ],
)
def test_a_value_is_kept_as_text(value, stored):
    assert FIELD.clean(value) == stored


def test_brackets_without_end_are_left_out():
    deep = value = []
    for _ in range(100_000):
        value.append([])
        value = value[0]
    assert FIELD.clean(deep) == (None, "too_long")
    while deep:  # taken apart by hand: Python itself would recurse
        deep = deep.pop()


def test_it_is_personal_until_somebody_declares_it():
    assert FIELD.personal
    assert rules_version({"x": FIELD}) != rules_version({"x": Text(L)})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=3), some, max_size=3),
)


@given(st.lists(st.tuples(JSON, JSON), max_size=5))
def test_a_row_with_lists_and_objects_is_read_like_any_other(pairs):
    cleaner = compile_row({"id": Integer(L), "name": Text(L), "extra": FIELD}, ("id",))
    for place, (name, extra) in enumerate(pairs):
        rows, odd, rejects = cleaner.clean([{"id": place, "name": name, "extra": extra}])
        if rejects:
            assert rejects[0].field == "name"
            assert isinstance(name, bool | float | list | dict)
            continue
        values, flags = rows[0], odd.get(0, ())
        assert values[2] == FIELD.clean(extra).value
        assert [flag.reason for flag in flags if flag.column == "extra"] == [
            word for word in (FIELD.clean(extra).flag,) if word
        ]
        if values[2] is not None:
            values[2].encode()
