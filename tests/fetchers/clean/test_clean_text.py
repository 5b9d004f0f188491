"""Persian text: every line of the domain's table, and the properties that hold for any text."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fetchers.core.clean.text import (
    PLACEHOLDERS,
    ZWNJ,
    _fold_any,
    _is_plain,
    ascii_digits,
    clean,
    fold,
    squash,
    tidy,
    unescape_once,
)

# Text made of what goes wrong: Arabic letters, marks, invisible characters, tags, references, blanks.
NASTY = st.text(
    st.sampled_from(
        "يكىےہەة ۀآاأءئؤیکهپعلم\u0654\u0653\u064b\u0640\u200c\u200b\u200f\u202e\u00a0\u2028¬\ufb8e\ufefb"
    )
    | st.sampled_from("<>&;/!-# b\n\t\x00\x1cK\u212a\u0338\u037eaA12۱٢²\ud800\ufffd\uffff.NULnul'\"")
    | st.characters(),
    max_size=40,
) | st.lists(
    st.sampled_from(
        ["<br>", "<b", "</p>", "<!--", "-->", "&amp;", "&#1610;", "&nbsp;", "علي", " ", ZWNJ, "<", ">"]
    ),
    max_size=14,
).map("".join)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("كردستان \u00a0", "کردستان"),
        ("كردستان ", "کردستان"),
        ("علي\u00a0رضا", "علی رضا"),
        (f"آموزش{ZWNJ}ابتدايي", f"آموزش{ZWNJ}ابتدایی"),
        ("&#1593;&#1604;&#1610;", "علی"),
        ("رضا&nbsp;نژاد", "رضا نژاد"),
        ("ادبیات<BR>فارسی", "ادبیات فارسی"),
        ("ادبیات<br />فارسی", "ادبیات فارسی"),
        ("خانۀ", "خانۀ"),
        ("خانه\u0654", "خانه\u0654"),
        ("ﻛﺮﻣﺎن", "کرمان"),
        ("محمـــد", "محمد"),
        ("a\x00b", "ab"),
        ("مسئول", "مسئول"),
        ("مسؤول", "مسؤول"),
        ("مي\u0654", "مئ"),
        ("&amp;amp;", "&amp;"),
        ("&amp;", "&"),
        ("AT&T", "AT&T"),
        ("a&copy=1", "a&copy=1"),
        ("&nosuchthing;", "&nosuchthing;"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("&lt;script&gt;بد&lt;/script&gt;", "بد"),
        ("<<b>b>متن", "متن"),
        ("3 < 5 > 2", "3 < 5 > 2"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("+CMD", "+CMD"),
        ("ab\u202ecd", "abcd"),
        ("الف\u200f\u200e\u2066ب\u2069", "الفب"),
        ("می¬روم", f"می{ZWNJ}روم"),
        (f"می{ZWNJ}{ZWNJ}{ZWNJ}روم", f"می{ZWNJ}روم"),
        (f"{ZWNJ}می {ZWNJ} روم{ZWNJ}", "می روم"),
        ("خط یک\r\n\tخط دو", "خط یک خط دو"),
        ("طبقهٔ ۲²", "طبقهٔ ۲²"),
        ("۱۲ و ٣٤", "۱۲ و ٣٤"),
        ("ہھە", "ههه"),
        ("ىېے", "ییی"),
        ("آ أ ؤ ئ ة ۀ", "آ أ ؤ ئ ة ۀ"),
        ("x\ud83dy", "x\ufffdy"),
        ("0", "0"),
        ("0000000000", "0000000000"),
    ],
)
def test_text_is_stored_clean(written, stored):
    assert clean(written) == stored


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "\u00a0\t",
        "-",
        " - ",
        "--",
        "NULL",
        "null",
        "Null",
        "نامشخص",
        "//",
        ".",
        ZWNJ,
        "\u200f",
        "<br>",
    ],
)
def test_what_says_nothing_is_null_and_folds_to_nothing(written):
    assert clean(written) is None
    assert fold(written) == ""


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("كردستان \u00a0", "کردستان"),
        ("علي\u00a0رضا", "علی رضا"),
        (f"آموزش{ZWNJ}ابتدايي", "اموزش ابتدایی"),
        ("خانۀ", "خانه"),
        ("خانه\u0654", "خانه"),
        ("مدرسة", "مدرسه"),
        ("مسئول", "مسیول"),
        ("مسؤول", "مسوول"),
        ("ﻛﺮﻣﺎن", "کرمان"),
        ("مُحَمَّدٌ", "محمد"),
        ("أحمد إسلام ٱلله", "احمد اسلام الله"),
        ("جزء", "جز"),
        ("خیابان آزادی، پلاک ۱۲/٣", "خیابان ازادی پلاک 12 3"),
        ("AliReza_1", "alireza 1"),
        ("²", "²"),
    ],
)
def test_text_is_folded_for_search(written, folded):
    assert fold(written) == folded


def test_nothing_folds_to_nothing():
    assert fold(None) == "" == squash(None)


def test_one_place_written_in_two_ways_is_equal_only_without_blanks():
    first, second = "سيستان وبلوچستان", "سیستان و بلوچستان"
    assert clean(first) != clean(second)
    assert fold(first) != fold(second)
    assert squash(first) == squash(second)


def test_squash_does_not_invent_a_missing_word():
    assert squash("چهارمحال و بختياري") != squash("چهارمحال بختیاری")


def test_every_placeholder_is_short_enough_to_be_recognised():
    assert {word for word in PLACEHOLDERS if clean(word) is not None} == set()


def test_digits_become_ascii_and_a_square_stays_a_square():
    assert ascii_digits("۰۱۲۳۴۵۶۷۸۹ ٠١٢٣٤٥٦٧٨٩ ²") == "0123456789 0123456789 ²"


def test_tags_nested_a_thousand_deep_end():
    assert "<" not in (clean("<b" * 5000 + ">" * 5000) or "")


@given(NASTY)
@example("<\u212a>")
@example("ا\u200b\u0653")
@example("\ufe71\ufe71")
@example("<b" * 30 + ">" * 30)
def test_cleaning_twice_is_cleaning_once(written):
    once = clean(written)
    assume(once is not None and unescape_once(once) == once)
    assert clean(once) == once


@given(NASTY)
def test_only_a_reference_that_is_left_can_change_a_clean_text(written):
    once = clean(written) or ""
    assert tidy(once) == once


@given(NASTY)
def test_folding_twice_is_folding_once(written):
    once = fold(written)
    assert fold(once) == once


@given(st.text(st.sampled_from("ابپ يكیک\u200c&<;1۱ \u0654a.-"), max_size=12))
def test_the_quick_way_gives_what_the_long_way_gives(written):
    assert (clean(written) or "") in {tidy(unescape_once(written)), ""}
    assert (clean(written) is None) == (tidy(unescape_once(written)).casefold() in PLACEHOLDERS)


def test_every_plain_character_folds_quickly_to_what_it_folds_to_slowly():
    plain = [chr(c) for c in range(0x2010) if _is_plain(chr(c))]
    assert len(plain) > 140
    for c in [*plain, " ", ZWNJ]:
        assert fold(f"الف{c}b {c} ج") == _fold_any(f"الف{c}b {c} ج"), c


@given(NASTY)
def test_clean_text_can_be_stored_anywhere(written):
    stored = clean(written) or ""
    stored.encode()
    assert not any(c in stored for c in "\x00\u202e\u200f\u0640\ufeff\uffff\n\t")
    assert "  " not in stored
    assert stored == stored.strip()
