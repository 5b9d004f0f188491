"""The true faculty: one row per member, made from (seed, number)."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Any

from .campuses import Plan
from .words import (
    CITIES,
    EMPLOYMENT_STATES,
    EMPLOYMENTS,
    FAMILIES,
    FIELDS,
    MEMBERSHIPS,
    MEN,
    PROVINCES,
    UNIVERSITY,
    WOMEN,
)

KEYS = (
    "id",
    "professorCode",
    "name",
    "family",
    "field",
    "code",
    "mobile",
    "nationalcode",
    "email",
    "personelid",
    "code_Markaz",
    "markaz",
    "city",
    "sex",
    "scope",
    "scope_ID",
    "employ_state",
    "employtype",
    "employtype_title",
    "estekhdamtype",
    "estekhdamtype_title",
)
_numbers = Struct("<32H").unpack
FIRST_ID = 5000


def digest_of(seed: int, member: int) -> bytes:
    return blake2b(f"{seed}|faculty|{member}".encode()).digest()


def row(plan: Plan, seed: int, member: int) -> dict[str, Any]:
    d = _numbers(digest_of(seed, member))
    woman = d[0] % 5 < 2
    first, latin = (WOMEN if woman else MEN)[d[1] % 20]
    family, family_latin = FAMILIES[d[2] % 32]
    if d[3] < 66:
        first, family = family, first
    campus = plan.campuses[d[4] % len(plan.campuses)]
    province = campus.province
    field = FIELDS[d[5] % 10]
    kind, titles = MEMBERSHIPS[0 if d[6] < 52000 else d[6] % 3]
    contract, contract_title = EMPLOYMENTS[d[7] % 4]
    unknown_place = d[8] < 328
    return {
        "id": FIRST_ID + member,
        "professorCode": None if d[9] < 1311 else f"{100000 + member * 7:06d}",
        "name": first,
        "family": family,
        "field": None if d[10] < 6554 else field[d[10] > 58982],
        "code": None if d[11] < 1966 else f"{1200 + d[11] % 60}",
        "mobile": _mobile(d),
        "nationalcode": national_code(member, d[14]),
        "email": None
        if d[15] < 18350
        else f"{latin.split()[0].lower()}.{family_latin.lower()}{member}@example.invalid",
        "personelid": None if d[16] < 3277 else f"{90000000 + (member - (d[16] > 65339)) * 3}",
        "code_Markaz": None if d[17] < 1311 else ("9990" if unknown_place else campus.code),
        "markaz": campus.name if d[18] < 58982 else campus.name.replace("پردیس ", "پ. "),
        "city": CITIES[province - 1],
        "sex": (0 if d[19] & 1 else None) if d[19] < 655 else 2 if woman else 1,
        "scope": UNIVERSITY if d[20] < 655 else f"{UNIVERSITY} استان {PROVINCES[province - 1]}",
        "scope_ID": f"{province}",
        "employ_state": None if d[21] < 1311 else EMPLOYMENT_STATES[d[21] % 8],
        "employtype": kind,
        "employtype_title": titles[0 if d[22] < 45875 else 1 + d[22] % 2],
        "estekhdamtype": None if d[23] < 1311 else contract,
        "estekhdamtype_title": None if d[23] < 1311 else contract_title,
    }


def _mobile(d: tuple[int, ...]) -> str | None:
    if d[12] < 2622:
        return None
    first = f"09{(12, 13, 35, 1)[d[12] % 4]:02d}000{d[13] % 10000:04d}"
    return f"{first} - 0912000{d[12] % 10000:04d}" if d[12] < 3277 else first


def national_code(member: int, roll: int) -> str | None:
    """A code that belongs to nobody: prefix 999; or, where zeros may get lost, a wrong check digit."""
    if roll < 1311:
        return None
    if roll < 1966:
        return _wrong(f"999{member:06d}")
    if roll < 2031:
        return "9999999999"
    if roll < 4588:
        return _wrong(f"0999{member % 100_000:05d}") if roll & 1 else _wrong(f"00999{member % 10_000:04d}")
    if roll < 4900 and member:
        member -= 1  # the same person under two ids
    body = f"999{member:06d}"
    return body + _check(body)


def _check(body: str) -> str:
    rest = sum(int(c) * (10 - i) for i, c in enumerate(body)) % 11
    return str(rest if rest < 2 else 11 - rest)


def _wrong(body: str) -> str:
    return body + str((int(_check(body)) + 3) % 10)
