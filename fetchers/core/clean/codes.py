"""Codes, phone numbers, addresses of mail, national codes: things that are compared, and look like numbers.

Each function takes text and gives what to store and what is odd about it (a word of `flags.FLAGS`, or None).
"""

import re

from fetchers.core.clean.text import PLACEHOLDERS, REPLACEMENT, ZWNJ, ascii_digits, clean, tidy

Result = tuple[str | None, str | None]

LONGEST_CODE = 64
_BLANKS = re.compile(rf"[\s{ZWNJ}]+")
_PHONE_PUNCTUATION = re.compile(rf"[\s{ZWNJ}().-]+")
_MOBILE = re.compile(r"(?:(?:\+|00)?98|)0?(9[0-9]{9})").fullmatch
_LANDLINE = re.compile(r"0[1-8][0-9]{9}").fullmatch
_LONG_NUMBERS = re.compile(r"(?:[0-9][ -]?){7,}")
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"]+@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII).fullmatch
_NATIONAL = re.compile(r"[0-9]{8,10}").fullmatch
_INNER_DASH = re.compile(r"(?<=[0-9])-(?=[0-9])")


def code(text: str, *, zero_is_empty: bool = False) -> Result:
    """A code is text: zeros kept, digits ASCII, no blanks. A digit that is none (`²`) makes it unusable."""
    cleaned = text if text.isascii() and text.isdigit() else _compact(text)
    if cleaned.casefold() in PLACEHOLDERS or (zero_is_empty and not cleaned.strip("0")):
        return None, None
    if len(cleaned) > LONGEST_CODE or REPLACEMENT in cleaned:
        return None, "bad_code"
    if not cleaned.isascii() and any(c.isnumeric() and not c.isascii() for c in cleaned):
        return None, "bad_code"
    return cleaned, None


def is_national_code(digits: str) -> bool:
    """The arithmetic of the tenth digit, and nothing else; ten equal digits pass it."""
    if len(digits) != 10 or not (digits.isascii() and digits.isdigit()):
        return False
    rest = sum(int(digit) * (10 - place) for place, digit in enumerate(digits[:9])) % 11
    return int(digits[9]) == (rest if rest < 2 else 11 - rest)


def national_code(text: str) -> Result:
    """Ten digits; lost zeros come back. A wrong check digit is only flagged: old systems are full of them."""
    cleaned, flag = code(_INNER_DASH.sub("", _compact(text)), zero_is_empty=True)
    if cleaned is None:
        return None, flag
    if not _NATIONAL(cleaned):
        return cleaned, "odd_format"
    digits = cleaned.zfill(10)
    if not is_national_code(digits):
        return digits, "bad_checksum"
    if len(set(digits)) == 1:
        return digits, "repeated"
    return digits, "padded" if len(cleaned) < 10 else None


def phone(text: str) -> Result:
    """A mobile number as `09…`; anything else as it was written, with a flag that says what it looks like."""
    if len(text) == 11 and text.startswith("09") and text.isascii() and text.isdigit():
        return text, None
    cleaned = clean(text)
    if cleaned is None:
        return None, None
    cleaned = ascii_digits(cleaned)
    compact = _PHONE_PUNCTUATION.sub("", cleaned)
    if not compact.strip("0"):
        return None, None
    if found := _MOBILE(compact):
        return "0" + found[1], None
    if _LANDLINE(compact):
        return cleaned, "landline"
    return cleaned, "two_numbers" if len(_LONG_NUMBERS.findall(cleaned)) > 1 or len(
        compact
    ) > 15 else "bad_phone"


def email(text: str) -> Result:
    """An address in small letters; what cannot be one is kept and flagged."""
    cleaned = clean(text)
    if cleaned is None or not cleaned.strip("0"):
        return None, None
    cleaned = cleaned.lower()
    return cleaned, None if _EMAIL(cleaned) else "bad_email"


def _compact(text: str) -> str:
    """Clean text without any blank, and with ASCII digits."""
    compact = clean(text) or ""
    while (shorter := tidy(_BLANKS.sub("", compact))) != compact:  # what a blank kept apart may be a tag now
        compact = shorter
    return ascii_digits(compact)
