"""What all field types share: idempotence, refusals, the memory, the version of the rules."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fetchers.core.clean import (
    Code,
    Email,
    Field,
    Integer,
    JalaliDate,
    NationalCode,
    Phone,
    Province,
    Reject,
    Text,
    fields,
    rules_version,
)
from fetchers.core.clean.flags import FLAGS, REJECTS
from fetchers.core.clean.places import PROVINCES
from fetchers.core.clean.text import unescape_once
from fetchers.core.fetcher import Label

L = Label("فیلد", "Field")
ALL = [
    Text(L),
    Text(L, max_length=5),
    Code(L),
    Code(L, zero_is_empty=True),
    Integer(L),
    Phone(L),
    Email(L),
    NationalCode(L),
    JalaliDate(L),
    JalaliDate(L, birth=True),
    Province(L),
]
VALUES = (
    st.none()
    | st.integers(-(10**12), 10**45)
    | st.text(max_size=30)
    | st.text(st.sampled_from("0123456789۰۹٠٩+-/. @aZ²يكی\u200c\u200e&;<>#\u0654T:"), max_size=22)
    | st.sampled_from(
        [*PROVINCES, "NULL", "-", "//", "+98 912 000 0000", "A@B.invalid", "1402/7/1", "İ@Σ", "12345679"]
    )
)


@pytest.mark.parametrize("field", ALL, ids=repr)
@given(value=VALUES)
def test_cleaning_twice_is_cleaning_once_for_every_type(field, value):
    once = field.clean(value).value
    assume(not isinstance(once, str) or unescape_once(once) == once)
    assert field.clean(once).value == once


@pytest.mark.parametrize("field", ALL, ids=repr)
@given(value=VALUES)
def test_what_is_stored_fits_the_column_and_every_flag_has_words(field, value):
    stored, flag = field.clean(value)
    assert stored is None or type(stored) is (int if field.sql_type == "INTEGER" else str)
    assert flag is None or flag in FLAGS


@pytest.mark.parametrize("field", ALL, ids=repr)
@pytest.mark.parametrize("value", [1.5, 1e10, True, False, [1], {"a": 1}, float("nan")], ids=repr)
def test_what_is_no_text_is_refused_with_the_reason(field, value):
    with pytest.raises(Reject) as refused:
        field.clean(value)
    assert refused.value.reason == "wrong_type"
    assert refused.value.reason in REJECTS


def test_a_whole_number_of_five_thousand_digits_is_refused_and_nothing_breaks():
    with pytest.raises(Reject):
        Text(L).clean(10**5000)


def test_numbers_in_text_fields_are_text():
    assert Text(L).clean(5) == ("5", None)


def test_long_text_is_cut_with_a_flag():
    assert Text(L, max_length=5).clean("سلام دنیا") == ("سلام", "too_long")
    stored, flag = Text(L).clean("خیابان " * 1500)
    assert (len(stored), flag) == (4000, "too_long")


def test_a_value_of_ten_megabytes_is_cut_before_it_is_cleaned():
    stored, flag = Text(L).clean("x" * 10_000_000)
    assert (len(stored), flag) == (4000, "too_long")
    assert Text(L).clean(" " * 10_000_000 + "x") == (None, "too_long")


def test_half_a_character_is_replaced_and_flagged():
    assert Text(L).clean("علی \ud83d") == ("علی \ufffd", "surrogate")


def test_the_version_changes_with_types_and_options_and_not_with_labels():
    base = rules_version({"a": Text(L), "b": Code(L)})
    assert rules_version({"b": Code(Label("ب", "B"), personal=True), "a": Text(L)}) == base
    changed = [
        {"a": Text(L, max_length=10), "b": Code(L)},
        {"a": Text(L), "b": Code(L, zero_is_empty=True)},
        {"a": Text(L), "b": Phone(L)},
        {"a": Text(L), "c": Code(L)},
        {"a": Text(L)},
    ]
    assert len({base, *map(rules_version, changed)}) == 6


def test_the_version_changes_with_the_rules(monkeypatch):
    base = rules_version({"a": Text(L)})
    monkeypatch.setattr(fields, "CLEAN_RULES", fields.CLEAN_RULES + 1)
    assert rules_version({"a": Text(L)}) != base


def test_the_version_is_the_same_in_another_process():
    root = Path(fields.__file__).parents[3]
    code = (
        "from fetchers.core.clean import Text, rules_version\n"
        "from fetchers.core.fetcher import Label\n"
        "print(rules_version({'a': Text(Label('', ''))}))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == rules_version({"a": Text(L)})


def test_every_flag_and_reason_has_a_text_in_both_languages():
    for words in (FLAGS, REJECTS):
        assert all(label.fa and label.en and label.fa != label.en for label in words.values())


LOOKED_AT = [
    Text(L), Text(L, max_length=9), Text(L, max_length=2), Code(L), Code(L, zero_is_empty=True),
    Phone(L), Email(L), JalaliDate(L), JalaliDate(L, birth=True), Integer(L), Province(L),
    NationalCode(L),
]  # fmt: skip
TEMPTING = [
    "نامشخص", "نامشخصـ", "خیابان آزادی", "خیابان ازادي", "خیابان  آزادی", " خیابان آزادی", "خیابان آزادی\n", "a" * 9,
    "a" * 10, "&amp;amp;a", "0", "00", "012", "1" * 64, "1" * 65, "۱۲۳", "09120000000", "09120000000\n", "9120000000",
    "a@b.ir", "A@b.ir", "a@b.", "@b.ir", "1402/07/01", "1300/01/01", "1399/12/30", "1400/12/30", "1402/02/31",
    "1402/00/10", "1250/01/01", "1500/01/01", "1402/7/1", "--", "null", "NULL", "۱۴۰۲/۰۷/۰۱", "علی\u200cرضا نیا",
]  # fmt: skip


def glance(field: Field, texts: list[str]) -> dict[str, str]:
    """What a first glance makes of these texts, where it is enough."""
    look = field.usual()
    if look is None:
        return {}
    lines, odd = look(texts)
    return {text: line for text, line in zip(texts, lines, strict=True) if line not in odd}


@pytest.mark.parametrize("field", LOOKED_AT, ids=str)
def test_what_needs_one_glance_is_what_cleaning_makes_of_it(field: Field) -> None:
    for texts in (TEMPTING, [text for text in TEMPTING if "\n" not in text], *([text] for text in TEMPTING)):
        enough = glance(field, texts)
        assert {text: field.clean_text(text) for text in enough} == {
            text: (line, None) for text, line in enough.items()
        }


@given(st.lists(st.text(alphabet="01239 /aبيک@.-\n", max_size=20)), st.sampled_from(LOOKED_AT))
def test_whatever_needs_one_glance_is_cleaned_by_it(texts: list[str], field: Field) -> None:
    for text, line in glance(field, texts).items():
        assert field.clean_text(text) == (line, None)


def test_the_usual_values_need_one_glance() -> None:
    usual = {
        Text(L): ["خیابان آزادی، پلاک 12", " خيابان آزادي "], Code(L): ["0012", "7"],
        Code(L, zero_is_empty=True): ["1110"], Phone(L): ["09121234567"], Email(L): ["a.b@cfu.ac.ir"],
        JalaliDate(L, birth=True): ["1384/05/12"],
    }  # fmt: skip
    for field, texts in usual.items():
        assert set(glance(field, texts)) == set(texts)
        assert set(glance(field, ["?\u200f", *texts, ""])) == set(texts)
