"""The 31 provinces, by whatever spelling upstream uses.

Compared whole, without blanks (`squash`), never by a part of the name: «کرمان» is inside «کرمانشاه».
"""

from functools import lru_cache

from fetchers.core.clean.text import fold, squash

# In the order of their codes, 1..31, which is alphabetical.
PROVINCES = (
    "آذربایجان شرقی",
    "آذربایجان غربی",
    "اردبیل",
    "اصفهان",
    "البرز",
    "ایلام",
    "بوشهر",
    "تهران",
    "چهارمحال و بختیاری",
    "خراسان جنوبی",
    "خراسان رضوی",
    "خراسان شمالی",
    "خوزستان",
    "زنجان",
    "سمنان",
    "سیستان و بلوچستان",
    "فارس",
    "قزوین",
    "قم",
    "کردستان",
    "کرمان",
    "کرمانشاه",
    "کهگیلویه و بویراحمد",
    "گلستان",
    "گیلان",
    "لرستان",
    "مازندران",
    "مرکزی",
    "هرمزگان",
    "همدان",
    "یزد",
)

# Spellings that differ by more than blanks, marks and Arabic letters.
ALIASES = {
    "چهارمحال بختیاری": "چهارمحال و بختیاری",
    "چهار محال بختیاری": "چهارمحال و بختیاری",
    "کهگیلویه بویراحمد": "کهگیلویه و بویراحمد",
    "کهکیلویه و بویراحمد": "کهگیلویه و بویراحمد",
    "کهگیلویه و بویر احمدی": "کهگیلویه و بویراحمد",
    "سیستان بلوچستان": "سیستان و بلوچستان",
}

_BY_NAME = {squash(name): name for name in PROVINCES} | {
    squash(name): known for name, known in ALIASES.items()
}


@lru_cache(maxsize=4096)
def province(text: str) -> str | None:
    """The province that a text names as a whole, or after the word «استان»; None where it names none.

    «دانشگاه فرهنگیان استان كرمانشاه» names Kermanshah.
    """
    known = _BY_NAME.get(squash(text))
    if known:
        return known
    _, word, name = f" {fold(text)} ".rpartition(" استان ")
    return _BY_NAME.get(name.replace(" ", "")) if word else None
