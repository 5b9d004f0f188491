"""The kinds of field that a fetcher declares: `Code(Label("کد", "Code"))`, `Text(Label(…), max_length=500)`.

Declared once, frozen; a stream's fields together are its mapping. `rules_version` changes with whatever would
change a stored value, so that rows cleaned by older rules are cleaned again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from fetchers.core.clean import codes, jalali, places
from fetchers.core.clean.text import REPLACEMENT, Tester, ascii_digits, clean, tester, text_tester, tidy

if TYPE_CHECKING:
    from fetchers.core.fetcher import Label

# Raise this when any rule below, or in text, codes, jalali or places, stores or flags something else than before.
CLEAN_RULES = 2

REMEMBERED_VALUES = 8_192  # per field; then the memory starts afresh, or there is none
REMEMBERED_LENGTH = 200
INTEGERS = range(-(2**63), 2**63)

# Values as most of them come, which their fields store as they are. Days up to the 29th are in every month.
_DIGITS = tester(r"[0-9]{1,64}")
_DIGITS_OF_SOMETHING = tester(r"[1-9][0-9]{0,63}")
_MOBILE = tester(r"09[0-9]{9}")
_EMAIL = tester(r"[a-z0-9._-]+@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_DAY = tester(r"1(?:30[1-9]|3[1-9][0-9]|40[0-9])/(?:0[1-9]|1[0-2])/(?:0[1-9]|[12][0-9])")


class Reject(Exception):
    """A row cannot be kept. `reason` is a word of `flags.REJECTS`, `field` the column that is to blame."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(f"{reason}: {field}" if field else reason)
        self.reason = reason
        self.field = field


class Cleaned(NamedTuple):
    """What to store, and what is odd about it: a word of `flags.FLAGS`, or None."""

    value: str | int | None
    flag: str | None = None


NULL = Cleaned(None)
NO_CODE = Cleaned(None, "no_code")


@dataclass(frozen=True)
class Field:
    """One column of a stream: what it is called, whether it is about a person, how it is cleaned."""

    label: Label
    personal: bool = field(default=False, kw_only=True)
    sql_type: ClassVar[Literal["TEXT", "INTEGER"]] = "TEXT"

    def clean(self, value: object) -> Cleaned:
        """Clean one value as JSON gave it. Raises Reject where no text can be made of it."""
        if value is None:
            return NULL
        if type(value) is str:
            return self.clean_text(value)
        if type(value) is int:
            try:
                return self.clean_text(str(value))
            except ValueError as error:  # Python refuses to write out more than 4300 digits
                raise Reject("wrong_type") from error
        raise Reject("wrong_type")

    def clean_text(self, text: str) -> Cleaned:
        """Clean a value that is text, or was a whole number."""
        raise NotImplementedError

    def usual(self) -> Tester | None:
        """A quick look at many values at once: what `clean_text` makes of them, and which it must be asked about.

        None: there is none. It must be asked about whatever it might flag. Most values of a first load meet this.
        """
        return None

    @property
    def version(self) -> str:
        """What makes its results differ from another field's: type and options, not the label."""
        options = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"label", "personal"}}
        return f"{type(self).__name__} {json.dumps(options, sort_keys=True)}"


@dataclass(frozen=True)
class Text(Field):
    """Persian or other text, cut at `max_length`."""

    max_length: int = field(default=4000, kw_only=True)

    def clean_text(self, text: str) -> Cleaned:
        flag = None
        if (
            len(text) > 16 * self.max_length
        ):  # nobody's address; what is cleaned costs time for each character
            text, flag = text[: 16 * self.max_length], "too_long"
        cleaned = clean(text)
        if cleaned is None:
            return Cleaned(None, flag)
        if len(cleaned) > self.max_length:
            cleaned, flag = tidy(cleaned[: self.max_length]), "too_long"
        if REPLACEMENT in cleaned:
            flag = "surrogate"
        return Cleaned(cleaned, flag)

    def usual(self) -> Tester:
        return text_tester(self.max_length)


@dataclass(frozen=True)
class Code(Field):
    """A code: text of ASCII digits or letters, zeros kept. `zero_is_empty` where `0` stands for nothing."""

    zero_is_empty: bool = field(default=False, kw_only=True)

    def clean_text(self, text: str) -> Cleaned:
        return Cleaned(*codes.code(text, zero_is_empty=self.zero_is_empty))

    def usual(self) -> Tester:
        return _DIGITS_OF_SOMETHING if self.zero_is_empty else _DIGITS


@dataclass(frozen=True)
class Integer(Field):
    """A whole number that is counted or compared as one."""

    sql_type: ClassVar[Literal["TEXT", "INTEGER"]] = "INTEGER"

    def clean(self, value: object) -> Cleaned:
        if type(value) is int:
            return Cleaned(value) if value in INTEGERS else Cleaned(None, "bad_number")
        return super().clean(value)

    def clean_text(self, text: str) -> Cleaned:
        cleaned = ascii_digits(clean(text) or "")
        if not cleaned:
            return NULL
        digits = cleaned[1:] if cleaned[0] in "+-" else cleaned
        if len(digits) > 19 or not (digits.isascii() and digits.isdigit()):
            return Cleaned(None, "bad_number")
        return self.clean(int(cleaned))


@dataclass(frozen=True)
class Phone(Field):
    """A phone number, mobile ones as `09…`."""

    def clean_text(self, text: str) -> Cleaned:
        return Cleaned(*codes.phone(text))

    def usual(self) -> Tester:
        return _MOBILE


@dataclass(frozen=True)
class Email(Field):
    """An address of electronic mail, in small letters."""

    def clean_text(self, text: str) -> Cleaned:
        return Cleaned(*codes.email(text))

    def usual(self) -> Tester:
        return _EMAIL


@dataclass(frozen=True)
class NationalCode(Field):
    """An Iranian national code of ten digits; wrong ones are flagged and kept, and so is one that is missing."""

    def clean(self, value: object) -> Cleaned:
        return NO_CODE if value is None else super().clean(value)

    def clean_text(self, text: str) -> Cleaned:
        found, flag = codes.national_code(text)
        return NO_CODE if found is None and flag is None else Cleaned(found, flag)


@dataclass(frozen=True)
class JalaliDate(Field):
    """A day as `YYYY/MM/DD` of the Jalali calendar. `birth`: 1300/01/01 stands for "unknown"."""

    birth: bool = field(default=False, kw_only=True)

    def clean_text(self, text: str) -> Cleaned:
        day, flag = jalali.parse(text)
        if day is None:
            return Cleaned(None, flag)
        if self.birth and day == (1300, 1, 1):
            return Cleaned(None, "placeholder_date")
        return Cleaned(str(day), flag)

    def usual(self) -> Tester:
        return _DAY


@dataclass(frozen=True)
class Province(Field):
    """One of the 31 provinces by its usual name."""

    def clean_text(self, text: str) -> Cleaned:
        cleaned = clean(text)
        if cleaned is None:
            return NULL
        known = places.province(cleaned)
        return Cleaned(known, None if known else "unknown_province")


@dataclass(frozen=True)
class Discovered(Text):
    """A field that the gateway sends and no fetcher declares: kept as text, whatever it is; it rejects no record.

    Decimals, true and false, lists and objects become compact JSON. Nobody has said what it holds, so it is treated
    as personal until a fetcher declares it.
    """

    personal: bool = field(default=True, kw_only=True)

    def clean(self, value: object) -> Cleaned:
        if value is None or type(value) is str:
            return super().clean(value)
        try:
            # Sorted: another order of an object's keys is no change.
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        except (ValueError, RecursionError):  # thousands of digits, or of brackets
            return Cleaned(None, "too_long")
        whole = text.encode("utf-8", "replace").decode()
        flag = "surrogate" if whole != text else None
        return Cleaned(whole[: self.max_length], flag if len(whole) <= self.max_length else "too_long")


def rules_version(mapping: Mapping[str, Field]) -> str:
    """A short name for the rules of these fields: equal in every process, another when results may differ."""
    rules = [CLEAN_RULES, [[column, declared.version] for column, declared in sorted(mapping.items())]]
    return hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:16]
