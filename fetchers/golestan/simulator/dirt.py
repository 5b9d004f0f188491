"""What makes a clean row look like one from the wire: another spelling of the same values.

All dirt here can be undone by a right reader; where it destroys a value, the truth already says NULL.
Every choice follows from the row's own dirt bytes, so the same row looks the same each time it is asked for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from hashlib import shake_128
from struct import Struct
from typing import Any

from . import faculty, students
from .calendar import to_gregorian

Draw = Callable[[Any, float, int], Any]  # (clean value, chance in [0, 1), 16 more bits) -> dirty value

_ARABIC = str.maketrans("یک", "يك")
_PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_JOINING = frozenset("بپتثجچحخسشصضطظعغفقکگلمنهیيك")
_ISOLATED = {
    chr(int(unicodedata.decomposition(chr(c)).split()[1], 16)): chr(c)
    for c in range(0xFB50, 0xFEFF)
    if unicodedata.decomposition(chr(c)).startswith("<isolated>")
    and len(unicodedata.decomposition(chr(c)).split()) == 2
}
_TEXT_NULLS = (None, "", " ", "-", "--", "NULL", "null", "نامشخص", "//", ".", None, None)
_PHONE_NULLS = (None, "0", "", "-", None)
_BIRTH_NULLS = ("//", "1300/01/01", "1402/00/00", "1402/07/31", "1404/12/30", "", None, "-")
_START_NULLS = ("1403", "//", "1402/00/00", None, "", "1402/12/30")


class Dirt:
    """Dirties rows; `factor` scales every rate (0 = clean, 1 = as in DOMAIN 2.2 and 2.3)."""

    def __init__(self, factor: float = 1.0, variant: str | None = None) -> None:
        self.factor = min(factor, 5.0)
        self.variant = variant
        self._faculty = self._plan(faculty.KEYS, _FACULTY)
        self._students = self._plan(students.KEYS, _STUDENTS)
        self._draws = {n: Struct(f"<{2 * n}H") for n in (len(faculty.KEYS), len(students.KEYS))}

    def _plan(self, keys: tuple[str, ...], special: dict[str, Draw]) -> tuple[tuple[str, Draw], ...]:
        return tuple((key, special.get(key, text)) for key in keys)

    def faculty(self, row: dict[str, Any], seed: bytes, copy: int = 0) -> dict[str, Any]:
        return self._apply(self._faculty, row, seed, copy)

    def student(self, row: dict[str, Any], seed: bytes, copy: int = 0) -> dict[str, Any]:
        return self._apply(self._students, row, seed, copy)

    def keyless(self, raw: dict[str, Any], key: str, seed: bytes) -> dict[str, Any]:
        """A copy of a row that lost its key."""
        lost = (None, "", "-") if key == "id" else (None, "", "-", "نامشخص", "۴۰۳²")
        return {**raw, key: lost[seed[5] % len(lost)]}

    def _apply(
        self, plan: tuple[tuple[str, Draw], ...], row: dict[str, Any], seed: bytes, copy: int
    ) -> dict[str, Any]:
        if not self.factor:
            raw = {key: row[key] for key, _ in plan}
        else:
            size = len(plan)
            draws = self._draws[size].unpack(shake_128(seed + bytes([copy])).digest(4 * size))
            scale = 1 / (65536 * self.factor)
            raw = {
                key: draw(row[key], draws[i] * scale, draws[size + i]) for i, (key, draw) in enumerate(plan)
            }
        return raw if self.variant is None else self._dress(raw)

    def _dress(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The same row in the dress of a variant."""
        if self.variant == "key_order":
            return dict(reversed(raw.items()))
        if self.variant == "arabic":
            return {k: v.translate(_ARABIC) if isinstance(v, str) else v for k, v in raw.items()}
        if self.variant == "padding":
            return {k: f" {v}  " if isinstance(v, str) else v for k, v in raw.items()}
        return raw


VARIANTS = ("key_order", "arabic", "padding", "record_order")


def text(value: Any, chance: float, bits: int) -> Any:
    """Names and descriptions."""
    if value is None:
        return _TEXT_NULLS[bits % len(_TEXT_NULLS)]
    if bits % 5 < 3:
        value = value.translate(_ARABIC)
    if chance >= 0.2:
        return value
    if chance < 0.15:
        return value + " " * (1 + bits % 4) if bits & 256 else " " + value + " "
    if chance < 0.18:
        return _invisible(value, bits)
    return _odd(value, chance, bits)


def _invisible(value: str, bits: int) -> str:
    kind = bits % 4
    if kind == 0 and " " in value:
        return value.replace(" ", "\u00a0")
    if kind == 1:
        return _after_joining(value, "ـ" * (1 + bits % 3))
    if kind == 2 and "\u200c" in value:
        return value.replace("\u200c", "\u200c\u200c" if bits & 1024 else "¬")
    return value + "\u200c"


def _after_joining(value: str, mark: str) -> str:
    for at in range(len(value) - 1):
        if value[at] in _JOINING and value[at + 1] not in " \u200c،":
            return value[: at + 1] + mark + value[at + 1 :]
    return value


def _odd(value: str, chance: float, bits: int) -> str:
    if chance < 0.183:
        if bits & 1:
            return "".join(f"&#{ord(c)};" if ord(c) > 127 else c for c in value)
        return value.replace(" ", "&nbsp;")
    if chance < 0.186:
        return "".join(_ISOLATED.get(c, c) for c in value)
    if chance < 0.189:
        return "\u200f" + value + "\u200e"
    if chance < 0.191:
        return value[:1] + "\0" + value[1:]
    if chance < 0.193:
        return unicodedata.normalize("NFD", value)
    return value.replace(" ", "  ") if chance < 0.196 else value


def address(value: Any, chance: float, bits: int) -> Any:
    if value is not None and chance >= 0.97:
        value = text(value, 1, bits)
        kind = bits % 3
        if kind == 0:
            return value.replace(" ", "\r\n", 1)
        if kind == 1:
            return value.replace(" ", "<BR>", 1)
        head, _, tail = value.partition(" ")
        return f"<b>{head}</b> {tail}"
    return text(value, chance, bits)


def latin(value: Any, chance: float, bits: int) -> Any:
    if value is None:
        return (None, None, "")[bits % 3]
    return f"{value} " if chance < 0.1 else value


def whole_number(rate: float) -> Draw:
    """Codes that sometimes come as numbers (never where a leading zero would be lost)."""

    def draw(value: Any, chance: float, bits: int) -> Any:
        if value is None:
            return (None, "", None)[bits % 3]
        if chance < rate and not value.startswith("0"):
            return int(value)
        return f"{value} " if chance > 0.99 else value

    return draw


def plain(value: Any, chance: float, bits: int) -> Any:
    return value


def number_as_text(value: Any, chance: float, bits: int) -> Any:
    return str(value) if value is not None and chance < 0.05 else value


def student_number(value: Any, chance: float, bits: int) -> Any:
    if chance < 0.03:
        return int(value)
    if chance < 0.05:
        return f" {value} " if bits & 1 else f"{value}   "
    if chance < 0.055:
        return value.translate(_PERSIAN_DIGITS if bits & 1 else _ARABIC_DIGITS)
    return value


def national_code(value: Any, chance: float, bits: int) -> Any:
    if value is None:
        return (None, "", "0", "0000000000", "-")[bits % 5]
    if value.startswith("0"):  # the zeros got lost on their way through a spreadsheet
        return int(value) if bits & 1 else value.lstrip("0")
    if chance < 0.02:
        return int(value)
    return value.translate(_PERSIAN_DIGITS) if chance < 0.03 else value


def personnel_number(value: Any, chance: float, bits: int) -> Any:
    if value is None:
        return (None, "0", "0", "")[bits % 4]
    return int(value) if chance < 0.01 else value


def phone(value: Any, chance: float, bits: int) -> Any:
    if value is None:
        return _PHONE_NULLS[bits % len(_PHONE_NULLS)]
    if len(value) != 11:  # two numbers in one stay as they are
        return value
    if chance < 0.08:
        return value[1:]
    if chance < 0.1:
        return ("+98" if bits & 1 else "0098") + value[1:]
    if chance < 0.12:
        return value.translate(_PERSIAN_DIGITS)
    return f"{value} " if chance < 0.14 else value


def email(value: Any, chance: float, bits: int) -> Any:
    if value is None:
        return (None, None, "-", "", "0")[bits % 5]
    if chance < 0.05:
        return value.upper()
    return f" {value} " if chance < 0.07 else value


def sex(value: Any, chance: float, bits: int) -> Any:
    if value is None:
        return (None, "")[bits & 1]
    if chance < 0.8:
        return value + ("\u00a0" if bits % 10 == 0 else " ") * (1 + bits % 3)
    return value


def province(value: Any, chance: float, bits: int) -> Any:
    """Province names as they are met: Arabic letters, and the «و» without its space, or without itself."""
    if value is None:
        return (None, "", "نامشخص")[bits % 3]
    if chance < 0.6:
        if " و " in value:
            short = value == "چهارمحال و بختیاری" and bits & 1
            value = value.replace(" و ", " " if short else " و" if bits & 2 else " و ")
        return value.translate(_ARABIC) + " " * (bits // 4 % 4)
    return value


def birth_date(value: Any, chance: float, bits: int) -> Any:
    if value is None:
        return _BIRTH_NULLS[bits % len(_BIRTH_NULLS)]
    return _date(value, bits % 7, bits) if chance < 0.06 else value


def start_date(value: Any, chance: float, bits: int) -> Any:
    if value is None:
        return _START_NULLS[bits % len(_START_NULLS)]
    return _date(value, bits % 9, bits) if chance < 0.06 else value


def _date(value: str, kind: int, bits: int) -> str:
    year, month, day = value.split("/")
    forms = (
        f"{year}/{int(month)}/{int(day)}",
        value.translate(_PERSIAN_DIGITS),
        f"{year}-{month}-{day}",
        f"{year}{month}{day}",
        f"{value} 10:20",
        f"{day}/{month}/{year}",
        f"{value} ",
        value[1:],  # 404/06/03
        value[2:],  # 02/07/01
    )
    if kind == 6 and bits & 1024:
        return f"{to_gregorian(int(year), int(month), int(day)).isoformat()}T00:00:00"
    return forms[kind]


def term(value: Any, chance: float, bits: int) -> Any:
    if chance < 0.05:
        return int(value)
    if chance < 0.055:
        return None
    return f"{value[:3]}{int(value[3]) % 3 + 1}" if chance < 0.056 else value


_FACULTY: dict[str, Draw] = {
    "id": number_as_text,
    "professorCode": whole_number(0.01),
    "code": whole_number(0.03),
    "mobile": phone,
    "nationalcode": national_code,
    "email": email,
    "personelid": personnel_number,
    "code_Markaz": whole_number(0.05),
    "sex": number_as_text,
    "scope_ID": whole_number(0.0),
    "employtype": whole_number(0.0),
    "estekhdamtype": whole_number(0.0),
}
_STUDENTS: dict[str, Draw] = {
    "studentnum": student_number,
    "firstnameeng": latin,
    "familynameeng": latin,
    "codvaziayat": whole_number(0.02),
    "birthdate": birth_date,
    "address": address,
    "phonenum": phone,
    "email": email,
    "sex": sex,
    "course": whole_number(0.05),
    "grade": whole_number(0.1),
    "degsdate": start_date,
    "sub_num": whole_number(0.02),
    "provinceCode": number_as_text,
    "code_Markaz": whole_number(0.05),
    "province": province,
    "term": term,
}
