"""Passwords that others would try first.

A known word with a few digits or signs, a walk over the keyboard, a date, the same piece again and again:
rules catch the first thousands of the published lists, and what people make of them.
"""

import re
import unicodedata
from pathlib import Path

WORDS = frozenset(Path(__file__).with_name("common_words.txt").read_text(encoding="utf-8").split())
WALKS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "a1b2c3d4e5f6g7h8i9j0",
    "qazwsxedcrfvtgbyhnujmikolp",
    "zaq1xsw2cde3vfr4bgt5nhy6mju7",
    "!@#$%^&*()_+",
    "asdfghjkl",
    "zxcvbnm",
    "147258369",
    "741852963",
    "159357",
    "ضصثقفغعهخحجچشسیبلاتنمکگ",
)
LOOKALIKES = str.maketrans("@4301!5$7+", "aaeoiisstt")


def is_common(password: str) -> bool:
    text = unicodedata.normalize("NFKC", password).casefold()
    return _repeats(text) or _word_with_trimmings(text) or _made_of_walks(text) or _date_or_number(text)


def _repeats(text: str) -> bool:
    """abcabcabc: a short piece, again and again."""
    return re.fullmatch(r"(.{1,4})\1+.?", text) is not None


def _word_with_trimmings(text: str) -> bool:
    """Password123!, P@ssw0rd, 1402golestan: a known word or two, with digits and signs about them."""
    trimmed = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)
    for variant in (text, trimmed.translate(LOOKALIKES), text.translate(LOOKALIKES)):
        for pattern in (r"^[\W\d_]+|[\W\d_]+$", r"[\W\d_]+"):
            core = re.sub(pattern, "", variant)
            if core and (core in WORDS or _two_words(core)) and len(text) - len(core) <= 8:
                return True
    return False


def _two_words(core: str) -> bool:
    return any(core[:cut] in WORDS and core[cut:] in WORDS for cut in range(3, len(core) - 2))


def _made_of_walks(text: str) -> bool:
    """12345678, qwerty123, 1qaz2wsx: nothing but pieces of at least three keys in a row, forth or back."""
    rest, pieces = text, 0
    while len(rest) >= 3:
        length = max((n for n in range(3, len(rest) + 1) if _in_a_walk(rest[:n])), default=0)
        if not length:
            return False
        rest, pieces = rest[length:], pieces + 1
    return pieces > 0 and pieces <= 4


def _in_a_walk(piece: str) -> bool:
    return any(piece in walk or piece in walk[::-1] for walk in WALKS)


def _date_or_number(text: str) -> bool:
    """Digits alone, up to twelve: birthdays, telephone numbers, national codes."""
    return len(text) <= 12 and re.sub(r"[\s/.\-]", "", text).isdecimal()
