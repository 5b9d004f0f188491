"""Provinces by any spelling, and never by half a name."""

import pytest

from fetchers.core.clean import Province
from fetchers.core.clean.places import ALIASES, PROVINCES, province
from fetchers.core.clean.text import squash
from fetchers.core.fetcher import Label

PLACE = Province(Label("استان", "Province"))


def test_there_are_31_provinces_in_the_order_of_their_codes():
    assert len(set(PROVINCES)) == 31
    assert PROVINCES[4 - 1] == "اصفهان"
    assert PROVINCES[8 - 1] == "تهران"


@pytest.mark.parametrize("name", PROVINCES)
def test_each_province_is_itself_also_in_arabic_letters_and_without_blanks(name):
    for spelling in (name, f" {name}\u00a0", name.replace("ی", "ي").replace("ک", "ك"), name.replace(" ", "")):
        assert PLACE.clean(spelling) == (name, None)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("سيستان وبلوچستان", "سیستان و بلوچستان"),
        ("چهارمحال بختياري", "چهارمحال و بختیاری"),
        ("چهارمحال و بختياري", "چهارمحال و بختیاری"),
        ("كهگيلويه وبويراحمد", "کهگیلویه و بویراحمد"),
        ("آذربايجان شرقي", "آذربایجان شرقی"),
        ("اذربایجان\u200cغربی", "آذربایجان غربی"),
        ("كردستان ", "کردستان"),
        ("كرمانشاه", "کرمانشاه"),
        ("كرمان", "کرمان"),
        ("استان تهران", "تهران"),
        ("دانشگاه فرهنگیان استان كرمانشاه", "کرمانشاه"),
        ("دانشگاه فرهنگیان استان كرمان", "کرمان"),
        ("دانشگاه فرهنگیان استان سيستان وبلوچستان", "سیستان و بلوچستان"),
    ],
)
def test_spellings_that_occur_are_known(written, known):
    assert PLACE.clean(written) == (known, None)


@pytest.mark.parametrize(
    "written",
    [
        "کرمانشا",
        "شاه",
        "خراسان",
        "تهران بزرگ",
        "دانشگاه فرهنگیان",
        "استان",
        "پردیس کرمان",
        "8",
        "استان تهران شمال",
    ],
)
def test_what_names_no_province_is_null_with_a_flag(written):
    assert PLACE.clean(written) == (None, "unknown_province")


def test_an_empty_province_is_no_oddity():
    assert [PLACE.clean(v) for v in (None, "", "-", "نامشخص")] == [(None, None)] * 4


def test_every_alias_is_needed_and_leads_to_a_province():
    for alias, known in ALIASES.items():
        assert squash(alias) != squash(known)
        assert province(alias) == known in PROVINCES
