"""The order of the Persian alphabet, the same in Python and in a database."""

import random

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchers.core.clean.alphabet import ALPHABET, FROM, LAST, LONGEST, TO, order_key, order_of

IN_ORDER = [
    "۱۲ بهمن", "آرش", "آزاد", "ابراهیمی", "احمدی", "ایمانی", "بابک", "پارسا", "ترابی",
    "ثابت", "جعفری", "چمنی", "حسینی", "خسروی", "دانش", "ذاکری", "رضایی", "زارع",
    "ژاله", "سعیدی", "شریفی", "صادقی", "ضیایی", "طالبی", "ظفری", "علی", "علی پور",
    "علیزاده", "غفاری", "فرهادی", "قاسمی", "کریمی", "گلستانی", "لطفی", "محمدی", "نوری",
    "واعظی", "هاشمی", "یزدی", "Smith",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_names_stand_in_the_order_of_the_alphabet(seed: int) -> None:
    mixed = random.Random(seed).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(mixed, key=order_key) == IN_ORDER
    assert sorted(mixed) != IN_ORDER  # code points put the Persian letters elsewhere


def test_every_letter_has_its_place() -> None:
    assert sorted(ALPHABET, key=order_key) == list(ALPHABET)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("كريمي", "کریمی"),
        ("مؤمنی", "مومنی"),
        ("رئیسی", "رییسی"),
        ("فاطمة", "فاطمه"),
        ("۱۲", "12"),
        ("علی‌پور", "علی پور"),
        ("مُحَمَّد", "محمد"),
        ("أحمد", "احمد"),
        ("SMITH", "smith"),
        ("عبدالله‌-زاده", "عبدالله  زاده"),
    ],
)
def test_what_is_written_in_two_ways_has_one_place(one: str, other: str) -> None:
    assert order_key(one) == order_key(other)


def test_who_has_no_name_comes_last_and_the_first_column_counts_first() -> None:
    people = [("علی", "زارع"), (None, "آرش"), ("علی", None), ("علی پور", "آرش"), ("-", "بابک")]
    assert sorted(people, key=order_of) == [
        ("علی", "زارع"), ("علی", None), ("علی پور", "آرش"), (None, "آرش"), ("-", "بابک"),
    ]  # fmt: skip
    assert order_of(["Zoë"]) < order_of(["日本"]) < order_of([None]) == LAST


@pytest.mark.postgres
def test_postgresql_s_translate_makes_the_same_key(postgres_server: str) -> None:
    asked = "SELECT trim(translate(left(%s, %s), %s, %s))"
    with psycopg.connect(postgres_server) as server:

        @given(text=st.text(st.sampled_from(FROM) | st.characters(exclude_characters="\x00", codec="utf-8")))
        def same(text: str) -> None:
            assert server.execute(asked, (text, LONGEST, FROM, TO)).fetchone() == (order_key(text),)

        same()
